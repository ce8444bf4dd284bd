//! How a version of a pod is taken away.

use super::{Step, StopTarget};
use crate::pod::ContainerName;
use crate::state::{Container, ContainerId, ContainerState, ObservedPod, Sandbox};
use crate::sys::InOrder;

/// Seconds from TERM to KILL when the label does not say (API default).
const GRACE_DEFAULT_SECONDS: u32 = 30;

/// A grace below this is not kept: a process needs a moment to see its TERM (kubelet `minimumGracePeriodInSeconds`).
pub(super) const GRACE_MIN_SECONDS: u32 = 2;

/// Grace of a sandbox: it has nothing to finish (cri-dockerd `defaultSandboxGracePeriod`).
const SANDBOX_GRACE_SECONDS: u32 = 10;

/// Everything goes: containers within their own grace, then what lies under the root directory, then the sandbox. That
/// comes last, as the sign that there is still work if this is interrupted.
pub(super) fn remove_pod(pod: &ObservedPod) -> Vec<Step> {
    let mut steps = stop_running(pod);
    let containers: Vec<ContainerId> = pod
        .containers
        .iter()
        .map(|container| container.id.clone())
        .collect();
    if !containers.is_empty() {
        steps.push(Step::Remove { containers });
    }
    steps.push(Step::Cleanup);
    if !pod.sandboxes.is_empty() {
        steps.push(Step::Remove {
            containers: pod
                .sandboxes
                .iter()
                .map(|sandbox| sandbox.id.clone())
                .collect(),
        });
    }
    steps
}

/// Stops whatever runs: first the containers, side by side but for sidecars, which come last and in reverse order, then
/// the sandboxes, which hold their network.
pub(super) fn stop_running(pod: &ObservedPod) -> Vec<Step> {
    let running = |state: &ContainerState| matches!(state, ContainerState::Running { .. });
    let containers = pod.containers.iter();
    let containers = containers.filter(|container| running(&container.state));
    let sandboxes = pod
        .sandboxes
        .iter()
        .filter(|sandbox| running(&sandbox.state))
        .map(stop_sandbox);
    [stop_in_turn(containers.collect()), sandboxes.collect()]
        .into_iter()
        .filter(|targets| !targets.is_empty())
        .map(|containers| Step::Stop { containers })
        .collect()
}

/// Containers of one pod that are to be stopped together: sidecars after the others, in reverse order.
pub fn stop_in_turn(mut containers: Vec<&Container>) -> Vec<StopTarget> {
    containers.order_by_key(|container| container.sidecar.map(std::cmp::Reverse));
    let mut turn = 0;
    let targets = containers.into_iter().map(|container| {
        turn += u32::from(container.sidecar.is_some());
        StopTarget {
            turn,
            ..stop_container(container)
        }
    });
    targets.collect()
}

/// All containers go, and the sandbox stays. Nobody asked them to end, and they are not asked to be quick about it: as in
/// the kubelet there is no hook, and the least grace.
pub(super) fn remove_containers(pod: &ObservedPod) -> Vec<Step> {
    let running = |c: &&Container| matches!(c.state, ContainerState::Running { .. });
    let stop = |container| StopTarget {
        grace_seconds: GRACE_MIN_SECONDS,
        pre_stop: false,
        ..stop_container(container)
    };
    let targets: Vec<StopTarget> = pod.containers.iter().filter(running).map(stop).collect();
    let mut steps = Vec::new();
    if !targets.is_empty() {
        steps.push(Step::Stop {
            containers: targets,
        });
    }
    steps.push(Step::Remove {
        containers: pod.containers.iter().map(|c| c.id.clone()).collect(),
    });
    steps
}

/// The grace that the container was made with, so that the manifest need not be there any more.
pub(super) fn stop_container(container: &Container) -> StopTarget {
    let grace_seconds = container
        .grace_seconds
        .unwrap_or(GRACE_DEFAULT_SECONDS)
        .max(GRACE_MIN_SECONDS);
    StopTarget {
        id: container.id.clone(),
        name: container.name.clone(),
        grace_seconds,
        turn: 0,
        pre_stop: container.pre_stop,
    }
}

fn stop_sandbox(sandbox: &Sandbox) -> StopTarget {
    StopTarget {
        id: sandbox.id.clone(),
        name: ContainerName("POD".to_owned()),
        grace_seconds: SANDBOX_GRACE_SECONDS,
        turn: 0,
        pre_stop: false,
    }
}
