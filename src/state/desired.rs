//! What the sources want.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::memory::PodMemory;
use crate::pod::{PodKey, Problem, ValidPod};
use crate::sys::Wall;

/// The whole of what should run on this node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Desired {
    /// Every wanted pod by its key.
    pub pods: BTreeMap<PodKey, DesiredPod>,
    /// Manifests that are not followed, each with the reason; shown by `staticlet status`.
    pub refusals: Vec<Refusal>,
    /// Every source has been read once. Until then no pod may be removed for being absent here.
    pub complete: bool,
    /// A manifest that is there has not been usable since the agent started: it may be that of a pod which an earlier
    /// agent started, and which goes on.
    pub doubtful: bool,
}

impl Desired {
    /// Whether a pod that is not among [`Desired::pods`] may be taken away. One that this agent has wanted before may
    /// always: its manifest was seen to go.
    pub fn may_remove(&self, known: Option<&PodMemory>) -> bool {
        known.is_some_and(|known| known.hash.is_some()) || (self.complete && !self.doubtful)
    }
}

/// One wanted pod.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredPod {
    /// The pod itself; shared, as it is handed to jobs and to the published state.
    pub pod: Rc<ValidPod>,
    /// Where it comes from.
    pub source: Source,
}

/// Where a manifest comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A file, by its path.
    File(String),
    /// A URL, without its credentials.
    Url(String),
}

impl Source {
    /// Its path or URL.
    pub fn place(&self) -> &str {
        let (Source::File(place) | Source::Url(place)) = self;
        place
    }
}

/// A manifest, or a whole source, that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Which one.
    pub source: Source,
    /// Everything wrong with it that was found in one pass.
    pub problems: Vec<Problem>,
    /// The pod that keeps running in its last good version, if there is one.
    pub keeps: Option<PodKey>,
    /// When the last good version was read that goes on instead; `None` when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<Wall>,
    /// When this was first seen.
    pub since: Wall,
}
