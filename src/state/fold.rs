//! How memory changes: [`Memory::fold`] for what happened, [`Memory::saw`] for a look. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::event::{Event, FailReason, JobEnd, JobKey, Report};
use super::memory::{
    ContainerMemory, Crash, Failure, Memory, PodMemory, Pull, PullWait, RunningJob,
};
use super::{Container, ContainerState, Desired, Observed, Sandbox};
use crate::pod::{ContainerName, PodKey};
use crate::sys::{Gather, Mono, Now};

/// First pause of a crash-looping container; doubles up to the node's maximum. Shorter: a crash loop keeps the machine
/// busy. Longer: one late dependency at boot delays the control plane. Kubelet: 10 s.
const CRASH_WAIT_BASE_MS: u64 = 10_000;

/// A container that ran this long after its last start begins again at the base. Kubelet: twice its maximum of 300 s.
const CRASH_FORGET: Duration = Duration::from_secs(600);

/// First and longest pause between pulls that fail, and when a failure is forgotten (kubelet: the same three).
const PULL_WAIT_BASE_MS: u64 = 10_000;
const PULL_WAIT_MAX_MS: u64 = 300_000;
const PULL_FORGET: Duration = Duration::from_secs(600);

/// First and longest pause after a step that failed for another reason (a port taken, a mount, a create error).
/// Shorter: a disk-full machine is kept busy. Longer: a port that is free again waits. Kubelet: 1 to 15 s, fixed.
const RETRY_BASE_MS: u64 = 1_000;
const RETRY_MAX_MS: u64 = 30_000;

impl Memory {
    /// Takes in one event.
    pub fn fold(&mut self, event: &Event, crash_wait_max: Duration, now: Now) {
        match event {
            Event::JobStarted {
                job,
                what,
                uid,
                wants,
                starts,
                sandbox,
            } => {
                let running = RunningJob {
                    what: what.clone(),
                    since: now.mono,
                    uid: uid.clone(),
                    wants: wants.clone(),
                    cancelled: false,
                    failed: false,
                };
                self.jobs.insert(job.clone(), running);
                self.job_started(job, starts, *sandbox, crash_wait_max, now.mono);
            }
            Event::JobSaid { job, report } => self.job_said(job, report, now.mono),
            Event::JobCancelled { job } => {
                if let Some(running) = self.jobs.get_mut(job) {
                    running.cancelled = true;
                }
            }
            Event::JobEnded { job, end } => self.job_ended(job, end, now.mono),
        }
    }

    /// Takes in what is wanted: new pods are noted, what is neither wanted nor there is forgotten.
    pub fn wants(&mut self, desired: &Desired, observed: &Observed, now: Now) {
        let there: BTreeSet<&PodKey> = observed.pods.values().map(|pod| &pod.key).gather();
        self.pods
            .retain(|key, _| desired.pods.contains_key(key) || there.contains(key));
        let wanted = desired
            .pods
            .iter()
            .map(|(key, wanted)| (key, &wanted.pod.uid, Some(&wanted.pod.hash)));
        let left = observed
            .pods
            .values()
            .filter(|pod| !desired.pods.contains_key(&pod.key));
        for (key, uid, hash) in wanted.chain(left.map(|pod| (&pod.key, &pod.uid, None))) {
            let fresh = || PodMemory::new(uid.clone(), hash.cloned(), now);
            let known = self.pods.entry(key.clone()).or_insert_with(fresh);
            if known.uid != *uid || (hash.is_some() && known.hash.as_ref() != hash) {
                *known = fresh();
            }
            if let Some(there) = observed.pods.get(uid).filter(|pod| pod.key == *key) {
                known.was_seen_with(&there.sandboxes, now);
            }
        }
        self.wants_probed(desired, observed, now);
    }

