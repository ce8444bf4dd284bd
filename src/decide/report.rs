//! What to change at the API server: a pure function of the pods as wanted and the pods as listed.
//!
//! Only mirror pods are ever deleted or patched, each by its UID. Nothing here leads to a container.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apiserver::wire::Listed;
use crate::pod::PodKey;
use crate::status::mirror;
use crate::sys::Gather;

/// What is to become of the mirror of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// There must be one, of this version.
    Wanted,
    /// The containers of the pod, or of an older version of it, are on their way out: the mirror stays until they are
    /// gone, and says how they are.
    Leaving,
}

/// One pod as it is to be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Which.
    pub key: PodKey,
    /// What is to become of its mirror.
    pub stage: Stage,
    /// With its status.
    pub pod: Pod,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<'a> {
    /// Delete this mirror, by its UID.
    Delete {
        /// Which.
        mirror: &'a Listed,
        /// For the log.
        why: &'static str,
    },
    /// Create the mirror of this pod.
    Create {
        /// Which.
        pod: &'a Shown,
    },
    /// Patch the status of a mirror.
    Patch {
        /// Which.
        key: &'a PodKey,
        /// The patch.
        patch: Value,
    },
    /// Nothing can be done: a pod that is no mirror has the name.
    Taken {
        /// Which.
        key: &'a PodKey,
    },
}

/// The mirror goes with another Node than this one: the API server takes it away, now or later.
pub fn is_of_other(mirror: &Listed, node_uid: Option<&str>) -> bool {
    let owner = mirror.owner.as_deref().filter(|_| mirror.hash.is_some());
    node_uid.is_some_and(|uid| owner.is_some_and(|owner| owner != uid))
}

/// What has to change. With `orphans`, mirrors of pods that nobody wants go as well: every source has been read, and
/// dockerd has been looked at. `node_uid` is that of the Node; `None` where there is none.
pub fn report<'a>(
    wanted: &'a [Shown],
    listed: &'a [Listed],
    node_uid: Option<&str>,
    orphans: bool,
) -> Vec<Change<'a>> {
    let there: BTreeMap<&PodKey, &Listed> = listed.iter().map(|pod| (&pod.key, pod)).gather();
    let keys: BTreeSet<&PodKey> = wanted.iter().map(|pod| &pod.key).gather();
    let mut changes = Vec::new();
    for mirror in listed {
        if orphans && mirror.hash.is_some() && !keys.contains(&mirror.key) {
            let why = "no manifest names it";
            changes.push(Change::Delete { mirror, why });
        }
    }
    for pod in wanted {
        match (there.get(&pod.key), pod.stage) {
            (None, Stage::Leaving) => {}
            (None, Stage::Wanted) => changes.push(Change::Create { pod }),
            (Some(mirror), _) if mirror.hash.is_none() => {
                changes.push(Change::Taken { key: &pod.key });
            }
            (Some(mirror), Stage::Wanted) if mirror.is_deleting => {
                let why = "somebody deletes it";
                changes.push(Change::Delete { mirror, why });
                changes.push(Change::Create { pod });
            }
            (Some(mirror), Stage::Wanted) if is_of_other(mirror, node_uid) => {
                let why = "its Node was made anew";
                changes.push(Change::Delete { mirror, why });
                changes.push(Change::Create { pod });
            }
            (Some(mirror), Stage::Wanted)
                if mirror.hash.as_deref() != mirror::hash_of(&pod.pod) =>
            {
                let why = "it shows another version";
                changes.push(Change::Delete { mirror, why });
                changes.push(Change::Create { pod });
            }
            (Some(mirror), Stage::Wanted | Stage::Leaving) => {
                changes.extend(patch(pod, mirror));
            }
        }
    }
    changes
}

/// The patch of a mirror's status; `None` when it says what it should.
pub fn patch<'a>(pod: &'a Shown, mirror: &Listed) -> Option<Change<'a>> {
    let status = pod.pod.status.as_ref()?;
    let patch = mirror::status_patch(status, &mirror.status(), &mirror.uid)?;
    Some(Change::Patch {
        key: &pod.key,
        patch,
    })
}
