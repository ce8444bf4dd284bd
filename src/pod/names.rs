//! Newtypes for the names that must not be mixed up.

use std::fmt;

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};

/// Which pod: at most one runs at a time under one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PodKey {
    /// The namespace, `default` when the manifest names none.
    pub namespace: String,
    /// The name with the node's suffix, as in `docker ps` and `kubectl get pods`.
    pub name: String,
}

impl PodKey {
    /// The key of an object that has been read; `None` for one without namespace or name.
    pub fn of(pod: &Pod) -> Option<PodKey> {
        Some(PodKey {
            namespace: pod.metadata.namespace.clone()?,
            name: pod.metadata.name.clone()?,
        })
    }

    /// Whether it is the key of this object.
    pub fn is_of(&self, pod: &Pod) -> bool {
        let meta = &pod.metadata;
        meta.namespace.as_ref() == Some(&self.namespace) && meta.name.as_ref() == Some(&self.name)
    }
}

impl fmt::Display for PodKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

macro_rules! text_newtype {
    ($(#[$doc:meta] $name:ident),* $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_newtype! {
    /// One version of a static pod: the `uid` part of container names and labels.
    PodUid,
    /// A hash over the canonical form of a pod; two manifests with one hash mean the same pod.
    SpecHash,
    /// A container's name within its pod.
    ContainerName,
}
