//! The API server, and what the Node is to say there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Given, values};
use crate::pod::{is_label_key, is_label_value};
use crate::status::node::NodeSettings;
use crate::sys::Gather;

/// Where the pods are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiSettings {
    /// The kubeconfig file.
    pub kubeconfig: String,
    /// How to register the Node; `None`: it is somebody else's (`--register-node=false`).
    pub register: Option<NodeSettings>,
    /// How often the machine is looked at; what has changed is told at once (`nodeStatusUpdateFrequency`).
    pub look_every: Duration,
    /// How often the Node's status is told all the same (`nodeStatusReportFrequency`).
    pub tell_every: Duration,
}

/// A key and a value, as typed.
type Pair = (String, String);

/// Labels of these groups that a node may give itself, beside those of `kubelet.kubernetes.io` and
/// `node.kubernetes.io`.
///
/// Source: kubernetes 1.36 `staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go`.
const OWN_LABELS: &[&str] = &[
    "kubernetes.io/hostname",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/instance-type",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
];

impl Given<'_> {
    /// The API server, if a kubeconfig is given. The file may come later: an agent may be what starts the API server.
    pub(super) fn api(&mut self) -> Option<ApiSettings> {
        let labels = self.checked("node-labels", labels);
        let taints = self.checked("register-with-taints", taints);
        let registers = self.checked("register-node", values::switch);
        let (look_every, tell_every) = self.node_paces();
        let lease_seconds = self.checked("nodeLeaseDurationSeconds", values::lease_seconds);
        let kubeconfig = self.path("kubeconfig")?.to_string_lossy().into_owned();
        let register = registers.then(|| NodeSettings {
            labels: labels.into_iter().gather::<BTreeMap<_, _>>(),
            taints,
            lease_seconds,
        });
        Some(ApiSettings {
            kubeconfig,
            register,
            look_every,
            tell_every,
        })
    }

    /// How often the machine is looked at, and the Node told of.
    ///
    /// Source: kubernetes 1.36 `pkg/kubelet/apis/config/v1beta1/defaults.go`: where the files say the first and not the
    /// second, it is that as well; the flag has no such effect.
    fn node_paces(&mut self) -> (Duration, Duration) {
        let look = "nodeStatusUpdateFrequency";
        let of_look = self.in_files(look).filter(|text| {
            let time = values::duration(text);
            time.is_ok_and(|time| !time.is_zero())
        });
        let every = self.frequency("node-status-update-frequency");
        let tell = self.frequency("nodeStatusReportFrequency");
        let said = self.in_files("nodeStatusReportFrequency");
        let is_said = said.is_some_and(|text| values::duration(&text) != Ok(Duration::ZERO));
        match of_look.filter(|_| !is_said) {
            None => (every, tell),
            Some(text) => {
                self.shows("nodeStatusReportFrequency", &text, None);
                (every, values::duration(&text).unwrap_or(tell))
            }
        }
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
        if key.is_empty() {
            return Err(format!("{part:?} has no key; write it as key=value"));
        }
        expect_label(key, value)?;
        if !is_own(key) {
            let own = OWN_LABELS.join(", ");
            return Err(format!(
                "a node may not give itself the label {key:?}; of kubernetes.io and k8s.io it may give those of \
                 kubelet.kubernetes.io and node.kubernetes.io, and {own}"
            ));
        }
        Ok((key.to_owned(), value.to_owned()))
    };
    parts(text).map(one).collect()
}

fn expect_label(key: &str, value: &str) -> Result<(), String> {
    match (is_label_key(key), is_label_value(value)) {
        (true, true) => Ok(()),
        (false, _) => Err(format!(
            "{key:?} is no key: at most 63 letters, digits, '-', '_' and '.', with a domain and '/' before it if need be"
        )),
        (true, false) => Err(format!(
            "{value:?} is no value: at most 63 letters, digits, '-', '_' and '.'"
        )),
    }
}

/// Whether the API server would take this label from the node itself.
fn is_own(key: &str) -> bool {
    let domain = key.split_once('/').map_or("", |(domain, _)| domain);
    let is_in = |group: &str| {
        let below = domain.strip_suffix(group);
        below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let is_reserved = is_in("kubernetes.io") || is_in("k8s.io");
    !is_reserved
        || is_in("kubelet.kubernetes.io")
        || is_in("node.kubernetes.io")
        || OWN_LABELS.contains(&key)
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
        expect_label(key, value)?;
        Ok((key.to_owned(), value.to_owned(), effect.to_owned()))
    };
    parts(text).map(one).collect()
}