    /// Takes in a look: what is there now is what counts, and dead containers are timed.
    pub fn saw(&mut self, desired: &Desired, observed: &Observed, now: Now) {
        self.wants(desired, observed, now);
        self.unseen.clear();
        for pod in observed.pods.values() {
            let Some(known) = self
                .pods
                .get_mut(&pod.key)
                .filter(|known| known.uid == pod.uid)
            else {
                continue;
            };
            // One that never ran is no restart: its number is used again.
            let ran = |container: &&Container| container.state != ContainerState::Created;
            for container in pod.containers.iter().filter(ran) {
                let of = known.containers.entry(container.name.clone()).or_default();
                of.attempt = of.attempt.max(Some(container.attempt));
            }
            // Newest first: the first exited one of each name is the newest dead instance.
            let mut timed: BTreeSet<&ContainerName> = BTreeSet::new();
            for container in &pod.containers {
                if !matches!(container.state, ContainerState::Exited(_))
                    || !timed.insert(&container.name)
                {
                    continue;
                }
                let of = known.containers.entry(container.name.clone()).or_default();
                if of.dead.as_ref().is_none_or(|(id, _)| *id != container.id) {
                    of.dead = Some((container.id.clone(), now.mono));
                }
            }
        }
    }

    fn job_started(
        &mut self,
        job: &JobKey,
        starts: &[ContainerName],
        sandbox: bool,
        max: Duration,
        now: Mono,
    ) {
        match job {
            JobKey::Events
            | JobKey::Keep
            | JobKey::Fetch
            | JobKey::Preload
            | JobKey::Reclaim
            | JobKey::Mirror
            | JobKey::Watch(_) => {}
            JobKey::Probe(key, container, kind) => {
                if let Some(of) = self.probe(key, container, *kind) {
                    of.began(now);
                }
            }
            JobKey::Pull(key, container) => {
                if let Some(of) = self.container(key, container) {
                    of.pull = Pull::Running(super::Progress::default());
                }
            }
            JobKey::Pod(key) => {
                let max_ms = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
                let Some(pod) = self.pods.get_mut(key) else {
                    return;
                };
                if sandbox {
                    pod.sandbox = Some(next_sandbox(pod.sandbox, now));
                }
                for name in starts {
                    let of = pod.containers.entry(name.clone()).or_default();
                    of.pull = Pull::Unknown;
                    if let Some((_, dead)) = &of.dead {
                        of.crash = Some(next_crash(of.crash, Some(*dead), max_ms, now));
                    }
                }
            }
        }
    }

    fn job_said(&mut self, job: &JobKey, report: &Report, now: Mono) {
        if let Report::OomFloor { floor } = report {
            self.oom_floor = Some(*floor);
        }
        if let (Report::Failed { .. }, Some(running)) = (report, self.jobs.get_mut(job)) {
            running.failed = true;
        }
        match job {
            JobKey::Events
            | JobKey::Keep
            | JobKey::Fetch
            | JobKey::Preload
            | JobKey::Reclaim
            | JobKey::Mirror
            | JobKey::Watch(_) => {}
            JobKey::Probe(key, container, kind) => {
                if let Report::Probed { id, found, output } = report
                    && let Some(of) = self.probe(key, container, *kind)
                {
                    of.said(*kind, id, *found, output);
                }
            }
            JobKey::Pod(key) => {
                if let Some(pod) = self.pods.get_mut(key) {
                    pod.pod_job_said(report, now);
                }
            }
            JobKey::Pull(key, container) => {
                if let (Report::Pulled { note, .. }, Some(pod)) = (report, self.pods.get_mut(key)) {
                    pod.note = (!note.is_empty()).then(|| note.clone());
                }
                if let Some(of) = self.container(key, container) {
                    of.pull_job_said(report, now);
                }
            }
        }
    }

