//! How the wanted version of a pod comes to be what it should: sandbox, containers, left-overs.
//!
//! Follows kubelet `kuberuntime_manager.go` computePodActions; what differs is said on the spot.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container as SpecContainer, PodSpec};

use super::garbage::surplus;
use super::init::{self, Progress};
use super::pod::{Case, push};
use super::restart::{Fate, fate};
use super::start::start_why;
use super::teardown::{remove_containers, stop_container, stop_running};
use super::{Out, Step, Why, probes};
use crate::pod::is_sidecar;
use crate::pod::{ContainerName, ValidPod};
use crate::state::{Container, ContainerId, ContainerState, ObservedPod, PodMemory};
use crate::status::{Again, Restart, active_left, crash_wait, sandbox_wait};

/// The wanted version and what there is of it.
pub(super) struct Sync<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) wanted: &'a ValidPod,
    pub(super) there: Option<&'a ObservedPod>,
    pub(super) known: &'a PodMemory,
}

impl Sync<'_> {
    /// Decides: the sandbox first, then the containers in it, then what is left over.
    pub(super) fn decide(&self, out: &mut Out) {
        let left = active_left(self.spec(), self.there, Some(self.known), self.case.now);
        let (mut steps, why) = if left == Some(Duration::ZERO) {
            let steps = self.there.map(stop_running);
            (steps.unwrap_or_default(), Some(Why::DeadlineExceeded))
        } else {
            match self.sandbox_fault() {
                Some(fault) => self.rebuild(fault, out),
                None => self.mend(out),
            }
        };
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            out.wait(left, "active deadline");
        }
        if let Some(there) = self.there {
            let removed: Vec<_> = steps
                .iter()
                .filter_map(removes)
                .flatten()
                .cloned()
                .collect();
            let old: Vec<_> = surplus(there, self.spec())
                .into_iter()
                .filter(|id| !removed.contains(id))
                .collect();
            if !old.is_empty() {
                steps.push(Step::Remove { containers: old });
            }
        }
        push(
            self.case,
            self.wanted.uid.clone(),
            steps,
            why.unwrap_or(Why::Surplus),
            out,
        );
    }

    fn spec(&self) -> Option<&PodSpec> {
        self.wanted.pod.spec.as_ref()
    }

    fn containers(&self) -> &[SpecContainer] {
        self.spec().map_or(&[], |spec| &spec.containers)
    }

    fn init_containers(&self) -> &[SpecContainer] {
        let list = self.spec().and_then(|spec| spec.init_containers.as_deref());
        list.unwrap_or_default()
    }

    fn fate(&self, container: &SpecContainer) -> Fate<'_> {
        fate(
            &self.wanted.pod,
            &ContainerName(container.name.clone()),
            self.there,
        )
    }

    /// Why there has to be a new sandbox, if so (kubelet `util.go` PodSandboxChanged).
    fn sandbox_fault(&self) -> Option<Why> {
        let sandboxes = self.there.map_or(&[][..], |there| &there.sandboxes);
        let runs = |state: &ContainerState| matches!(state, ContainerState::Running { .. });
        let Some(newest) = sandboxes.first() else {
            return Some(Why::PodNew);
        };
        let host_network = self
            .spec()
            .and_then(|spec| spec.host_network)
            .unwrap_or(false);
        if sandboxes
            .iter()
            .filter(|sandbox| runs(&sandbox.state))
            .count()
            > 1
        {
            Some(Why::SandboxTwice)
        } else if !runs(&newest.state) {
            Some(Why::SandboxDead)
        } else if newest.host_network != host_network {
            Some(Why::SandboxNetwork)
        } else if !host_network && newest.ips.is_empty() {
            Some(Why::SandboxNoAddress)
        } else {
            None
        }
    }

    /// A new sandbox, and everything in it anew; unless the pod is finished, then only what runs is stopped.
    fn rebuild(&self, fault: Why, out: &mut Out) -> (Vec<Step>, Option<Why>) {
        let has_run = self.there.is_some_and(|there| {
            there
                .containers
                .iter()
                .any(|c| c.state != ContainerState::Created)
        });
        let never = self.spec().and_then(|spec| spec.restart_policy.as_deref()) == Some("Never");
        let finished = self.containers().iter().all(|one| self.ends(one));
        let failed = self.spec().zip(self.there);
        let failed = failed.is_some_and(|(spec, there)| init::has_failed(spec, there));
        let mut steps = self.there.map(stop_running).unwrap_or_default();
        if has_run && (finished || never || failed) {
            let why = (!steps.is_empty()).then_some(Why::PodFinished);
            return (steps, why);
        }
        if let Some(wait) = sandbox_wait(self.known, self.case.now) {
            out.wait(wait, "sandbox back-off");
            return (Vec::new(), None);
        }
        let newest = self.there.and_then(|there| there.sandboxes.first());
        let attempt = match newest {
            None => 0,
            // It never ran: it counts for nothing, and its name is used again.
            Some(newest) if newest.state == ContainerState::Created => {
                steps.push(Step::Remove {
                    containers: vec![newest.id.clone()],
                });
                newest.attempt
            }
            Some(newest) => newest.attempt.saturating_add(1),
        };
        steps.push(Step::Volumes);
        steps.push(Step::Sandbox { attempt });
        if let Some(first) = self.init_containers().first() {
            // The whole sequence runs again; the rest follows look by look.
            match self.fate(first) {
                Fate::Keep(old) => self.start(first, Some(old), &mut steps, out),
                Fate::Finished(old) => self.start_in_turn(first, Some(old), &mut steps, out),
                Fate::Start(old) => self.start_in_turn(first, old, &mut steps, out),
            }
            return (steps, Some(fault));
        }
        for container in self.containers() {
            match self.fate(container) {
                Fate::Finished(_) => {}
                // Its exit code is needed to say whether it runs again.
                Fate::Keep(_) if self.ends(container) => {}
                // It was stopped for the sandbox's sake: no back-off.
                Fate::Keep(old) => self.start(container, Some(old), &mut steps, out),
                Fate::Start(old) => self.start_in_turn(container, old, &mut steps, out),
            }
        }
        (steps, Some(fault))
    }

    /// Whether a container has ended for good, or would with its sandbox: one with `restartPolicy: Never` runs once.
    fn ends(&self, container: &SpecContainer) -> bool {
        match self.fate(container) {
            Fate::Finished(_) => true,
            Fate::Keep(_) => Restart::of(self.spec(), Some(container)).is_never(),
            Fate::Start(_) => false,
        }
    }

    /// The sandbox is well: each container by itself.
    fn mend(&self, out: &mut Out) -> (Vec<Step>, Option<Why>) {
        let Some((there, sandbox)) = self
            .there
            .and_then(|there| Some((there, there.sandboxes.first()?)))
        else {
            return (Vec::new(), None);
        };
        let mut steps = Vec::new();
        let mut why = None;
        let strays = self.strays(there, &sandbox.id.0);
        if !strays.is_empty() {
            why = Some(Why::ContainerUnwanted);
            steps.push(Step::Stop {
                containers: strays.iter().map(|stray| stop_container(stray)).collect(),
            });
            steps.push(Step::Remove {
                containers: strays.iter().map(|stray| stray.id.clone()).collect(),
            });
        }
        let is_finished = |container| matches!(self.fate(container), Fate::Finished(_));
        if self.containers().iter().all(is_finished) {
            return (stop_running(there), Some(Why::PodFinished));
        }
        if self.begins_anew(there, &sandbox.id) {
            return (remove_containers(there), Some(Why::RestartAll));
        }
        if self.finish_hooks(there, &mut steps, out) {
            why = why.or(Some(Why::HookUnfinished));
        }
        let is_started = |spec: &SpecContainer, container: &Container| {
            let of = self.known.containers.get(&container.name);
            !container.starting && probes::has_started(spec, container, of)
        };
        let starts = match self.due(there, &sandbox.id, &is_started) {
            Ok(starts) => starts,
            Err(failed) => return (stop_running(there), Some(failed)),
        };
        let before_all = steps.len();
        for (container, old) in starts {
            let before = steps.len();
            self.start_in_turn(container, old, &mut steps, out);
            if steps.len() > before {
                why = why.or(Some(start_why(old)));
            }
        }
        // Somebody removed its directory; or a removal had come that far when the manifest came back.
        if steps.len() > before_all && !self.case.dirs.contains(&self.wanted.uid) {
            steps.insert(before_all, Step::Volumes);
        }
        // Last, as the others should not wait for their grace.
        let ill = self.replace_ill(there, &mut steps, out);
        (steps, why.or(ill))
    }

    /// A container ended in a way that, by its rules, restarts all of them; and its back-off is over.
    fn begins_anew(&self, there: &ObservedPod, sandbox: &ContainerId) -> bool {
        let all = self.init_containers().iter().chain(self.containers());
        all.into_iter().any(|container| {
            let mut instances = there.containers.iter();
            let newest = instances.find(|c| c.name.0 == container.name && c.sandbox == *sandbox);
            let Some(Container {
                state: ContainerState::Exited(exit),
                name,
                ..
            }) = newest
            else {
                return false;
            };
            let of = self.known.containers.get(name);
            Restart::of(self.spec(), Some(container)).after(exit.code) == Again::StartAll
                && of
                    .and_then(|of| crash_wait(of, exit, self.case.now))
                    .is_none()
        })
    }

    /// Stops what failed its liveness or startup probe, and starts it again at once unless it is being backed off: as in
    /// the kubelet, that is judged by the instance before.
    fn replace_ill(
        &self,
        there: &ObservedPod,
        steps: &mut Vec<Step>,
        out: &mut Out,
    ) -> Option<Why> {
        let mut why = None;
        let init = self.init_containers().iter();
        let sidecars = init.filter(|container| is_sidecar(container));
        for container in sidecars.chain(self.containers()) {
            let Fate::Keep(ill) = self.fate(container) else {
                continue;
            };
            let of = self.known.containers.get(&ill.name);
            let Some((fault, stop)) = of.and_then(|of| probes::fault(container, ill, of)) else {
                continue;
            };
            why = why.or(Some(fault));
            steps.push(Step::Stop {
                containers: vec![stop],
            });
            let before = there.containers.iter().find_map(|c| match &c.state {
                ContainerState::Exited(exit) if c.name == ill.name => Some(exit),
                ContainerState::Exited(_)
                | ContainerState::Created
                | ContainerState::Running { .. }
                | ContainerState::Unknown { .. } => None,
            });
            let waits = before
                .zip(of)
                .and_then(|(exit, of)| crash_wait(of, exit, self.case.now));
            let rule = Restart::of(self.spec(), Some(container));
            if !rule.is_never() && waits.is_none() {
                self.start(container, Some(ill), steps, out);
            }
        }
        why
    }

    /// What is to be started now: init containers as far as their sequence is, and when that is done the others.
    fn due<'a>(
        &'a self,
        there: &'a ObservedPod,
        sandbox: &ContainerId,
        is_started: &'a dyn Fn(&SpecContainer, &Container) -> bool,
    ) -> Result<Vec<(&'a SpecContainer, Option<&'a Container>)>, Why> {
        let Some(spec) = self.spec() else {
            return Ok(Vec::new());
        };
        let init::Plan { progress, starts } = init::plan(spec, there, sandbox, is_started);
        let others = self.containers().iter().filter_map(|container| {
            let fate = self.fate(container);
            match fate {
                Fate::Start(old) => Some((container, old)),
                Fate::Keep(_) | Fate::Finished(_) => None,
            }
        });
        match progress {
            Progress::Failed => Err(Why::InitFailed),
            Progress::Under => Ok(starts),
            Progress::Done => Ok(starts.into_iter().chain(others).collect()),
        }
    }

    /// Running containers that nobody asked for: not in the manifest, left from another sandbox, or a second of a name.
    fn strays<'a>(&self, there: &'a ObservedPod, sandbox: &str) -> Vec<&'a Container> {
        let mut seen: BTreeSet<&ContainerName> = BTreeSet::new();
        let mut strays = Vec::new();
        for container in &there.containers {
            let named = self
                .init_containers()
                .iter()
                .chain(self.containers())
                .any(|spec| spec.name == container.name.0);
            let first = seen.insert(&container.name);
            let runs = matches!(container.state, ContainerState::Running { .. });
            if runs && !(named && first && container.sandbox.0 == sandbox) {
                strays.push(container);
            }
        }
        strays
    }
}

fn removes(step: &Step) -> Option<&Vec<ContainerId>> {
    match step {
        Step::Remove { containers } => Some(containers),
        Step::Volumes
        | Step::Sandbox { .. }
        | Step::Start { .. }
        | Step::PostStart { .. }
        | Step::Stop { .. }
        | Step::Cleanup => None,
    }
}
