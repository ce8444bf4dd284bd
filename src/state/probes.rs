//! What is remembered of probes: their schedule, their runs of equal results, and what follows from those. Pure.
//!
//! Source: kubelet 1.36 `prober/worker.go`. What differs: a run of results ends with its container, and the ticks count
//! from the start of the container, so that an agent that starts anew goes on with the same ones.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container as SpecContainer, PodSpec, Probe};

use super::desired::Desired;
use super::event::{JobKey, ProbeKind, Probed};
use super::memory::{Memory, PodMemory};
use super::observed::{Container, ContainerId, ContainerState, Observed, ObservedPod};
use crate::pod::{ContainerName, PodKey, all_containers};
use crate::sys::{Mono, Now};

/// What an earlier agent published of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Its startup probe had succeeded, or it has none.
    pub started: bool,
    /// It was ready.
    pub ready: bool,
}

/// What is remembered of one probe of one container instance.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeMemory {
    /// The instance; another one starts afresh.
    pub container: ContainerId,
    /// When it is to be made next.
    pub due: Mono,
    /// The verdict; `None` until one of the thresholds was reached. Ends with the container.
    pub well: Option<bool>,
    /// Nothing more is asked: the container is to be stopped, or has started. Ends with the container.
    pub on_hold: bool,
    /// What the newest probe said, when that was not success.
    pub detail: Option<String>,
    /// How often in a row the newest result came.
    run: u32,
    last: Option<bool>,
    plan: Plan,
}

/// The part of a probe that decides on time and verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    first: Mono,
    period: Duration,
    success: u32,
    failure: u32,
}

/// The probe of this kind that a container has.
pub fn probe_of(container: &SpecContainer, kind: ProbeKind) -> Option<&Probe> {
    match kind {
        ProbeKind::Startup => container.startup_probe.as_ref(),
        ProbeKind::Liveness => container.liveness_probe.as_ref(),
        ProbeKind::Readiness => container.readiness_probe.as_ref(),
    }
}

impl Memory {
    /// What is shown to others of a probe: its verdict, and the words of its last result.
    pub fn shown_of(&self, job: &JobKey) -> (Option<bool>, Option<String>) {
        let JobKey::Probe(key, container, kind) = job else {
            return (None, None);
        };
        let of = self.pods.get(key).and_then(|p| p.containers.get(container));
        let of = of.and_then(|of| of.probes.get(kind));
        of.map_or((None, None), |of| (of.well, of.detail.clone()))
    }

    /// Takes in what is wanted and what was seen: a container that runs and was not known gets its probes.
    pub(super) fn wants_probed(&mut self, desired: &Desired, observed: &Observed, now: Now) {
        for (key, wanted) in &desired.pods {
            let there = observed.pods.get(&wanted.pod.uid);
            let known = self.pods.get_mut(key);
            if let (Some(spec), Some(there), Some(known)) = (&wanted.pod.pod.spec, there, known) {
                known.saw_probed(spec, there, &mut self.before, now);
            }
        }
    }

    pub(super) fn probe(
        &mut self,
        key: &PodKey,
        container: &ContainerName,
        kind: ProbeKind,
    ) -> Option<&mut ProbeMemory> {
        let of = self.pods.get_mut(key)?.containers.get_mut(container)?;
        of.probes.get_mut(&kind)
    }
}

impl PodMemory {
    fn saw_probed(
        &mut self,
        spec: &PodSpec,
        there: &ObservedPod,
        before: &mut BTreeMap<ContainerId, Before>,
        now: Now,
    ) {
        // A plain init container has none.
        for container in all_containers(spec) {
            let name = ContainerName(container.name.clone());
            let newest = there.containers.iter().find(|one| one.name == name);
            let Some(newest) = newest.filter(|newest| is_running(newest)) else {
                continue;
            };
            let told = before.remove(&newest.id);
            let of = self.containers.entry(name).or_default();
            for kind in ProbeKind::ALL {
                let Some(probe) = probe_of(container, kind) else {
                    continue;
                };
                let known = of.probes.get(&kind);
                if known.is_none_or(|known| known.container != newest.id) {
                    let fresh = ProbeMemory::new(kind, probe, newest, now).told(kind, told);
                    of.probes.insert(kind, fresh);
                }
            }
        }
    }
}

