//! The conditions of a pod, in the kubelet's order.

use k8s_openapi::api::core::v1::{Container, ContainerStatus, PodCondition, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::init::{Part, init_containers};
use super::phase::Phase;
use super::restart::{Again, RESTART_ALL, Restart};
use crate::pod::{all_containers, container_of};

/// What the conditions follow from.
pub(super) struct Facts<'a> {
    pub(super) spec: Option<&'a PodSpec>,
    pub(super) init: &'a [ContainerStatus],
    pub(super) statuses: &'a [ContainerStatus],
    pub(super) phase: Phase,
    pub(super) has_sandbox: bool,
}

/// One condition before it is given its time.
struct Verdict {
    holds: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl Verdict {
    fn plain(holds: bool) -> Verdict {
        Verdict {
            holds,
            reason: None,
            message: None,
        }
    }
}

/// The conditions. A time changes only when the verdict does.
///
/// Source: kubelet 1.36 `status/generate.go`, `status_manager.go` updateLastTransitionTime.
pub(super) fn conditions(
    facts: &Facts<'_>,
    previous: Option<&PodStatus>,
    now: Time,
) -> Vec<PodCondition> {
    // Readiness gates need an API server, and their fields are carried without effect: Ready is ContainersReady.
    let mut verdicts = vec![
        (
            "PodReadyToStartContainers",
            Verdict::plain(facts.has_sandbox),
        ),
        ("Initialized", initialized(facts, previous)),
        ("Ready", containers_ready(facts)),
        ("ContainersReady", containers_ready(facts)),
        ("PodScheduled", Verdict::plain(true)),
    ];
    if let Some(restarting) = all_restarting(facts) {
        verdicts.push(("AllContainersRestarting", restarting));
    }
    let before = previous.and_then(|previous| previous.conditions.as_deref());
    let condition = |(type_, verdict): (&str, Verdict)| {
        let status = if verdict.holds { "True" } else { "False" };
        let same = before
            .unwrap_or_default()
            .iter()
            .find(|old| old.type_ == type_ && old.status == status);
        PodCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: verdict.reason.map(str::to_owned),
            message: verdict.message,
            last_transition_time: same
                .and_then(|old| old.last_transition_time.clone())
                .or_else(|| Some(now.clone())),
            ..PodCondition::default()
        }
    };
    verdicts.into_iter().map(condition).collect()
}

/// A container has ended in a way that restarts all of them, and they have not been taken away yet; `None` where no rule
/// says that.
///
/// Source: kubelet 1.36 `status/generate.go` GenerateAllContainersRestartingCondition.
fn all_restarting(facts: &Facts<'_>) -> Option<Verdict> {
    let spec = facts.spec?;
    let could = |one: &Container| {
        let rules = one.restart_policy_rules.iter().flatten();
        rules.into_iter().any(|rule| rule.action == RESTART_ALL)
    };
    all_containers(spec).find(|one| could(one))?;
    let no = |reason| Verdict {
        reason: Some(reason),
        ..Verdict::plain(false)
    };
    match facts.phase {
        Phase::Succeeded => return Some(no("PodCompleted")),
        Phase::Failed => return Some(no("PodFailed")),
        Phase::Pending | Phase::Running => {}
    }
    let ended = |status: &ContainerStatus| {
        let state = status.state.as_ref()?;
        let waits = state.waiting.as_ref().and_then(|one| one.reason.as_deref());
        // Until its back-off is over.
        let of = match waits {
            Some("CrashLoopBackOff") => status.last_state.as_ref()?,
            Some(_) | None => state,
        };
        Some(of.terminated.as_ref()?.exit_code)
    };
    let holds = facts.init.iter().chain(facts.statuses).any(|status| {
        let rule = Restart::of(Some(spec), container_of(spec, &status.name));
        ended(status).is_some_and(|code| rule.after(code) == Again::StartAll)
    });
    Some(if holds {
        Verdict {
            holds,
            reason: Some("RestartAllContainersStarted"),
            message: Some("container exited with restart policy rule".to_owned()),
        }
    } else {
        Verdict::plain(false)
    })
}

/// All init containers have done their part, or have once: a container that was started says so.
fn initialized(facts: &Facts<'_>, previous: Option<&PodStatus>) -> Verdict {
    if facts.phase == Phase::Succeeded {
        return Verdict {
            reason: Some("PodCompleted"),
            ..Verdict::plain(true)
        };
    }
    let has_run = |status: &ContainerStatus| {
        let last = status.last_state.as_ref();
        let state = status.state.as_ref();
        state.is_some_and(|s| s.running.is_some() || s.terminated.is_some())
            || last.is_some_and(|last| last.terminated.is_some())
    };
    let conditions = previous.and_then(|previous| previous.conditions.as_ref());
    let mut before = conditions.into_iter().flatten();
    let was = before.any(|old| old.type_ == "Initialized" && old.status == "True");
    if was || facts.statuses.iter().any(has_run) {
        return Verdict::plain(true);
    }
    let is_done = |part: Part, status: &ContainerStatus| match part {
        Part::Sidecar => status.started == Some(true),
        Part::Init | Part::Regular => status.ready,
    };
    let list = init_containers(facts.spec).iter();
    let list = list.map(|container| (container.name.as_str(), Part::of_init(container)));
    lacking(list, facts.init, is_done, "incomplete").map_or(Verdict::plain(true), |message| {
        Verdict {
            holds: false,
            reason: Some("ContainersNotInitialized"),
            message: Some(message),
        }
    })
}

/// Which containers are not as `fine` wants them, in words; `None` when all are.
fn lacking<'a>(
    containers: impl Iterator<Item = (&'a str, Part)>,
    statuses: &[ContainerStatus],
    fine: impl Fn(Part, &ContainerStatus) -> bool,
    word: &str,
) -> Option<String> {
    let (mut unknown, mut bad) = (Vec::new(), Vec::new());
    for (name, part) in containers {
        match statuses.iter().find(|status| status.name == name) {
            None => unknown.push(name),
            Some(status) if !fine(part, status) => bad.push(name),
            Some(_) => {}
        }
    }
    let text = |word: &str, names: &[&str]| {
        (!names.is_empty()).then(|| format!("containers with {word} status: [{}]", names.join(" ")))
    };
    let parts: Vec<String> = [text("unknown", &unknown), text(word, &bad)]
        .into_iter()
        .flatten()
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn containers_ready(facts: &Facts<'_>) -> Verdict {
    let no = |reason, message| Verdict {
        holds: false,
        reason: Some(reason),
        message,
    };
    match facts.phase {
        Phase::Succeeded => return no("PodCompleted", None),
        Phase::Failed => return no("PodFailed", None),
        Phase::Pending | Phase::Running => {}
    }
    let Some(spec) = facts.spec else {
        return no("ContainersNotReady", None);
    };
    let init = init_containers(Some(spec)).iter();
    let sidecars = init.map(|container| (container.name.as_str(), Part::of_init(container)));
    let regular = spec
        .containers
        .iter()
        .map(|c| (c.name.as_str(), Part::Regular));
    let all = sidecars
        .filter(|(_, part)| *part == Part::Sidecar)
        .chain(regular);
    let statuses = [facts.init, facts.statuses].concat();
    match lacking(all, &statuses, |_, status| status.ready, "unready") {
        None => Verdict::plain(true),
        Some(message) => no("ContainersNotReady", Some(message)),
    }
}
