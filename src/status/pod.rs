//! The status of one pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::{HostIP, PodIP, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::deadline::active_left;
use super::{conditions, containers, phase};
use crate::pod::{PodKey, PodUid, ValidPod, pod_resources};
use crate::state::{ContainerState, Node, ObservedPod, PodMemory};
use crate::sys::{Now, Wall};
use crate::translate::qos;

/// The kubelet's words for a pod that was active for too long.
pub(super) const OVER: &str = "DeadlineExceeded";
pub(super) const OVER_MESSAGE: &str =
    "Pod was active on the node longer than the specified deadline";

/// Everything known of one pod.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Which pod.
    pub key: &'a PodKey,
    /// Which version of it.
    pub uid: &'a PodUid,
    /// The pod as wanted; `None` when it is only still there.
    pub wanted: Option<&'a ValidPod>,
    /// What runs of this version.
    pub there: Option<&'a ObservedPod>,
    /// What is remembered of this version.
    pub memory: Option<&'a PodMemory>,
    /// This node.
    pub node: &'a Node,
    /// The status of the same version that was told last: start time, times of transitions, and what a container was that
    /// is now gone without a trace.
    pub previous: Option<&'a PodStatus>,
    /// Both clocks.
    pub now: Now,
}

impl<'a> Case<'a> {
    pub(super) fn spec(&self) -> Option<&'a PodSpec> {
        self.wanted.and_then(|wanted| wanted.pod.spec.as_ref())
    }

    /// Its active deadline has passed.
    pub(super) fn is_over(&self) -> bool {
        active_left(self.spec(), self.there, self.memory, self.now) == Some(Duration::ZERO)
    }

    /// The pod has one running sandbox with an address: nothing has to be made before containers can start.
    pub(super) fn has_sandbox(&self) -> bool {
        let sandboxes = self.there.map_or(&[][..], |there| &there.sandboxes);
        let runs = |state: &ContainerState| matches!(state, ContainerState::Running { .. });
        let running = sandboxes.iter().filter(|s| runs(&s.state)).count();
        sandboxes.first().is_some_and(|newest| {
            runs(&newest.state) && running == 1 && (newest.host_network || !newest.ips.is_empty())
        })
    }
}

/// Whole seconds, as the API stores times.
pub(super) fn time(at: Wall) -> Time {
    Time(Wall(at.0.div_euclid(1_000_000) * 1_000_000).timestamp())
}

/// The status of a pod.
///
/// Source: kubelet 1.36 `kubelet_pods.go` generateAPIPodStatus, `status/generate.go`.
pub fn pod_status(case: &Case<'_>) -> PodStatus {
    let [init, statuses] = containers::container_statuses(case);
    let is_over = case.is_over();
    let phase = if is_over {
        phase::Phase::Failed
    } else {
        phase::phase(case.spec(), &init, &statuses)
    };
    let facts = conditions::Facts {
        spec: case.spec(),
        init: &init,
        statuses: &statuses,
        phase,
        has_sandbox: case.has_sandbox(),
    };
    let conditions = conditions::conditions(&facts, case.previous, time(case.now.wall));
    let ips = pod_ips(case, phase);
    let host_ip = (!case.node.ip.is_empty()).then(|| case.node.ip.clone());
    let seen = || time(case.memory.map_or(case.now.wall, |memory| memory.seen));
    let asked = case.spec().map(pod_resources);
    PodStatus {
        phase: Some(phase.as_str().to_owned()),
        reason: is_over.then(|| OVER.to_owned()),
        message: is_over.then(|| OVER_MESSAGE.to_owned()),
        conditions: Some(conditions),
        host_ip: host_ip.clone(),
        host_ips: host_ip.map(|ip| vec![HostIP { ip }]),
        pod_ip: ips.first().cloned(),
        pod_ips: (!ips.is_empty()).then(|| ips.into_iter().map(|ip| PodIP { ip }).collect()),
        start_time: case
            .previous
            .and_then(|previous| previous.start_time.clone())
            .or_else(|| Some(seen())),
        qos_class: qos_class(case),
        allocated_resources: asked.as_ref().and_then(|asked| asked.requests.clone()),
        resources: asked,
        init_container_statuses: (!init.is_empty()).then_some(init),
        container_statuses: Some(statuses),
        ..PodStatus::default()
    }
}

/// The API never changes the class of a pod; without a spec the last answer stands.
fn qos_class(case: &Case<'_>) -> Option<String> {
    let of_spec = case.spec().and_then(|spec| qos(spec).ok());
    of_spec
        .map(|class| class.as_str().to_owned())
        .or_else(|| case.previous?.qos_class.clone())
}

/// The addresses of the sandbox, or of the machine; a finished pod keeps those it had.
fn pod_ips(case: &Case<'_>, phase: phase::Phase) -> Vec<String> {
    let newest = case.there.and_then(|there| there.sandboxes.first());
    let running = newest.filter(|s| matches!(s.state, ContainerState::Running { .. }));
    match running {
        Some(sandbox) if sandbox.host_network && !case.node.ip.is_empty() => {
            vec![case.node.ip.clone()]
        }
        Some(sandbox) => sandbox.ips.clone(),
        None if phase.is_terminal() => {
            let before = case.previous.and_then(|p| p.pod_ips.as_ref());
            before
                .into_iter()
                .flatten()
                .map(|ip| ip.ip.clone())
                .collect()
        }
        None => Vec::new(),
    }
}