fn is_running(container: &Container) -> bool {
    matches!(container.state, ContainerState::Running { .. }) && !container.starting
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    let given = value.and_then(|value| u64::try_from(value).ok());
    Duration::from_secs(given.unwrap_or(default))
}

fn count(value: Option<i32>, default: u32) -> u32 {
    let given = value.and_then(|value| u32::try_from(value).ok());
    given.filter(|given| *given > 0).unwrap_or(default)
}

impl ProbeMemory {
    fn new(kind: ProbeKind, probe: &Probe, container: &Container, now: Now) -> ProbeMemory {
        let runs_for = match container.state {
            ContainerState::Running { started } => now.wall.since(started),
            ContainerState::Created
            | ContainerState::Exited(_)
            | ContainerState::Unknown { .. } => Duration::ZERO,
        };
        let period = seconds(probe.period_seconds, 10).max(Duration::from_secs(1));
        let delay = seconds(probe.initial_delay_seconds, 0);
        // A kubelet's ticks begin when the pod comes up, and it asks for readiness once more when a container has started:
        // that probe comes at once, the others one period later, which is the time their thresholds are counted in.
        let delay = match kind {
            ProbeKind::Readiness => delay,
            ProbeKind::Startup | ProbeKind::Liveness => delay.max(period),
        };
        let started = Mono(now.mono.0.saturating_sub(millis(runs_for)));
        let plan = Plan {
            first: started.after(delay),
            period,
            success: count(probe.success_threshold, 1),
            failure: count(probe.failure_threshold, 3),
        };
        let due = match kind {
            // Late is late: what waits for the answer need not wait for the next tick.
            ProbeKind::Readiness | ProbeKind::Startup => plan.first.max(now.mono),
            ProbeKind::Liveness if plan.first >= now.mono => plan.first,
            ProbeKind::Liveness => plan.next(now.mono),
        };
        ProbeMemory {
            container: container.id.clone(),
            due,
            well: None,
            on_hold: false,
            detail: None,
            run: 0,
            last: None,
            plan,
        }
    }

    /// What an earlier agent knew stands until the first result: a container that has started is not asked again.
    fn told(mut self, kind: ProbeKind, told: Option<Before>) -> ProbeMemory {
        let Some(told) = told else { return self };
        match kind {
            ProbeKind::Startup if told.started => {
                self.well = Some(true);
                self.on_hold = true;
            }
            ProbeKind::Readiness if told.ready => self.well = Some(true),
            ProbeKind::Startup | ProbeKind::Readiness | ProbeKind::Liveness => {}
        }
        self
    }

    /// The probe is under way: the next one is due at the next tick, however long this one takes.
    pub(super) fn began(&mut self, now: Mono) {
        self.due = self.plan.next(now);
    }

    /// What it found.
    pub(super) fn said(&mut self, kind: ProbeKind, id: &ContainerId, found: Probed, output: &str) {
        if *id != self.container || self.on_hold {
            return;
        }
        let well = match found {
            Probed::Success | Probed::Warning => true,
            Probed::Failure => false,
            Probed::Unknown => return self.lost(output),
        };
        let word = kind.as_str();
        self.detail = (!well).then(|| format!("{word} probe failed: {output}"));
        self.run = if self.last == Some(well) {
            self.run.saturating_add(1)
        } else {
            1
        };
        self.last = Some(well);
        let threshold = if well {
            self.plan.success
        } else {
            self.plan.failure
        };
        if self.run < threshold {
            return;
        }
        self.well = Some(well);
        self.on_hold = match kind {
            ProbeKind::Startup => true,
            ProbeKind::Liveness => !well,
            ProbeKind::Readiness => false,
        };
    }

    /// It could not be made: that says nothing about the container.
    pub(super) fn lost(&mut self, why: &str) {
        if !self.on_hold {
            self.detail = Some(format!("probe could not be made: {why}"));
        }
    }
}

impl Plan {
    /// The first tick that is at least half a period away: two probes do not follow each other at once.
    fn next(&self, now: Mono) -> Mono {
        let period = millis(self.period).max(1);
        let earliest = now.0.saturating_add(period / 2);
        let ticks = earliest.saturating_sub(self.first.0).div_ceil(period);
        let at = self.first.0.saturating_add(ticks.saturating_mul(period));
        Mono(at)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
