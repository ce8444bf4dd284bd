//! What is remembered between looks. All of it is cheap to relearn.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::{FailReason, JobKey, ProbeKind, Progress};
use super::observed::ContainerId;
use super::preload::Held;
use super::probes::{Before, ProbeMemory};
use crate::pod::{ContainerName, PodKey, PodUid, SpecHash};
use crate::sys::{Mono, Now, Wall};

/// Back-off timers, jobs in flight, what jobs said last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Per pod; an entry goes when the pod is neither wanted nor there.
    pub pods: BTreeMap<PodKey, PodMemory>,
    /// Jobs in flight.
    pub jobs: BTreeMap<JobKey, RunningJob>,
    /// Pods whose job has ended since the last look: what was seen of them before is no ground for a decision. Not a part
    /// of [`PodMemory`], as a manifest may go and come back in between.
    pub unseen: BTreeMap<PodKey, Option<PodUid>>,
    /// What has to wait for image archives.
    pub held: Held,
    /// The lowest oom_score_adj that was found to work here.
    pub oom_floor: Option<i32>,
    /// What an earlier agent said of containers that may still run; an entry goes when it has been used.
    pub before: BTreeMap<ContainerId, Before>,
}

/// What is remembered of one pod.
#[derive(Clone, Debug, PartialEq)]
pub struct PodMemory {
    /// The version this is about; another one starts afresh.
    pub uid: PodUid,
    /// Its hash, while it is wanted.
    pub hash: Option<SpecHash>,
    /// When it was first seen, by an earlier agent perhaps: `status.startTime`.
    pub seen: Wall,
    /// How long ago that was, at this point of the other clock, which never jumps.
    aged: (Mono, Duration),
    /// The last failure of the pod as a whole, and when it may be tried again.
    pub failure: Option<Failure>,
    /// Per container.
    pub containers: BTreeMap<ContainerName, ContainerMemory>,
    /// The pause between sandboxes that die one after the other.
    pub sandbox: Option<Crash>,
    /// The newest remark of a job.
    pub note: Option<String>,
}

impl PodMemory {
    /// What is known of a pod that is seen for the first time.
    pub fn new(uid: PodUid, hash: Option<SpecHash>, now: Now) -> PodMemory {
        PodMemory {
            uid,
            hash,
            seen: now.wall,
            aged: (now.mono, Duration::ZERO),
            failure: None,
            containers: BTreeMap::new(),
            sandbox: None,
            note: None,
        }
    }

    /// How long ago it was first seen.
    pub fn age(&self, now: Now) -> Duration {
        let (at, age) = self.aged;
        age.saturating_add(now.mono.since(at))
    }

    /// It was first seen then, if that is earlier than what was known.
    pub(super) fn was_seen(&mut self, seen: Wall, now: Now) {
        if seen < self.seen {
            self.seen = seen;
            self.aged = (now.mono, now.wall.since(seen));
        }
    }
}

/// What is remembered of one container.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerMemory {
    /// The crash-loop back-off; `None` until the first restart.
    pub crash: Option<Crash>,
    /// The newest dead instance and when this agent first saw it dead.
    pub dead: Option<(ContainerId, Mono)>,
    /// The highest attempt seen or started: the count goes on when somebody removes the container.
    pub attempt: Option<u32>,
    /// The last failure to start it or to pull its image; cleared when it runs.
    pub failure: Option<Failure>,
    /// The state of its image.
    pub pull: Pull,
    /// The image back-off; `None` until a pull fails.
    pub pull_wait: Option<PullWait>,
    /// What is known of its probes; only of those that the manifest has.
    pub probes: BTreeMap<ProbeKind, ProbeMemory>,
}

/// Crash-loop back-off (kubelet: client-go `flowcontrol/backoff.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// The pause before the next start, in milliseconds.
    pub wait_ms: u64,
    /// When the last start was decided.
    pub started: Mono,
}

/// Something that did not work and will be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The kubelet's word.
    pub reason: FailReason,
    /// The sentence for a person.
    pub message: String,
    /// How often in a row.
    pub times: u32,
    /// When it may be tried again.
    pub retry: Mono,
}

/// Where a container's image stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pull {
    /// Nothing known: take what is there. Ends when a start reports that nothing is.
    #[default]
    Unknown,
    /// A start found no image. Ends by a pull.
    Missing,
    /// A pull is under way. Ends with its job.
    Running(Progress),
    /// Pulled for the next start; used up by that start.
    Done {
        /// The id to create from.
        image_id: String,
    },
}

/// The pause between pulls that fail one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullWait {
    /// How long, in milliseconds.
    pub wait_ms: u64,
    /// When the last one failed.
    pub failed: Mono,
}

/// A job in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningJob {
    /// In a few words.
    pub what: String,
    /// Since when.
    pub since: Mono,
    /// The pod whose containers and directory it works on; `None` for a job that touches neither.
    pub uid: Option<PodUid>,
    /// The version of the pod that it works towards; `None` for a job that only takes away.
    pub wants: Option<SpecHash>,
    /// It has been told to die.
    pub cancelled: bool,
    /// It has reported a failure.
    pub failed: bool,
}
