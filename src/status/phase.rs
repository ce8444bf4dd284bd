//! The phase of a pod.

use k8s_openapi::api::core::v1::{ContainerStatus, PodSpec};

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

/// How many containers of the main phase are in which case. Init containers and sidecars get counters of their own.
#[derive(Default)]
struct Tally {
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
pub(super) fn phase(spec: Option<&PodSpec>, statuses: &[ContainerStatus]) -> Phase {
    let policy = spec.and_then(|spec| spec.restart_policy.as_deref());
    let names: Vec<&str> = match spec {
        Some(spec) => spec.containers.iter().map(|c| c.name.as_str()).collect(),
        None => statuses.iter().map(|s| s.name.as_str()).collect(),
    };
    let mut tally = Tally::default();
    for name in names {
        tally.count(policy, statuses.iter().find(|status| status.name == name));
    }
    tally.phase()
}

/// Whether a container that ended with `code` is started again. An unknown policy counts as Always, as in the kubelet.
pub fn is_restarted(policy: Option<&str>, code: i32) -> bool {
    match policy {
        Some("Never") => false,
        Some("OnFailure") => code != 0,
        _ => true,
    }
}

impl Tally {
    fn count(&mut self, policy: Option<&str>, status: Option<&ContainerStatus>) {
        let state = status.and_then(|status| status.state.as_ref());
        let Some(state) = state else {
            self.unknown += 1;
            return;
        };
        let last = status
            .and_then(|status| status.last_state.as_ref())
            .and_then(|last| last.terminated.as_ref());
        if state.running.is_some() {
            self.running += 1;
        } else if let Some(ended) = &state.terminated {
            self.stopped += 1;
            if !is_restarted(policy, ended.exit_code) {
                self.stopped_for_good += 1;
            }
            if ended.exit_code == 0 {
                self.succeeded += 1;
            }
        } else if let (Some(_), Some(ended)) = (&state.waiting, last) {
            self.stopped += 1;
            if !is_restarted(policy, ended.exit_code) {
                self.stopped_for_good += 1;
            }
        } else if state.waiting.is_some() {
            self.waiting += 1;
        } else {
            self.unknown += 1;
        }
    }

    fn phase(&self) -> Phase {
        if self.waiting > 0 {
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
