//! Starting one container: when it is its turn, from which image, as which attempt.

use k8s_openapi::api::core::v1::Container as SpecContainer;

use super::sync::Sync;
use super::{Out, Step, Why, image};
use crate::pod::ContainerName;
use crate::state::{Container, ContainerMemory, ContainerState, ObservedPod};
use crate::status::crash_wait;

impl Sync<'_> {
    /// Starts a container when neither a failure nor the crash-loop back-off makes it wait.
    pub(super) fn start_in_turn(
        &self,
        container: &SpecContainer,
        old: Option<&Container>,
        steps: &mut Vec<Step>,
        out: &mut Out,
    ) {
        let fresh = ContainerMemory::default();
        let name = ContainerName(container.name.clone());
        let of = self.known.containers.get(&name).unwrap_or(&fresh);
        if self.waits_after_failure(of, out) {
            return;
        }
        if let Some(Container {
            state: ContainerState::Exited(exit),
            ..
        }) = old
            && let Some(wait) = crash_wait(of, exit, self.case.now)
        {
            return out.wait(wait, "crash-loop back-off");
        }
        self.start(container, old, steps, out);
    }

    fn waits_after_failure(&self, of: &ContainerMemory, out: &mut Out) -> bool {
        let Some(failure) = &of.failure else {
            return false;
        };
        let wait = failure.retry.since(self.case.now.mono);
        if !wait.is_zero() {
            let about_image = failure.reason.is_about_image();
            out.wait(
                wait,
                if about_image {
                    "image back-off"
                } else {
                    "retry of a container"
                },
            );
        }
        !wait.is_zero()
    }

    /// The postStart hooks of what runs that have not ended, as the jobs that ran them died; whether there are any.
    pub(super) fn finish_hooks(
        &self,
        there: &ObservedPod,
        steps: &mut Vec<Step>,
        out: &mut Out,
    ) -> bool {
        let before = steps.len();
        let fresh = ContainerMemory::default();
        for container in there.containers.iter().filter(|c| c.starting) {
            let of = self.known.containers.get(&container.name);
            if !self.waits_after_failure(of.unwrap_or(&fresh), out) {
                steps.push(Step::PostStart {
                    container: container.name.clone(),
                    id: container.id.clone(),
                    attempt: container.attempt,
                });
            }
        }
        steps.len() > before
    }

    pub(super) fn start(
        &self,
        container: &SpecContainer,
        old: Option<&Container>,
        steps: &mut Vec<Step>,
        out: &mut Out,
    ) {
        let name = ContainerName(container.name.clone());
        let fresh = ContainerMemory::default();
        let of = self.known.containers.get(&name).unwrap_or(&fresh);
        let Some(image) = image::choose(self.case.key, container, (self.case.memory, of), out)
        else {
            return;
        };
        let attempt = match old {
            Some(old) => match &old.state {
                // It never ran: not a restart. Its name is used again.
                ContainerState::Created => {
                    steps.push(Step::Remove {
                        containers: vec![old.id.clone()],
                    });
                    old.attempt
                }
                ContainerState::Unknown { .. } => {
                    steps.push(Step::Remove {
                        containers: vec![old.id.clone()],
                    });
                    old.attempt.saturating_add(1)
                }
                ContainerState::Exited(_) | ContainerState::Running { .. } => {
                    old.attempt.saturating_add(1)
                }
            },
            None => of.attempt.map_or(0, |last| last.saturating_add(1)),
        };
        steps.push(Step::Start {
            container: name,
            attempt,
            image,
        });
    }
}

/// Why a container is started whose newest instance is this.
pub(super) fn start_why(old: Option<&Container>) -> Why {
    match old.map(|old| &old.state) {
        None => Why::ContainerNew,
        Some(ContainerState::Exited(exit)) => Why::ContainerExited { code: exit.code },
        Some(ContainerState::Created) => Why::ContainerNeverStarted,
        Some(ContainerState::Unknown { .. } | ContainerState::Running { .. }) => {
            Why::ContainerUnknown
        }
    }
}
