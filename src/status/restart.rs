//! Whether a container that ended is started again; one rule for `decide` and for what is told.
//!
//! Source: kubelet 1.36 `pkg/api/v1/pod/util.go` ContainerShouldRestart.

use k8s_openapi::api::core::v1::{Container, ContainerRestartRule, PodSpec};

use super::init::init_failed;

/// The action of a rule that restarts all containers of the pod.
pub(super) const RESTART_ALL: &str = "RestartAllContainers";

/// What is to be done after an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It has ended for good.
    No,
    /// It is started again.
    Start,
    /// All containers of the pod are removed, and the pod begins anew in its sandbox.
    StartAll,
}

/// The policy and the rules of a container, or else those of its pod.
#[derive(Clone, Copy, Debug)]
pub struct Restart<'a> {
    policy: Option<&'a str>,
    is_own: bool,
    rules: &'a [ContainerRestartRule],
}

impl<'a> Restart<'a> {
    /// Those of one container of a pod. An unknown policy counts as Always, as in the kubelet.
    pub fn of(spec: Option<&'a PodSpec>, container: Option<&'a Container>) -> Restart<'a> {
        let own = container.and_then(|container| container.restart_policy.as_deref());
        let rules = container.and_then(|container| container.restart_policy_rules.as_deref());
        Restart {
            policy: own.or_else(|| spec.and_then(|spec| spec.restart_policy.as_deref())),
            is_own: own.is_some(),
            rules: rules.filter(|_| own.is_some()).unwrap_or_default(),
        }
    }

    /// The policy by its name.
    pub fn policy(&self) -> &'a str {
        self.policy.unwrap_or("Always")
    }

    /// Nothing but a rule starts it again.
    pub fn is_never(&self) -> bool {
        self.policy == Some("Never")
    }

    /// What is to be done after an exit with `code`: what the first rule says that matches, or else the policy.
    pub fn after(&self, code: i32) -> Again {
        if let Some(rule) = self.rules.iter().find(|rule| matches(rule, code)) {
            return if rule.action == RESTART_ALL {
                Again::StartAll
            } else {
                Again::Start
            };
        }
        match self.policy {
            Some("Never") => Again::No,
            Some("OnFailure") if code == 0 => Again::No,
            _ => Again::Start,
        }
    }

    /// The same for an init container that has to end: it is over when it has succeeded.
    pub fn after_init(&self, code: i32, reason: &str) -> Again {
        if !init_failed(code, reason) || (!self.is_own && self.is_never()) {
            Again::No
        } else if self.is_own {
            self.after(code)
        } else {
            Again::Start
        }
    }
}

fn matches(rule: &ContainerRestartRule, code: i32) -> bool {
    let Some(codes) = &rule.exit_codes else {
        return false;
    };
    let listed = codes.values.iter().flatten().any(|value| *value == code);
    match codes.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        _ => false,
    }
}
