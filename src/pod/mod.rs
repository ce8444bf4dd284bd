//! What a manifest says, and whether it may run here.
//!
//! Pure. Bytes go in, a [`ValidPod`] or a list of [`Problem`]s comes out; [`read`] is the way in. A `ValidPod` is proof:
//! it has been decoded, defaulted, checked, named and hashed, and no other room looks at a manifest again. Deliberately
//! absent: anything about Docker, and any repair of what the user wrote.

mod names;
mod problem;

pub use names::{ContainerName, PodKey, PodUid, SpecHash};
pub use problem::Problem;

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};

/// A pod that may run on this node: defaulted as an API server would, named `<name>-<node>`, with UID and hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidPod {
    /// Namespace and full name (with the node's suffix).
    pub key: PodKey,
    /// The static UID: 32 hex digits of our own, or what `metadata.uid` says.
    pub uid: PodUid,
    /// Changes exactly when the pod changes; also the `kubernetes.io/config.hash` annotation.
    pub hash: SpecHash,
    /// The defaulted object, with the `kubernetes.io/config.*` annotations but `config.seen`, and without a status.
    pub pod: Pod,
}
