//! What the agent tells of itself to those who ask by HTTP: counted here, never decided on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Agent;
use crate::pod::PodUid;
use crate::serve::{Histogram, Pulse};
use crate::state::{ContainerState, Desired, Observed, ObservedPod};
use crate::sys::{Gather, Mono, Now};

/// Counters and times.
#[derive(Default)]
pub(super) struct Vitals {
    started: i64,
    looks: (u64, u64),
    /// Since when looks have failed.
    failing: Option<Mono>,
    /// Pods that have not started yet, since when they are wanted; `None` once they have.
    waiting: BTreeMap<PodUid, Option<Mono>>,
    pod_starts: Histogram,
}

impl Vitals {
    pub(super) fn new(now: Now) -> Vitals {
        Vitals {
            started: now.wall.0 / 1_000_000,
            ..Vitals::default()
        }
    }

    /// A look at dockerd began then, and went well or not.
    pub(super) fn looked(&mut self, began: Mono, well: bool) {
        self.looks.0 += 1;
        if well {
            self.failing = None;
        } else {
            self.looks.1 += 1;
            self.failing.get_or_insert(began);
        }
    }

    /// Takes the times of pods that start. One that runs when it is first wanted was not started by this agent.
    pub(super) fn saw(&mut self, desired: &Desired, observed: &Observed, now: Mono) {
        let uids: BTreeSet<&PodUid> = desired.pods.values().map(|pod| &pod.pod.uid).gather();
        self.waiting.retain(|uid, _| uids.contains(uid));
        for wanted in desired.pods.values() {
            let uid = &wanted.pod.uid;
            let names = wanted.pod.pod.spec.iter().flat_map(|spec| &spec.containers);
            let there = observed.pods.get(uid);
            let runs = names
                .into_iter()
                .all(|container| there.is_some_and(|pod| has_started(pod, &container.name)));
            match (self.waiting.get(uid), runs) {
                (None, true) => drop(self.waiting.insert(uid.clone(), None)),
                (None, false) => drop(self.waiting.insert(uid.clone(), Some(now))),
                (Some(Some(since)), true) => {
                    self.pod_starts.observe(now.since(*since));
                    self.waiting.insert(uid.clone(), None);
                }
                (Some(_), _) => {}
            }
        }
    }
}

/// Whether a container of this name runs or has run.
fn has_started(pod: &ObservedPod, name: &str) -> bool {
    let mut named = pod.containers.iter().filter(|one| one.name.0 == name);
    named.any(|one| match one.state {
        ContainerState::Running { .. } | ContainerState::Exited(_) => true,
        ContainerState::Created | ContainerState::Unknown { .. } => false,
    })
}

impl Agent {
    /// How the agent is now.
    pub(super) fn pulse(&self, now: Now) -> Pulse {
        let mut containers = [0; 4];
        let pods = self.observed.pods.values();
        for container in pods.clone().flat_map(|pod| &pod.containers) {
            let [running, exited, created, unknown] = &mut containers;
            *match container.state {
                ContainerState::Running { .. } => running,
                ContainerState::Exited(_) => exited,
                ContainerState::Created => created,
                ContainerState::Unknown { .. } => unknown,
            } += 1;
        }
        let runs = |pod: &&ObservedPod| pod.is_up();
        let refusals = &self.desired.refusals;
        let error = self.docker_error.clone().map(|error| {
            let since = self.vitals.failing.map(|since| now.mono.since(since));
            // Before the first look nobody knows.
            (error, since.unwrap_or(Duration::MAX))
        });
        Pulse {
            run_dir: self.settings.node.run_dir.clone(),
            node: self.settings.node.name.clone(),
            docker_error: error,
            complete: self.desired.complete,
            desired_pods: self.desired.pods.len(),
            running_pods: pods.filter(runs).count(),
            containers,
            refused: refusals.len(),
            last_good: refusals.iter().filter(|one| one.good.is_some()).count(),
            archives: self.archive_counts(),
            reclaimed: self.reclaim.removed,
            disk_percent: self.reclaim.percent,
            jobs: self.jobs.len(),
            looks: self.vitals.looks,
            started: self.vitals.started,
            pod_starts: self.vitals.pod_starts.clone(),
        }
    }
}
