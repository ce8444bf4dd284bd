//! Why a pod does not run as wanted, and when that is tried again.

use serde::{Deserialize, Serialize};

use super::backoff::{crash_wait, sandbox_wait};
use super::containers::container_statuses;
use super::init::{Part, init_containers, init_failed};
use super::phase::phase;
use super::pod::{Case, OVER, OVER_MESSAGE};
use super::restart::Restart;
use crate::pod::ContainerName;
use crate::state::{Container, ContainerMemory, ContainerState, Exit, FailReason, Failure, Pull};
use crate::sys::Mono;

/// The kubelet's word for it in events (kubelet `events/event.go`).
const SANDBOX_CHANGED: &str = "SandboxChanged";

/// One thing that keeps a pod from running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// Which container; `None`: the pod as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The kubelet's word, or one of ours for what a kubelet does not tell.
    pub reason: String,
    /// The sentence.
    pub message: String,
    /// When it is tried again, on the clock that counts from boot; `None`: nothing is waited for by the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Mono>,
}

/// All reasons, the pod's own first, then by container in the order of the manifest. Empty when all is well.
pub fn reasons(case: &Case<'_>) -> Vec<Reason> {
    let mut out = Vec::new();
    let Some(spec) = case.spec() else {
        return out;
    };
    if case.is_over() {
        return vec![Reason {
            container: None,
            reason: OVER.to_owned(),
            message: OVER_MESSAGE.to_owned(),
            next_attempt: None,
        }];
    }
    if let Some(failure) = case.memory.and_then(|memory| memory.failure.as_ref()) {
        out.push(of_failure(None, failure));
    }
    out.extend(of_sandbox(case));
    let init = init_containers(Some(spec)).iter();
    let init = init.map(|container| (container, Part::of_init(container)));
    let regular = spec.containers.iter().map(|c| (c, Part::Regular));
    for (container, part) in init.chain(regular) {
        let name = ContainerName(container.name.clone());
        let instances = case.there.map_or(&[][..], |there| &there.containers);
        let newest = instances.iter().find(|instance| instance.name == name);
        let memory = case
            .memory
            .and_then(|memory| memory.containers.get(&name))
            .cloned()
            .unwrap_or_default();
        let rule = Restart::of(Some(spec), Some(container));
        out.extend(of_container(case, &name, (newest, &memory), (rule, part)));
    }
    out
}

/// The sandbox ended, and so did others before it: the next one waits.
fn of_sandbox(case: &Case<'_>) -> Option<Reason> {
    let wait = sandbox_wait(case.memory?, case.now)?;
    if case.has_sandbox() {
        return None;
    }
    let [init, statuses] = container_statuses(case);
    if phase(case.spec(), &init, &statuses).is_terminal() {
        return None;
    }
    // In whole seconds, so that the same wait reads the same at each look.
    let at = case.now.mono.after(wait).0.div_ceil(1000) * 1000;
    Some(Reason {
        container: None,
        reason: SANDBOX_CHANGED.to_owned(),
        message: "the pod's sandbox ended several times in a row".to_owned(),
        next_attempt: Some(Mono(at)),
    })
}

fn of_container(
    case: &Case<'_>,
    name: &ContainerName,
    (newest, memory): (Option<&Container>, &ContainerMemory),
    (rule, part): (Restart<'_>, Part),
) -> Option<Reason> {
    let state = newest.map(|newest| &newest.state);
    let reason = |word: &str, message: String, next_attempt| Reason {
        container: Some(name.0.clone()),
        reason: word.to_owned(),
        message,
        next_attempt,
    };
    let exit = match state {
        Some(ContainerState::Running { .. }) => {
            let mut said = memory.probes.values().filter_map(|of| of.detail.clone());
            return said.next().map(|text| reason("Unhealthy", text, None));
        }
        Some(ContainerState::Exited(exit)) => Some(exit),
        Some(ContainerState::Unknown { word }) => {
            let text = format!("dockerd says it is {word}; it is removed and made anew");
            return Some(reason("ContainerStatusUnknown", text, None));
        }
        Some(ContainerState::Created) | None => None,
    };
    // One that has done its part runs again in a new sandbox: there may be a reason why it cannot.
    let is_done = |exit: &Exit| part == Part::Init && !init_failed(exit.code, &exit.reason);
    let over = exit.filter(|exit| !part.is_restarted(rule, exit.code, &exit.reason));
    if let Some(exit) = over.filter(|exit| !is_done(exit)) {
        let policy = rule.policy();
        let text = format!(
            "{}, not started again (restartPolicy {policy})",
            ended(exit)
        );
        return (exit.code != 0).then(|| reason(&exit.reason, text, None));
    }
    if let Some((exit, wait)) = exit
        .filter(|exit| !is_done(exit))
        .and_then(|exit| Some((exit, crash_wait(memory, exit, case.now)?)))
    {
        // In whole seconds of the clock, so that the same wait reads the same at each look.
        let at = case.now.mono.after(wait).0.div_ceil(1000) * 1000;
        // One that could not be run waits for both.
        let retry = memory.failure.as_ref().map(|failure| failure.retry);
        let at = Some(Mono(at)).max(retry);
        return Some(reason("CrashLoopBackOff", ended(exit), at));
    }
    if let Some(failure) = &memory.failure {
        return Some(of_failure(Some(name.0.clone()), failure));
    }
    if let Pull::Running(progress) = &memory.pull {
        let text = format!(
            "{} of {} bytes, {} of {} layers",
            progress.bytes, progress.bytes_total, progress.layers, progress.layers_total
        );
        return Some(reason("Pulling", text, None));
    }
    None
}

fn of_failure(container: Option<String>, failure: &Failure) -> Reason {
    Reason {
        container,
        reason: shown_word(failure).to_owned(),
        message: failure.message.clone(),
        next_attempt: Some(failure.retry),
    }
}

/// The word for a failure. A pull that failed once shows its own, one that failed again is backed off, as with a kubelet.
pub(super) fn shown_word(failure: &Failure) -> &'static str {
    match failure.reason {
        FailReason::ErrImagePull | FailReason::RegistryUnavailable if failure.times > 1 => {
            "ImagePullBackOff"
        }
        reason @ (FailReason::ErrImagePull
        | FailReason::RegistryUnavailable
        | FailReason::CreateContainerConfigError
        | FailReason::CreateContainerError
        | FailReason::RunContainerError
        | FailReason::PostStartHookError
        | FailReason::ErrImageNeverPull
        | FailReason::ImageInspectError
        | FailReason::InvalidImageName
        | FailReason::CreatePodSandboxError
        | FailReason::FailedMount
        | FailReason::KillContainerError
        | FailReason::JobError) => reason.as_str(),
    }
}

/// How a container ended, in words.
fn ended(exit: &Exit) -> String {
    let base = format!("exited with {} ({})", exit.code, exit.reason);
    if exit.message.is_empty() {
        base
    } else {
        format!("{base}: {}", exit.message)
    }
}
