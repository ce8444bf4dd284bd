//! The phase of a pod.

use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, ContainerStatus, PodSpec};

use super::init::{Part, init_containers};
use super::restart::{Again, Restart};

/// The phases that a static pod can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Something has never run yet.
    Pending,
    /// Everything has been started, and something runs or will be started again.
    Running,
    /// All ended with 0, for good.
    Succeeded,
    /// All ended, for good, and not all with 0.
    Failed,
}

impl Phase {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
        }
    }

    pub(super) fn is_terminal(self) -> bool {
        match self {
            Phase::Pending | Phase::Running => false,
            Phase::Succeeded | Phase::Failed => true,
        }
    }
}

/// How many containers are in which case.
#[derive(Default)]
struct Tally {
    init_pending: usize,
    /// Init containers that failed and are not started again.
    init_failed: usize,
    /// Sidecars that have not been started yet.
    sidecar_pending: usize,
    /// Of the regular containers: those that have been started once.
    started: usize,
    unknown: usize,
    waiting: usize,
    running: usize,
    stopped: usize,
    /// Of the stopped: those that are not started again.
    stopped_for_good: usize,
    succeeded: usize,
}

/// The phase. Without a spec (a pod on its way out) everything counts as restarted: taking a static pod away does not
/// finish it.
///
/// Source: kubelet 1.36 `kubelet_pods.go` getPhase.
pub(super) fn phase(
    spec: Option<&PodSpec>,
    init: &[ContainerStatus],
    statuses: &[ContainerStatus],
) -> Phase {
    let rule_of = |container| Restart::of(spec, container);
    let names: Vec<(&str, Restart<'_>)> = match spec {
        Some(spec) => {
            let of = |c| (name_of(c), rule_of(Some(c)));
            spec.containers.iter().map(of).collect()
        }
        None => statuses
            .iter()
            .map(|s| (s.name.as_str(), rule_of(None)))
            .collect(),
    };
    let mut tally = Tally::default();
    for container in init_containers(spec) {
        let status = init.iter().find(|status| status.name == container.name);
        match Part::of_init(container) {
            Part::Sidecar => tally.count_sidecar(status),
            Part::Init | Part::Regular => tally.count_init(rule_of(Some(container)), status),
        }
    }
    for (name, rule) in names {
        tally.count(rule, statuses.iter().find(|status| status.name == name));
    }
    tally.phase()
}

fn name_of(container: &Container) -> &str {
    &container.name
}

/// How a container ended, if it does not run: also when it waits for its next start.
fn ended(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let state = status.state.as_ref()?;
    let last = || status.last_state.as_ref()?.terminated.as_ref();
    state
        .terminated
        .as_ref()
        .or_else(|| state.waiting.as_ref().and_then(|_| last()))
}

/// Whether an init container that failed stays so.
fn is_over(rule: Restart<'_>, end: &ContainerStateTerminated) -> bool {
    rule.after_init(end.exit_code, end.reason.as_deref().unwrap_or_default()) == Again::No
}

impl Tally {
    fn count_init(&mut self, rule: Restart<'_>, status: Option<&ContainerStatus>) {
        match status.and_then(ended) {
            None => self.init_pending += 1,
            Some(end) if end.exit_code == 0 && end.reason.as_deref() != Some("OOMKilled") => {}
            Some(end) if is_over(rule, end) => self.init_failed += 1,
            // It is started again, and what comes after it waits.
            Some(_) => {}
        }
    }

    fn count_sidecar(&mut self, status: Option<&ContainerStatus>) {
        let state = status.and_then(|status| status.state.as_ref());
        let Some((status, state)) = status.zip(state) else {
            self.unknown += 1;
            return;
        };
        if state.running.is_some() {
            self.running += 1;
            self.sidecar_pending += usize::from(status.started != Some(true));
        } else if ended(status).is_none() {
            self.sidecar_pending += 1;
            self.waiting += usize::from(state.waiting.is_some());
            self.unknown += usize::from(state.waiting.is_none());
        }
    }

    fn count(&mut self, rule: Restart<'_>, status: Option<&ContainerStatus>) {
        let state = status.and_then(|status| status.state.as_ref());
        let Some(state) = state else {
            self.unknown += 1;
            return;
        };
        let last = status
            .and_then(|status| status.last_state.as_ref())
            .and_then(|last| last.terminated.as_ref());
        self.started += usize::from(state.running.is_some() || status.and_then(ended).is_some());
        if state.running.is_some() {
            self.running += 1;
        } else if let Some(ended) = &state.terminated {
            self.stopped += 1;
            if rule.after(ended.exit_code) == Again::No {
                self.stopped_for_good += 1;
            }
            if ended.exit_code == 0 {
                self.succeeded += 1;
            }
        } else if let (Some(_), Some(ended)) = (&state.waiting, last) {
            self.stopped += 1;
            if rule.after(ended.exit_code) == Again::No {
                self.stopped_for_good += 1;
            }
        } else if state.waiting.is_some() {
            self.waiting += 1;
        } else {
            self.unknown += 1;
        }
    }

    fn phase(&self) -> Phase {
        if self.init_failed > 0 {
            Phase::Failed
        } else if self.init_pending > 0
            || (self.sidecar_pending > 0 && self.started == 0)
            || self.waiting > 0
        {
            Phase::Pending
        } else if self.running > 0 && self.unknown == 0 {
            Phase::Running
        } else if self.running == 0 && self.stopped > 0 && self.unknown == 0 {
            if self.stopped != self.stopped_for_good {
                Phase::Running
            } else if self.stopped == self.succeeded {
                Phase::Succeeded
            } else {
                Phase::Failed
            }
        } else {
            Phase::Pending
        }
    }
}
