//! What `staticlet status POD` shows of a pod beyond its status. Pure.

use serde::{Deserialize, Serialize};

use crate::state::{PodMemory, ProbeKind};

/// What is known of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeExtra {
    /// Which container.
    pub container: String,
    /// `startup`, `liveness` or `readiness`.
    pub kind: String,
    /// The verdict; missing until one of its thresholds was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub well: Option<bool>,
    /// What the newest one said, when that was not success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Something that happened to a pod, as often as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// The last time, RFC 3339.
    pub last: String,
    /// How often.
    pub count: u64,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kubelet's word.
    pub reason: String,
    /// Which container; missing: the pod as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The sentence.
    pub message: String,
}

/// The probes of a pod's containers.
pub(super) fn probes(memory: Option<&PodMemory>) -> Vec<ProbeExtra> {
    let containers = memory.into_iter().flat_map(|memory| &memory.containers);
    let of = containers.flat_map(|(name, of)| {
        ProbeKind::ALL.into_iter().filter_map(|kind| {
            let probe = of.probes.get(&kind)?;
            Some(ProbeExtra {
                container: name.0.clone(),
                kind: kind.as_str().to_owned(),
                well: probe.well,
                detail: probe.detail.clone(),
            })
        })
    });
    of.collect()
}
