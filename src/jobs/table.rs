//! The table of running jobs: start, listen, kill when late. Knows nothing of what they do.

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::fetch::FETCH_TIMEOUT;
use super::probe::{PROBE_ATTEMPTS, timeout};
use super::{PodRequest, ProbeRequest, Request, post_start};
use crate::decide::Step;
use crate::state::{Event, JobEnd, JobKey, Report};
use crate::sys::{self, Child, Error, Kind, Mono, Now};

/// What the slowest dockerd is given for each call a step makes; past the sum of its steps a job is killed, and the next
/// look decides anew. Shorter: a slow disk makes a pod start for ever. Longer: a job stuck in a way its own deadlines
/// do not see holds up its pod. The calls' own deadlines (119 s, as in cri-dockerd) come first.
const STEP_DEADLINE: Duration = Duration::from_secs(150);

/// Gigabytes on a slow card take their time; one that does not come forward ends itself after five minutes.
const PRELOAD_DEADLINE: Duration = Duration::from_secs(3 * 3600);

/// Hundreds of images, each of which takes a slow disk some seconds.
const RECLAIM_DEADLINE: Duration = Duration::from_secs(3600);

/// A pull that comes forward is not disturbed; one that does not ends itself after a minute.
const PULL_DEADLINE: Duration = Duration::from_secs(6 * 3600);

/// What a fetch may take beyond its timeout, which cannot end a name server's silence.
const FETCH_SLACK: Duration = Duration::from_secs(5);

/// A slow API server has time for a hundred mirrors; a name server that is silent does not hold up the next Lease for ever.
const MIRROR_DEADLINE: Duration = Duration::from_secs(30);

/// A card that is worn out syncs some megabytes in less.
const KEEP_DEADLINE: Duration = Duration::from_secs(300);

/// What a probe may take beyond its timeouts: its own process, and a slow dockerd that is asked to run a command.
const PROBE_SLACK: Duration = Duration::from_secs(10);

/// A line of a job beyond this is dropped with the job's other output: jobs are our own and say short things.
const REPORTS_PER_TURN_MAX: usize = 256;

/// The running jobs.
#[derive(Default)]
pub struct Jobs {
    slots: BTreeMap<JobKey, Slot>,
}

struct Slot {
    child: Child,
    deadline: Option<Mono>,
    end: Option<JobEnd>,
    failed: bool,
}

impl Jobs {
    /// Starts one. At most one runs under a key; the caller has seen to that.
    ///
    /// # Errors
    /// When the process cannot be started; nothing runs then.
    pub fn start(&mut self, key: JobKey, request: &Request, now: Now) -> sys::Result<()> {
        let doing = || format!("start job {key:?}");
        let text =
            serde_json::to_vec(request).map_err(|e| Error::new(doing(), Kind::Garbled, e))?;
        let child = Child::start(&["job"], &text).map_err(|e| e.while_doing(doing()))?;
        let deadline = deadline(request).map(|within| now.mono.after(within));
        self.slots.insert(
            key,
            Slot {
                child,
                deadline,
                end: None,
                failed: false,
            },
        );
        Ok(())
    }

    /// What to poll: a descriptor turns readable when its job speaks or ends.
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.slots
            .values()
            .map(|slot| slot.child.output())
            .collect()
    }

    /// How many run.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// How many run, those for the API server not counted: they change no container.
    pub fn busy(&self) -> usize {
        let for_api = |key: &&JobKey| matches!(key, JobKey::Mirror | JobKey::Watch(_));
        self.len() - self.slots.keys().filter(for_api).count()
    }

    /// Whether none runs.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The nearest deadline.
    pub fn due(&self) -> Option<Mono> {
        self.slots
            .values()
            .filter(|slot| slot.end.is_none())
            .filter_map(|slot| slot.deadline)
            .min()
    }

    /// Kills one; its end comes out of [`Jobs::events`] later.
    pub fn cancel(&mut self, key: &JobKey) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.kill(JobEnd::Cancelled);
        }
    }

    /// Everything that the jobs said and which of them ended, in the order of each job; kills those that are late.
    pub fn events(&mut self, now: Now) -> Vec<Event> {
        let mut events = Vec::new();
        let mut ended = Vec::new();
        for (key, slot) in &mut self.slots {
            if slot.deadline.is_some_and(|deadline| deadline <= now.mono) {
                slot.kill(JobEnd::Deadline);
            }
            let exit = slot.child.try_wait();
            for line in slot
                .child
                .read_lines()
                .into_iter()
                .take(REPORTS_PER_TURN_MAX)
            {
                let Ok(report) = serde_json::from_str::<Report>(&line) else {
                    continue;
                };
                slot.failed |= matches!(report, Report::Failed { .. });
                events.push(Event::JobSaid {
                    job: key.clone(),
                    report,
                });
            }
            if let Some(exit) = exit {
                let by_itself = match exit {
                    Ok(status) if status.success() => JobEnd::Done,
                    Ok(status) if status.code() == Some(1) && slot.failed => JobEnd::Failed,
                    Ok(status) => JobEnd::Died(status.to_string()),
                    Err(error) => JobEnd::Died(error.to_string()),
                };
                ended.push((key.clone(), slot.end.clone().unwrap_or(by_itself)));
            }
        }
        for (job, end) in ended {
            self.slots.remove(&job);
            events.push(Event::JobEnded { job, end });
        }
        events
    }
}

impl Slot {
    fn kill(&mut self, end: JobEnd) {
        if self.end.is_none() {
            self.end = Some(end);
            self.child.kill();
        }
    }
}

fn deadline(request: &Request) -> Option<Duration> {
    match request {
        Request::Pod(pod) => Some(pod.steps.iter().map(|step| step_deadline(step, pod)).sum()),
        Request::Pull(_) => Some(PULL_DEADLINE),
        Request::Probe(probe) => Some(probe_deadline(probe)),
        Request::Fetch(_) => Some(FETCH_TIMEOUT + FETCH_SLACK),
        Request::Keep(_) => Some(KEEP_DEADLINE),
        Request::Reclaim(_) => Some(RECLAIM_DEADLINE),
        Request::Preload(_) => Some(PRELOAD_DEADLINE),
        Request::Hook(hook) => Some(Duration::from_millis(hook.within_ms) + PROBE_SLACK),
        Request::Mirror(_) => Some(MIRROR_DEADLINE),
        // A program is asked for by a job, which waits for it no longer than its own deadline.
        Request::Events { .. } | Request::Watch { .. } | Request::Program(_) => None,
    }
}

/// Three attempts, as in the kubelet, each with the probe's own timeout, and the calls of dockerd around them.
fn probe_deadline(probe: &ProbeRequest) -> Duration {
    timeout(probe) * PROBE_ATTEMPTS + PROBE_SLACK
}

fn step_deadline(step: &Step, request: &PodRequest) -> Duration {
    match step {
        Step::Volumes | Step::Sandbox { .. } | Step::Cleanup => STEP_DEADLINE,
        Step::Start { container, .. } | Step::PostStart { container, .. } => {
            let hook = |pod| post_start::deadline(pod, container);
            STEP_DEADLINE + request.pod.as_ref().map_or(Duration::ZERO, hook)
        }
        Step::Remove { containers } => {
            STEP_DEADLINE * u32::try_from(containers.len()).unwrap_or(u32::MAX)
        }
        Step::Stop { containers } => {
            let grace = containers
                .iter()
                .map(|target| target.grace_seconds)
                .max()
                .unwrap_or(0);
            STEP_DEADLINE + Duration::from_secs(u64::from(grace))
        }
    }
}
