//! The doorbell of the API server: rings when somebody writes a mirror pod of this node.

use std::ops::ControlFlow;

use super::access;
use super::report::say;
use super::run::Outcome;
use crate::apiserver::{Credential, wire};
use crate::state::{ApiSaid, Report};

/// Follows the watch until it ends; the agent opens it again.
pub(super) fn run(kubeconfig: &str, credential: Option<&Credential>, node: &str) -> Outcome {
    let path = wire::pods_path(node);
    let followed = access::open(kubeconfig, credential).and_then(|api| {
        let end = api.watch(&path, &mut |line| {
            if line.kind == "ERROR" {
                return ControlFlow::Break(());
            }
            if let Some(pod) = wire::listed(&line.object, node)
                && pod.hash.is_some()
                && pod.version.len() < 100
            {
                say(&Report::Api(ApiSaid::Touched {
                    version: pod.version,
                }));
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
            Outcome::Failed
        }
    }
}
