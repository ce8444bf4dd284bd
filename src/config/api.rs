//! The API server, and what the Node is to say there.

use std::collections::BTreeMap;

use super::{Given, values};
use crate::status::node::NodeSettings;

/// Where the pods are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiSettings {
    /// The kubeconfig file.
    pub kubeconfig: String,
    /// How to register the Node; `None`: it is somebody else's (`--register-node=false`).
    pub register: Option<NodeSettings>,
}

/// A key and a value, as typed.
type Pair = (String, String);

impl Given<'_> {
    /// The API server, if a kubeconfig is given. The file may come later: an agent may be what starts the API server.
    pub(super) fn api(&mut self) -> Option<ApiSettings> {
        let labels = self.checked("node-labels", labels);
        let taints = self.checked("register-with-taints", taints);
        let registers = self.checked("register-node", values::switch);
        let kubeconfig = self.path("kubeconfig")?.to_string_lossy().into_owned();
        let register = registers.then(|| NodeSettings {
            labels: labels.into_iter().collect::<BTreeMap<_, _>>(),
            taints,
        });
        Some(ApiSettings {
            kubeconfig,
            register,
        })
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn labels(text: &str) -> Result<Vec<Pair>, String> {
    let one = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.is_empty() {
            true => Err(format!("{part:?} has no key; write it as key=value")),
            false => Ok((key.to_owned(), value.to_owned())),
        }
    };
    parts(text).map(one).collect()
}

fn taints(text: &str) -> Result<Vec<(String, String, String)>, String> {
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let one = |part: &str| {
        let (pair, effect) = part.rsplit_once(':').unwrap_or((part, ""));
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key.is_empty() || !effects.contains(&effect) {
            let effects = effects.join(", ");
            let said =
                format!("{part:?} is no taint; write it as key=value:effect with one of {effects}");
            return Err(said);
        }
        Ok((key.to_owned(), value.to_owned(), effect.to_owned()))
    };
    parts(text).map(one).collect()
}
