//! The doorbells of the API server: ring when somebody writes a mirror pod of this node, and when the Node is another one.

use std::ops::ControlFlow;

use super::access;
use super::report::say;
use super::run::Outcome;
use crate::apiserver::Credential;
use crate::apiserver::wire::{self, WatchLine, node_uid};
use crate::state::{ApiSaid, Report, Watched};
use crate::sys::Kind;

/// Follows the watch until it ends; the agent opens it again.
pub(super) fn run(
    kubeconfig: &str,
    credential: Option<&Credential>,
    node: &str,
    watched: Watched,
) -> Outcome {
    let path = match watched {
        Watched::Pods => wire::pods_path(node),
        Watched::Node => wire::node_watch_path(node),
    };
    let mut last = None;
    let followed = access::open(kubeconfig, credential).and_then(|api| {
        let opened = &mut || say(&Report::Api(ApiSaid::Watching));
        let end = api.watch(&path, opened, &mut |line| {
            if line.kind == "ERROR" {
                return ControlFlow::Break(());
            }
            match watched {
                Watched::Pods => pod(&line, node),
                Watched::Node => seen(&line, node, &mut last),
            }
            ControlFlow::Continue(())
        });
        access::tell_denied(&api);
        end
    });
    match followed {
        Ok(()) => Outcome::Done,
        Err(error) => {
            log::debug!(err:% = error; "watch broke");
            // That a server is away is told by the others.
            if error.kind() != Kind::Unavailable {
                let why = error.to_string();
                say(&Report::Api(ApiSaid::WatchBroke { why }));
            }
            Outcome::Failed
        }
    }
}

fn pod(line: &WatchLine, node: &str) {
    if let Some(pod) = wire::listed(&line.object, node)
        && pod.hash.is_some()
        && pod.version.len() < 100
    {
        say(&Report::Api(ApiSaid::Touched {
            version: pod.version,
        }));
    }
}

/// Its heartbeats are no news: only another UID than the `last` is.
fn seen(line: &WatchLine, node: &str, last: &mut Option<String>) {
    let Some(mut uid) = node_uid(&line.object, node) else {
        return;
    };
    if line.kind == "DELETED" {
        uid.clear();
    }
    if last.as_ref() != Some(&uid) {
        *last = Some(uid.clone());
        say(&Report::Api(ApiSaid::NodeSeen { uid }));
    }
}
