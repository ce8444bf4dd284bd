//! The conditions of a pod, in the kubelet's order.

use k8s_openapi::api::core::v1::{ContainerStatus, PodCondition, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::phase::Phase;

/// What the conditions follow from.
pub(super) struct Facts<'a> {
    pub(super) spec: Option<&'a PodSpec>,
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
    let verdicts = [
        (
            "PodReadyToStartContainers",
            Verdict::plain(facts.has_sandbox),
        ),
        ("Initialized", initialized(facts)),
        ("Ready", containers_ready(facts)),
        ("ContainersReady", containers_ready(facts)),
        ("PodScheduled", Verdict::plain(true)),
    ];
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

/// There is nothing to initialize yet: init containers are refused.
fn initialized(facts: &Facts<'_>) -> Verdict {
    Verdict {
        reason: (facts.phase == Phase::Succeeded).then_some("PodCompleted"),
        ..Verdict::plain(true)
    }
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
    let mut unknown = Vec::new();
    let mut unready = Vec::new();
    for container in &spec.containers {
        match facts.statuses.iter().find(|s| s.name == container.name) {
            None => unknown.push(container.name.as_str()),
            Some(status) if !status.ready => unready.push(container.name.as_str()),
            Some(_) => {}
        }
    }
    let part = |word: &str, names: &[&str]| {
        (!names.is_empty()).then(|| format!("containers with {word} status: [{}]", names.join(" ")))
    };
    let parts: Vec<String> = [part("unknown", &unknown), part("unready", &unready)]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() {
        Verdict::plain(true)
    } else {
        no("ContainersNotReady", Some(parts.join(", ")))
    }
}
