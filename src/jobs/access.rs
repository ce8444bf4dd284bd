//! The way to the API server, for a job: the kubeconfig, and the plugin that it may name.

use std::path::Path;
use std::time::Duration;

use super::Request;
use super::report::say;
use crate::apiserver::{ANSWER_BYTES_MAX, Api, Credential, Plugin, read};
use crate::state::{ApiSaid, Report};
use crate::sys::{self, Ended, Error, Kind, Result, run_to_end};

/// For a plugin that asks somebody in the network. Longer: of the time of a job nothing is left for the API server. A
/// kubelet waits for ever.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Reads the kubeconfig. A plugin that it names is asked unless what it said before still holds; the agent is told what
/// it says, and gives it to the next job.
///
/// # Errors
/// As [`read`] and [`Api::new`]; also when the plugin gives no credential.
pub(super) fn open(kubeconfig: &str, known: Option<&Credential>) -> Result<Api> {
    let mut access = read(Path::new(kubeconfig))?;
    if let Some(plugin) = access.plugin.take() {
        let now = sys::now().wall;
        match known.filter(|known| known.serves(&plugin, now)) {
            Some(known) => access.show(known),
            None => {
                let fresh = ask(&plugin)?;
                access.show(&fresh);
                say(&Report::Api(ApiSaid::Credential(fresh)));
            }
        }
    }
    Api::new(access)
}

/// Tells the agent when the server refuses what it was shown.
pub(super) fn tell_denied(api: &Api) {
    if api.is_denied() {
        say(&Report::Api(ApiSaid::Denied));
    }
}

fn ask(plugin: &Plugin) -> Result<Credential> {
    let program = &plugin.program;
    let doing = format!(
        "ask {} for a credential ({})",
        program.command, plugin.place
    );
    let request = serde_json::to_vec(&Request::Program(program.clone()))
        .map_err(|e| Error::new(&doing, Kind::Garbled, e))?;
    let ended = run_to_end(&["job"], &request, PLUGIN_TIMEOUT, ANSWER_BYTES_MAX);
    let ended = ended.map_err(|e| e.while_doing(&doing))?;
    let Ended {
        status,
        output,
        complaint,
    } = ended;
    if status.success() {
        return plugin.read(&output);
    }
    let hint = match plugin.hint.as_str() {
        "" => String::new(),
        hint => format!(" (installHint: {hint})"),
    };
    let said = format!("{status}: {complaint}{hint}");
    Err(Error::new(doing, Kind::Unavailable, said))
}
