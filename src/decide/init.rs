//! Which init container is to run now.
//!
//! They run one after the other, each to its end; one with `restartPolicy: Always` (a sidecar) only has to be started,
//! its startup probe included, and runs on. How far the sequence is follows from the last of them of which there is a trace in this sandbox: traces
//! of earlier ones may have been removed.
//!
//! Source: kubelet 1.36 `kuberuntime_container.go` computeInitContainerActions.

use k8s_openapi::api::core::v1::{Container as SpecContainer, PodSpec};

use crate::pod::is_sidecar;
use crate::state::{Container, ContainerId, ContainerState, ObservedPod};
use crate::status::{Again, Restart, init_failed};

/// How far the sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The other containers may run.
    Done,
    /// One of them has to end, or to be started, first.
    Under,
    /// One of them failed, and is not started again (`restartPolicy: Never`).
    Failed,
}

/// What to do about the init containers of a pod with a running sandbox.
#[derive(Debug, PartialEq)]
pub(super) struct Plan<'a> {
    pub(super) progress: Progress,
    /// Those to start, each with its newest instance in this sandbox, in the order of the manifest.
    pub(super) starts: Vec<(&'a SpecContainer, Option<&'a Container>)>,
}

/// The plan. Instances from another sandbox do not count: in a new one the sequence begins anew.
pub(super) fn plan<'a>(
    spec: &'a PodSpec,
    there: &'a ObservedPod,
    sandbox: &ContainerId,
    is_started: &'a dyn Fn(&SpecContainer, &Container) -> bool,
) -> Plan<'a> {
    let list = spec.init_containers.as_deref().unwrap_or_default();
    let newest = |name: &str| {
        let mut instances = there.containers.iter();
        instances.find(|c| c.name.as_str() == name && c.sandbox == *sandbox)
    };
    let is_begun = |container: &SpecContainer| {
        newest(&container.name).is_some_and(|newest| match newest.state {
            ContainerState::Created | ContainerState::Running { .. } => true,
            ContainerState::Exited(_) | ContainerState::Unknown { .. } => false,
        })
    };
    let begun = spec.containers.iter().any(is_begun);
    let mut walk = Walk {
        spec,
        list,
        is_started,
        done: list.is_empty() || begun,
        passed: begun,
        starts: Vec::new(),
    };
    for (at, container) in list.iter().enumerate().rev() {
        let Some(newest) = newest(&container.name) else {
            if walk.passed && is_sidecar(container) {
                walk.starts.push((container, None));
            }
            continue;
        };
        if !walk.visit(at, newest) {
            return Plan {
                progress: Progress::Failed,
                starts: Vec::new(),
            };
        }
        walk.passed = true;
    }
    if !walk.passed {
        walk.starts.extend(list.first().map(|first| (first, None)));
    }
    walk.starts.reverse();
    Plan {
        progress: if walk.done {
            Progress::Done
        } else {
            Progress::Under
        },
        starts: walk.starts,
    }
}

/// Whether an init container failed that is not started again, in whichever sandbox that was: the pod has failed, and a new
/// sandbox does not mend it.
pub(super) fn has_failed(spec: &PodSpec, there: &ObservedPod) -> bool {
    let init = spec.init_containers.iter().flatten();
    init.filter(|container| !is_sidecar(container)).any(|one| {
        let mut instances = there.containers.iter();
        let newest = instances.find(|instance| instance.name.0 == one.name);
        let Some(ContainerState::Exited(exit)) = newest.map(|newest| &newest.state) else {
            return false;
        };
        let again = Restart::of(Some(spec), Some(one)).after_init(exit.code, &exit.reason);
        init_failed(exit.code, &exit.reason) && again == Again::No
    })
}

/// The way from the last init container to the first.
struct Walk<'a> {
    spec: &'a PodSpec,
    /// A sidecar that runs is past its postStart hook and its startup probe.
    is_started: &'a dyn Fn(&SpecContainer, &Container) -> bool,
    list: &'a [SpecContainer],
    done: bool,
    /// The sequence is past the container that is looked at: only sidecars matter from here on.
    passed: bool,
    starts: Vec<(&'a SpecContainer, Option<&'a Container>)>,
}

impl<'a> Walk<'a> {
    /// Takes in the newest instance of one; false when the pod has failed by it.
    fn visit(&mut self, at: usize, newest: &'a Container) -> bool {
        let Some(container) = self.list.get(at) else {
            return true;
        };
        let sidecar = is_sidecar(container);
        if self.passed && !sidecar {
            return true;
        }
        let rule = Restart::of(Some(self.spec), Some(container));
        match &newest.state {
            ContainerState::Running { .. } if sidecar => {
                if (self.is_started)(container, newest) {
                    self.go_on(at);
                }
            }
            ContainerState::Running { .. } => {}
            ContainerState::Created => self.starts.push((container, Some(newest))),
            ContainerState::Unknown { .. } if rule.is_never() => return false,
            ContainerState::Unknown { .. } => self.starts.push((container, Some(newest))),
            ContainerState::Exited(_) if sidecar => self.starts.push((container, Some(newest))),
            ContainerState::Exited(exit) if !init_failed(exit.code, &exit.reason) => self.go_on(at),
            ContainerState::Exited(exit)
                if rule.after_init(exit.code, &exit.reason) == Again::No =>
            {
                return false;
            }
            ContainerState::Exited(_) => self.starts.push((container, Some(newest))),
        }
        true
    }

    /// The one at `at` has done its part: the next one may start.
    fn go_on(&mut self, at: usize) {
        match self.list.get(at + 1) {
            None => self.done = true,
            Some(next) if !self.passed => self.starts.push((next, None)),
            Some(_) => {}
        }
    }
}
