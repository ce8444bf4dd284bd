//! What to do next: a pure function of what is wanted, what is there, and what is remembered.
//!
//! No IO, no clock, no log, no error. [`decide`] is called after every look and may be called at any time: a converged
//! world gives no action. A pod with a job under way is left alone until the job is gone, unless its work is no longer
//! wanted. Every wait has an end, told in [`Wake`]; no wanted pod is ever given up. Deliberately absent: deltas, and any
//! memory of what was decided before. Start reading at `pod.rs`.

mod action;
mod garbage;
mod image;
mod init;
mod pod;
mod preload;
mod probes;
mod reclaim;
pub mod report;
mod restart;
mod start;
mod sync;
mod teardown;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use action::{Action, ImageChoice, Step, StopTarget, Why, words};
pub use reclaim::{Disk, ImageSeen, Pins, ReclaimLimits, ReclaimWhy, Removal, reclaim};
pub use restart::{Fate, fate};
pub use teardown::stop_in_turn;
pub use wake::Wake;

use crate::pod::PodKey;
use crate::state::{Desired, JobKey, Memory, Observed, ObservedPod};
use crate::sys::{Gather, Now};

/// The limits that a decision keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pod jobs side by side. Fewer than the machine has work for: twenty pods start one after the other. More: dockerd
    /// is kept busy with switching between them, and each waits longer.
    pub pod_jobs: usize,
    /// Pulls side by side. More: each gets a smaller part of a slow line, and none is done for a long time.
    pub pulls: usize,
    /// Probes side by side. Fewer: those that hang hold up the others. More: a machine where all of them hang has less
    /// memory, a megabyte for each.
    pub probes: usize,
}

/// What to do now, and when to look again if nothing rings before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// What to do, in this order; the pods do not depend on each other.
    pub actions: Vec<Action>,
    /// The next point in time that matters.
    pub wake: Option<Wake>,
}

/// Decides.
pub fn decide(
    desired: &Desired,
    observed: &Observed,
    memory: &Memory,
    limits: Limits,
    now: Now,
) -> Decision {
    let mut there: BTreeMap<&PodKey, Vec<&ObservedPod>> = BTreeMap::new();
    for pod in observed.pods.values() {
        there.entry(&pod.key).or_default().push(pod);
    }
    let keys: BTreeSet<&PodKey> = desired.pods.keys().chain(there.keys().copied()).gather();
    let mut out = Out {
        now,
        actions: Vec::new(),
        wake: None,
    };
    for key in keys {
        let instances = there.get(key).map_or(&[][..], Vec::as_slice);
        let wanted = desired.pods.get(key).map(|wanted| &*wanted.pod);
        if wanted.is_none() && !desired.may_remove(memory.pods.get(key)) {
            continue;
        }
        pod::decide_pod(
            &pod::Case {
                key,
                wanted,
                instances,
                memory,
                dirs: &observed.dirs,
                now,
            },
            &mut out,
        );
    }
    let mut probes = probes::due(desired, observed, memory, &mut out);
    out.actions.append(&mut probes);
    garbage::orphans(desired, observed, memory, &mut out);
    // Their turn comes with the end of the job that loads an archive.
    out.actions
        .retain(|action| !preload::holds(memory.held, action));
    Decision {
        actions: capped(out.actions, memory, limits),
        wake: out.wake,
    }
}

/// Where the parts of a decision are put together.
struct Out {
    now: Now,
    actions: Vec<Action>,
    wake: Option<Wake>,
}

impl Out {
    /// Something is due in a while.
    fn wait(&mut self, wait: Duration, why: &'static str) {
        Wake::no_later_than(&mut self.wake, self.now.mono.after(wait), why);
    }
}

/// Leaves out what is over the limits: it is decided again when a job has ended, which is a look.
fn capped(actions: Vec<Action>, memory: &Memory, limits: Limits) -> Vec<Action> {
    let (mut pods, mut pulls, mut probes) = (limits.pod_jobs, limits.pulls, limits.probes);
    let take = |left: &mut usize| {
        let some = *left > 0;
        *left = left.saturating_sub(1);
        some
    };
    for job in memory.jobs.keys() {
        match job {
            JobKey::Pod(_) => take(&mut pods),
            JobKey::Pull(..) => take(&mut pulls),
            JobKey::Probe(..) => take(&mut probes),
            JobKey::Events
            | JobKey::Keep
            | JobKey::Fetch
            | JobKey::Preload
            | JobKey::Reclaim
            | JobKey::Mirror
            | JobKey::Watch(_) => true,
        };
    }
    let keep = |action: &Action| match action {
        Action::Pod { .. } => take(&mut pods),
        Action::Pull { .. } => take(&mut pulls),
        Action::Probe { .. } => take(&mut probes),
        Action::Cancel { .. } => true,
    };
    actions.into_iter().filter(keep).collect()
}
