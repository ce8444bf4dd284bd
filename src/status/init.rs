//! What is special about init containers; one rule for `decide` and for what is told.

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::restart::{Again, Restart};
use crate::pod::is_sidecar;

/// What a container is in its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// One of `spec.containers`.
    Regular,
    /// An init container that has to end.
    Init,
    /// An init container that runs on.
    Sidecar,
}

/// Whether an init container that ended has failed: one that the kernel killed for memory has, whatever its code.
pub fn init_failed(code: i32, reason: &str) -> bool {
    code != 0 || reason == "OOMKilled"
}

impl Part {
    pub(super) fn of_init(container: &Container) -> Part {
        if is_sidecar(container) {
            Part::Sidecar
        } else {
            Part::Init
        }
    }

    /// Whether a container that ended like this is started again.
    pub(super) fn is_restarted(self, rule: Restart<'_>, code: i32, reason: &str) -> bool {
        let again = match self {
            Part::Regular => rule.after(code),
            Part::Init => rule.after_init(code, reason),
            Part::Sidecar => Again::Start,
        };
        again != Again::No
    }
}

/// The init containers of a pod.
pub(super) fn init_containers(spec: Option<&PodSpec>) -> &[Container] {
    let list = spec.and_then(|spec| spec.init_containers.as_deref());
    list.unwrap_or_default()
}
