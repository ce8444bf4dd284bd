//! What to do about one pod.
//!
//! In this order: leave a running job alone (or cancel it), take away every other version, then bring the wanted version
//! to what it should be (`sync.rs`). The first that has work makes one job; the next look goes on from there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::sync::Sync;
use super::teardown::remove_pod;
use super::{Action, Out, Step, Why};
use crate::pod::{PodKey, PodUid, ValidPod};
use crate::state::{JobKey, Memory, ObservedPod, PodMemory};
use crate::status::active_left;
use crate::sys::Now;

/// Everything about one key.
pub(super) struct Case<'a> {
    pub(super) key: &'a PodKey,
    pub(super) wanted: Option<&'a ValidPod>,
    /// All versions that have containers.
    pub(super) instances: &'a [&'a ObservedPod],
    pub(super) memory: &'a Memory,
    /// The pod directories that are there.
    pub(super) dirs: &'a BTreeSet<PodUid>,
    pub(super) now: Now,
}

/// Decides about one key.
pub(super) fn decide_pod(case: &Case, out: &mut Out) {
    cancel_stale(case, out);
    if case
        .memory
        .jobs
        .contains_key(&JobKey::Pod(case.key.clone()))
    {
        return;
    }
    if case.memory.unseen.contains_key(case.key) {
        return;
    }
    // Its directory is just being removed, as nobody wanted it before.
    if case
        .wanted
        .is_some_and(|wanted| is_worked_on(case.memory, &wanted.uid))
    {
        return;
    }
    let known = case.memory.pods.get(case.key);
    if let Some(failure) = known.and_then(|known| known.failure.as_ref()) {
        let wait = failure.retry.since(case.now.mono);
        if !wait.is_zero() {
            return out.wait(wait, "retry of the pod");
        }
    }
    if let Some(old) = case
        .instances
        .iter()
        .find(|instance| !is_current(case.wanted, instance))
    {
        let why = if case.wanted.is_some() {
            Why::SpecChanged
        } else {
            Why::PodUnwanted
        };
        return push(case, old.uid.clone(), remove_pod(old), why, out);
    }
    let Some(wanted) = case.wanted else { return };
    let fresh = PodMemory::new(wanted.uid.clone(), None, case.now);
    let there = case.instances.first().copied();
    Sync {
        case,
        wanted,
        there,
        known: known.unwrap_or(&fresh),
    }
    .decide(out);
}

/// Whether a job works on the containers or the directory of this version of a pod, or has since the last look.
pub(super) fn is_worked_on(memory: &Memory, uid: &PodUid) -> bool {
    let mut jobs = memory.jobs.values().map(|running| &running.uid);
    let mut ended = memory.unseen.values();
    jobs.any(|of| of.as_ref() == Some(uid)) || ended.any(|of| of.as_ref() == Some(uid))
}

/// A job that works towards a version that is no longer wanted is killed; one that only takes away never is.
fn cancel_stale(case: &Case, out: &mut Out) {
    for (job, running) in &case.memory.jobs {
        let key = match job {
            JobKey::Pod(key) | JobKey::Pull(key, _) => key,
            // A probe is short, and what it finds of a container that is gone counts for nothing.
            JobKey::Probe(..)
            | JobKey::Events
            | JobKey::Keep
            | JobKey::Fetch
            | JobKey::Preload
            | JobKey::Reclaim
            | JobKey::Mirror
            | JobKey::Watch(_) => continue,
        };
        let Some(wants) = running
            .wants
            .as_ref()
            .filter(|_| key == case.key && !running.cancelled)
        else {
            continue;
        };
        let why = match case.wanted {
            None => Why::PodUnwanted,
            Some(wanted) if wanted.hash != *wants => Why::SpecChanged,
            Some(wanted) => match left(case, wanted) {
                Some(Duration::ZERO) => Why::DeadlineExceeded,
                Some(left) => {
                    out.wait(left, "active deadline");
                    continue;
                }
                None => continue,
            },
        };
        out.actions.push(Action::Cancel {
            job: job.clone(),
            why,
        });
    }
}

/// What is left of the active time of a pod that has a job.
fn left(case: &Case, wanted: &ValidPod) -> Option<Duration> {
    let known = case.memory.pods.get(case.key);
    let known = known.filter(|known| known.uid == wanted.uid);
    let mut instances = case.instances.iter();
    let there = instances.find(|there| is_current(Some(wanted), there));
    active_left(wanted.pod.spec.as_ref(), there.copied(), known, case.now)
}

/// The UID tells versions apart; with a UID from the manifest it is the hash that the sandbox was made with. Where somebody
/// removed that, nobody knows what such a pod is a version of.
fn is_current(wanted: Option<&ValidPod>, instance: &ObservedPod) -> bool {
    wanted.is_some_and(|wanted| {
        let is_made_for = match instance.sandboxes.first() {
            Some(newest) => newest.hash.as_ref().is_none_or(|made| *made == wanted.hash),
            None => wanted.uid.0 == wanted.hash.0,
        };
        wanted.uid == instance.uid && is_made_for
    })
}

pub(super) fn push(case: &Case, uid: PodUid, steps: Vec<Step>, why: Why, out: &mut Out) {
    if !steps.is_empty() {
        out.actions.push(Action::Pod {
            key: case.key.clone(),
            uid,
            steps,
            why,
        });
    }
}
