//! Ends every pod as if no manifest were left: the agent's own looks, decisions and jobs, with nothing wanted.
//!
//! The manifests are not even read, and the last good versions of them are left as they are: an agent that is started
//! afterwards brings every pod back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Agent;
use crate::config::Settings;
use crate::pod::PodKey;
use crate::state::{JobKey, Observed};
use crate::sys::{self, Error, Gather, Kind, Mono, Notify};

/// Pods that are ended side by side. They mostly wait for their grace to be over, so that fewer would add one grace to the
/// other; more jobs are more processes at once, on a machine that goes down.
const PODS: usize = 32;

/// What the removal of a pod may take beyond the grace of its containers.
const SLACK: Duration = Duration::from_secs(60);

/// What came of it.
#[derive(Debug)]
pub struct Stopped {
    /// Pods that are still there, each with the reason as far as there is one.
    pub left: BTreeMap<PodKey, String>,
}

/// Ends every pod, each within its grace, and tells `gone` of each that has ended. With `timeout` the grace is cut so that
/// all have got their KILL by then.
///
/// # Errors
/// `Conflict`: an agent runs, and would start them again. `Unavailable`: dockerd cannot be read.
pub fn stop_all(
    settings: Settings,
    timeout: Option<Duration>,
    gone: &mut dyn FnMut(&PodKey),
) -> sys::Result<Stopped> {
    let _lock = super::lock(&settings.node.root_dir)?;
    let mut agent = Agent::new(settings, Notify::default());
    agent.limits.pod_jobs = PODS;
    agent.desired.complete = true;
    let began = sys::now().mono;
    let kill_at = timeout.map(|timeout| began.after(timeout));
    let mut until = None;
    let mut known = BTreeSet::new();
    loop {
        let due = agent.stop_turn(kill_at);
        until = until.or_else(|| agent.stop_until(began, timeout));
        let Some(until) = until else {
            let why = agent.docker_error.unwrap_or_default();
            return Err(Error::new("stop all pods", Kind::Unavailable, why));
        };
        let left: BTreeSet<PodKey> = agent.left();
        known.difference(&left).for_each(&mut *gone);
        known.clone_from(&left);
        if left.is_empty() || sys::now().mono >= until {
            let why = left.into_iter().map(|key| (key.clone(), agent.why(&key)));
            return Ok(Stopped { left: why.gather() });
        }
        sys::poll(&agent.jobs.fds(), due.min(until));
    }
}

impl Agent {
    /// A turn of the loop, with nothing in it but what runs. Returns when the next is due.
    fn stop_turn(&mut self, kill_at: Option<Mono>) -> Mono {
        let now = sys::now();
        for event in self.jobs.events(now) {
            self.take(event, now);
        }
        if self.pace.is_due(now.mono) {
            self.is_stale = true;
            self.look();
            if let Some(kill_at) = kill_at {
                cut_grace(&mut self.observed, kill_at.since(sys::now().mono));
            }
        }
        let decision = self.think();
        self.publish();
        let wake = decision.wake.map(|wake| wake.at);
        let due = [Some(self.pace.due()), self.jobs.due(), wake];
        due.into_iter().flatten().min().unwrap_or(self.pace.due())
    }

    /// When it has to be over; `None` while nothing has been seen.
    fn stop_until(&self, began: Mono, timeout: Option<Duration>) -> Option<Mono> {
        if self.docker_error.is_some() {
            return None;
        }
        let containers = self.observed.pods.values().flat_map(|pod| &pod.containers);
        let graces = containers.filter_map(|container| container.grace_seconds);
        let longest = Duration::from_secs(graces.max().unwrap_or(0).into());
        Some(began.after(timeout.unwrap_or(longest)).after(SLACK))
    }

    /// Pods of which there is anything left, or at work.
    fn left(&self) -> BTreeSet<PodKey> {
        let there = self.observed.pods.values().map(|pod| pod.key.clone());
        let at_work = self.memory.jobs.keys().filter_map(JobKey::steps_of);
        there.chain(at_work.cloned()).gather()
    }

    /// Why a pod is still there.
    fn why(&self, key: &PodKey) -> String {
        let failure = self.memory.pods.get(key).and_then(|of| of.failure.as_ref());
        let docker = self.docker_error.as_deref();
        let why = failure.map(|failure| failure.message.as_str()).or(docker);
        why.unwrap_or("it has not ended in time").to_owned()
    }
}

/// No container has more than this left.
fn cut_grace(observed: &mut Observed, left: Duration) {
    let left = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
    let pods = observed.pods.values_mut();
    for container in pods.flat_map(|pod| &mut pod.containers) {
        container.grace_seconds = container.grace_seconds.map(|grace| grace.min(left));
    }
}