    fn job_ended(&mut self, job: &JobKey, end: &JobEnd, now: Mono) {
        let running = self.jobs.remove(job);
        if let JobKey::Pod(key) = job {
            let uid = running.as_ref().and_then(|running| running.uid.clone());
            self.unseen.insert(key.clone(), uid);
        }
        let said_why = running.is_some_and(|running| running.failed);
        let message = match end {
            JobEnd::Done | JobEnd::Cancelled => None,
            JobEnd::Failed if said_why => None,
            JobEnd::Failed => Some("the job ended without saying why".to_owned()),
            JobEnd::Deadline => {
                Some("no end within the deadline of the job, which was killed".to_owned())
            }
            JobEnd::Died(how) => Some(format!("the job died: {how}")),
        };
        match job {
            JobKey::Events
            | JobKey::Keep
            | JobKey::Fetch
            | JobKey::Preload
            | JobKey::Reclaim
            | JobKey::Mirror
            | JobKey::Watch(_) => {}
            JobKey::Probe(key, container, kind) => {
                if let (Some(message), Some(of)) = (message, self.probe(key, container, *kind)) {
                    of.lost(&message);
                }
            }
            JobKey::Pod(key) => {
                let Some(pod) = self.pods.get_mut(key) else {
                    return;
                };
                if let Some(message) = message {
                    pod.failure = Some(next_failure(
                        pod.failure.take(),
                        FailReason::JobError,
                        message,
                        now,
                    ));
                } else if *end == JobEnd::Done {
                    pod.failure = None;
                }
            }
            JobKey::Pull(key, container) => {
                let Some(of) = self.container(key, container) else {
                    return;
                };
                if let Some(message) = message {
                    of.pull_failed(FailReason::ErrImagePull, message, now);
                }
                if matches!(of.pull, Pull::Running(_)) {
                    of.pull = Pull::Unknown;
                }
            }
        }
    }

    fn container(
        &mut self,
        key: &PodKey,
        container: &ContainerName,
    ) -> Option<&mut ContainerMemory> {
        let pod = self.pods.get_mut(key)?;
        Some(pod.containers.entry(container.clone()).or_default())
    }
}

impl PodMemory {
    /// It was first seen when the earliest of its sandboxes says. An older version may have the same UID.
    fn was_seen_with(&mut self, sandboxes: &[Sandbox], now: Now) {
        let of_this = |sandbox: &&Sandbox| self.hash.is_none() || sandbox.hash == self.hash;
        let sandboxes = sandboxes.iter().filter(of_this);
        if let Some(seen) = sandboxes.filter_map(|sandbox| sandbox.seen).min() {
            self.was_seen(seen, now);
        }
    }

    fn pod_job_said(&mut self, report: &Report, now: Mono) {
        match report {
            Report::SandboxUp { .. } => self.failure = None,
            Report::Started {
                container, attempt, ..
            } => {
                let of = self.containers.entry(container.clone()).or_default();
                of.failure = None;
                of.attempt = of.attempt.max(Some(*attempt));
            }
            Report::ImageMissing { container } => {
                self.containers.entry(container.clone()).or_default().pull = Pull::Missing;
            }
            Report::Failed {
                container: None,
                reason,
                message,
            } => {
                self.failure = Some(next_failure(
                    self.failure.take(),
                    *reason,
                    message.clone(),
                    now,
                ));
            }
            Report::Failed {
                container: Some(container),
                reason,
                message,
            } => {
                let of = self.containers.entry(container.clone()).or_default();
                of.failure = Some(next_failure(
                    of.failure.take(),
                    *reason,
                    message.clone(),
                    now,
                ));
            }
            Report::Note { text } => self.note = Some(text.clone()),
            Report::PreStopFailed { container, why } => {
                self.note = Some(format!("FailedPreStopHook: container {container}: {why}"));
            }
            Report::Bell { .. }
            | Report::Connected
            | Report::Fetched(_)
            | Report::Archive(_)
            | Report::Reclaim(_)
            | Report::Hooked { .. }
            | Report::Api(_)
            | Report::Pulling(_)
            | Report::Pulled { .. }
            | Report::Probed { .. }
            | Report::OomFloor { .. } => {}
        }
    }
}

