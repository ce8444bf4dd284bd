//! What a manifest says, and whether it may run here.
//!
//! Pure. Bytes go in, a [`ValidPod`] or a list of [`Problem`]s comes out; [`read`] is the way in. A `ValidPod` is proof:
//! it has been decoded, defaulted, checked, named and hashed, and no other room looks at a manifest again. Deliberately
//! absent: anything about Docker, and any repair of what the user wrote.

mod build;
mod check;
mod containers;
mod defaults;
mod fields;
mod hugepages;
mod identity;
mod images;
mod lifecycle;
mod list;
mod marks;
mod names;
mod probes;
mod problem;
mod quantity;
mod read;
mod resources;
mod rules;
mod scalar;
mod shape;
mod states;
mod table;
mod tree;

pub use containers::{all_containers, container_of, is_sidecar};
pub use hugepages::{HUGEPAGES, MEDIUM as HUGEPAGES_MEDIUM, medium_page_bytes, page_bytes};
pub use images::ImageRef;
pub use list::read_list;
pub use names::{ContainerName, PodKey, PodUid, SpecHash};
pub use problem::Problem;
pub use quantity::{div_ceil, milli};
pub use read::read;
pub use resources::pod_resources;
pub use rules::{is_label_value, qualified as is_label_key};
pub use table::{FieldRow, field_table};
pub use tree::{Document, read as read_document};

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};

/// The most bytes of one manifest. Comments are most of a large one, and the kubelet takes 10 MiB; but the YAML reader
/// holds every event of a document in memory, many bytes for each of the text, and this agent is to stay small.
/// The API server takes no object much larger either (etcd: 1.5 MiB).
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;

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

/// Where a manifest comes from, as far as that decides how it is read.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The node's name, lower case: the suffix of every pod's name.
    pub node_name: String,
    /// A file, not a URL: the `kubernetes.io/config.source` annotation.
    pub from_file: bool,
    /// Unknown fields are a warning, not a problem.
    pub allow_unknown_fields: bool,
}

/// A manifest that can be used.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The pod.
    pub pod: ValidPod,
    /// What its author should know all the same.
    pub warnings: Vec<Problem>,
}
