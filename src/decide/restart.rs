//! Whether a container that exited is started again (kubelet `pkg/api/v1/pod/util.go`, ShouldContainerBeRestarted).

use k8s_openapi::api::core::v1::Pod;

use crate::pod::ContainerName;
use crate::state::{Container, ContainerState, ObservedPod};
use crate::status::{Again, Restart};

/// What is to become of one container of a wanted pod.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate<'a> {
    /// It runs and stays.
    Keep(&'a Container),
    /// It is finished for good: its exit and the restart policy say so.
    Finished(&'a Container),
    /// It is to be started; this is its newest instance, if there is one.
    Start(Option<&'a Container>),
}

/// What is to become of the container `name`, by its newest instance and the restart policy.
pub fn fate<'a>(pod: &Pod, name: &ContainerName, there: Option<&'a ObservedPod>) -> Fate<'a> {
    let newest = there.and_then(|there| {
        there
            .containers
            .iter()
            .find(|container| container.name == *name)
    });
    let Some(container) = newest else {
        return Fate::Start(None);
    };
    let spec = pod.spec.as_ref();
    let of = spec.and_then(|spec| spec.containers.iter().find(|c| c.name == name.0));
    let rule = Restart::of(spec, of);
    match &container.state {
        ContainerState::Running { .. } => Fate::Keep(container),
        ContainerState::Exited(exit) if rule.after(exit.code) == Again::No => {
            Fate::Finished(container)
        }
        ContainerState::Exited(_) | ContainerState::Created | ContainerState::Unknown { .. } => {
            Fate::Start(Some(container))
        }
    }
}