impl ContainerMemory {
    fn pull_job_said(&mut self, report: &Report, now: Mono) {
        match report {
            Report::Pulling(progress) => self.pull = Pull::Running(progress.clone()),
            // With a note the registry could not be reached: the local image is used, and the registry left in peace.
            Report::Pulled { image_id, note } => {
                self.pull_wait = (!note.is_empty()).then(|| self.next_pull_wait(now));
                self.pull = Pull::Done {
                    image_id: image_id.clone(),
                };
                self.failure = None;
            }
            Report::Failed {
                reason, message, ..
            } => self.pull_failed(*reason, message.clone(), now),
            Report::Bell { .. }
            | Report::Connected
            | Report::Fetched(_)
            | Report::Archive(_)
            | Report::Reclaim(_)
            | Report::Api(_)
            | Report::SandboxUp { .. }
            | Report::Started { .. }
            | Report::Hooked { .. }
            | Report::PreStopFailed { .. }
            | Report::ImageMissing { .. }
            | Report::Probed { .. }
            | Report::OomFloor { .. }
            | Report::Note { .. } => {}
        }
    }

    fn pull_failed(&mut self, reason: FailReason, message: String, now: Mono) {
        let wait = self.next_pull_wait(now);
        let again = wait.wait_ms > PULL_WAIT_BASE_MS;
        let before = self.failure.as_ref().filter(|_| again);
        let times = before.map_or(1, |failure| failure.times.saturating_add(1));
        self.pull = Pull::Unknown;
        self.pull_wait = Some(wait);
        let retry = now.after(Duration::from_millis(wait.wait_ms));
        self.failure = Some(Failure {
            reason,
            message,
            times,
            retry,
        });
    }

    fn next_pull_wait(&self, failed: Mono) -> PullWait {
        let again = self
            .pull_wait
            .filter(|wait| failed.since(wait.failed) <= PULL_FORGET);
        let wait_ms = again.map_or(PULL_WAIT_BASE_MS, |wait| {
            (wait.wait_ms * 2).min(PULL_WAIT_MAX_MS)
        });
        PullWait { wait_ms, failed }
    }
}

/// The crash-loop entry after a restart of something whose last instance died at `dead`.
fn next_crash(before: Option<Crash>, dead: Option<Mono>, max_ms: u64, now: Mono) -> Crash {
    let wait_ms = match (before, dead) {
        (Some(before), Some(dead)) if dead.since(before.started) <= CRASH_FORGET => {
            before.wait_ms.saturating_mul(2)
        }
        _ => CRASH_WAIT_BASE_MS,
    };
    Crash {
        wait_ms: wait_ms.min(max_ms),
        started: now,
    }
}

/// The entry of a pod after one more sandbox: the first two come at once, then 1 s, 2 s, 4 s ... as long as they follow
/// each other within [`CRASH_FORGET`].
fn next_sandbox(before: Option<Crash>, now: Mono) -> Crash {
    let wait_ms = match before {
        Some(before) if now.since(before.started) <= CRASH_FORGET => {
            (before.wait_ms * 2).clamp(RETRY_BASE_MS, RETRY_MAX_MS)
        }
        _ => 0,
    };
    Crash {
        wait_ms,
        started: now,
    }
}

/// The failure after one more in a row.
fn next_failure(
    before: Option<Failure>,
    reason: FailReason,
    message: String,
    now: Mono,
) -> Failure {
    let times = before.map_or(1, |before| before.times.saturating_add(1));
    let wait_ms = match reason {
        // The container has run: the crash-loop back-off holds.
        FailReason::PostStartHookError => 0,
        FailReason::CreateContainerConfigError
        | FailReason::CreateContainerError
        | FailReason::RunContainerError
        | FailReason::ErrImagePull
        | FailReason::ErrImageNeverPull
        | FailReason::ImageInspectError
        | FailReason::InvalidImageName
        | FailReason::RegistryUnavailable
        | FailReason::CreatePodSandboxError
        | FailReason::FailedMount
        | FailReason::KillContainerError
        | FailReason::JobError => (RETRY_BASE_MS << (times - 1).min(10)).min(RETRY_MAX_MS),
    };
    Failure {
        reason,
        message,
        times,
        retry: now.after(Duration::from_millis(wait_ms)),
    }
}
