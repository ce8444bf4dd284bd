//! When a probe is made, and what its verdict means for a running container.
//!
//! Every probe has ticks of its own, whatever the job of its pod does; one that is under way at its tick is made as soon
//! as that has ended. Liveness and readiness wait for the startup probe. Source: kubelet 1.36 `prober/worker.go`.

use k8s_openapi::api::core::v1::Container as SpecContainer;

use super::teardown::{GRACE_MIN_SECONDS, stop_container};
use super::{Action, Out, StopTarget, Wake, Why};
use crate::pod::ContainerName;
use crate::state::{
    Container, ContainerMemory, ContainerState, Desired, JobKey, Memory, Observed, ObservedPod,
    PodMemory, ProbeKind, ProbeMemory, probe_of,
};
use crate::sys::InOrder;
use crate::sys::Mono;

/// The probes that are due, the one that has waited longest first; `out` learns when the next one is.
pub(super) fn due(
    desired: &Desired,
    observed: &Observed,
    memory: &Memory,
    out: &mut Out,
) -> Vec<Action> {
    let mut due: Vec<(Mono, Action)> = Vec::new();
    for (key, wanted) in &desired.pods {
        let there = observed.pods.get(&wanted.pod.uid);
        let known = memory.pods.get(key).filter(|pod| pod.uid == wanted.pod.uid);
        let (Some(there), Some(known)) = (there.filter(|there| there.key == *key), known) else {
            continue;
        };
        let Some(ip) = address(there) else { continue };
        for (name, id, kind, probe) in open(there, known) {
            let job = JobKey::Probe(key.clone(), name.clone(), kind);
            if memory.jobs.contains_key(&job) {
                // Its end wakes the loop.
            } else if probe.due > out.now.mono {
                Wake::no_later_than(&mut out.wake, probe.due, "probe");
            } else {
                let action = Action::Probe {
                    key: key.clone(),
                    container: name.clone(),
                    id: id.clone(),
                    kind,
                    ip: ip.clone(),
                    why: Why::ProbeDue,
                };
                due.push((probe.due, action));
            }
        }
    }
    due.order_by_key(|(at, _)| *at);
    due.into_iter().map(|(_, action)| action).collect()
}

type Open<'a> = (
    &'a ContainerName,
    &'a crate::state::ContainerId,
    ProbeKind,
    &'a ProbeMemory,
);

/// The probes that may be made now or later of what runs now.
fn open<'a>(there: &'a ObservedPod, known: &'a PodMemory) -> Vec<Open<'a>> {
    let mut open = Vec::new();
    for (name, of) in &known.containers {
        let newest = there.containers.iter().find(|one| one.name == *name);
        let Some(newest) = newest.filter(|newest| runs(&newest.state)) else {
            continue;
        };
        let of_this = |kind: ProbeKind| {
            let probe = of.probes.get(&kind);
            probe.filter(|probe| probe.container == newest.id)
        };
        let has_started = of_this(ProbeKind::Startup).is_none_or(|probe| probe.well == Some(true));
        for kind in ProbeKind::ALL {
            let held_back = !has_started && kind != ProbeKind::Startup;
            let probe = of_this(kind).filter(|probe| !probe.on_hold && !held_back);
            open.extend(probe.map(|probe| (name, &newest.id, kind, probe)));
        }
    }
    open
}

/// Where network probes go: `None` without a running sandbox, `Some(None)` for the machine's own network.
fn address(there: &ObservedPod) -> Option<Option<String>> {
    let newest = there.sandboxes.first()?;
    match (runs(&newest.state), newest.host_network) {
        (false, _) => None,
        (true, true) => Some(None),
        (true, false) => newest.ips.first().cloned().map(Some),
    }
}

fn runs(state: &ContainerState) -> bool {
    matches!(state, ContainerState::Running { .. })
}

/// Whether a container that runs has no startup probe to wait for any more.
pub(super) fn has_started(
    spec: &SpecContainer,
    container: &Container,
    of: Option<&ContainerMemory>,
) -> bool {
    let probe = of.and_then(|of| of.probes.get(&ProbeKind::Startup));
    let probe = probe.filter(|probe| probe.container == container.id);
    spec.startup_probe.is_none() || probe.is_some_and(|probe| probe.well == Some(true))
}

/// Why a running container has to be stopped by the verdict of its probes, and with which grace: the probe's own, or
/// else the one that the container was made with.
pub(super) fn fault(
    spec: &SpecContainer,
    container: &Container,
    of: &ContainerMemory,
) -> Option<(Why, StopTarget)> {
    let failed = |kind: ProbeKind| {
        let probe = of.probes.get(&kind);
        probe.is_some_and(|probe| probe.container == container.id && probe.well == Some(false))
    };
    let (kind, why) = if failed(ProbeKind::Liveness) {
        (ProbeKind::Liveness, Why::LivenessFailed)
    } else if failed(ProbeKind::Startup) {
        (ProbeKind::Startup, Why::StartupFailed)
    } else {
        return None;
    };
    let mut stop = stop_container(container);
    let own = probe_of(spec, kind)
        .and_then(|probe| probe.termination_grace_period_seconds)
        .and_then(|seconds| u32::try_from(seconds).ok());
    if let Some(own) = own {
        stop.grace_seconds = own.max(GRACE_MIN_SECONDS);
    }
    Some((why, stop))
}
