//! The QoS class of a pod, and the OOM scores that follow from it.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::amount::{milli, whole};
use super::resources::{place, pod_request, request};
use crate::pod::{Problem, all_containers, is_sidecar};
use crate::state::DockerFacts;

/// How a pod is treated when memory runs out: `status.qosClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Every container has limits for CPU and memory, and requests no less.
    Guaranteed,
    /// Something is asked for.
    Burstable,
    /// Nothing is asked for.
    BestEffort,
}

impl Qos {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Qos::Guaranteed => "Guaranteed",
            Qos::Burstable => "Burstable",
            Qos::BestEffort => "BestEffort",
        }
    }
}

/// A static pod of this class is spared by the OOM killer as if it were Guaranteed (kubelet `qos/policy.go`).
const CRITICAL_CLASS: &str = "system-node-critical";

/// The sandbox outlives everything whose death would free memory.
const OOM_SANDBOX: i32 = -998;
const OOM_SPARED: i32 = -997;
const OOM_FIRST: i32 = 1000;

/// The pod's QoS class. Only CPU and memory count, and only amounts above zero.
///
/// Source: Kubernetes 1.36 `pkg/apis/core/v1/helper/qos/qos.go`.
///
/// # Errors
/// A quantity that does not parse.
pub fn qos(spec: &PodSpec) -> Result<Qos, Problem> {
    let mut requests: BTreeMap<&str, i128> = BTreeMap::new();
    let mut limits: BTreeMap<&str, i128> = BTreeMap::new();
    let mut all_limited = true;
    // What the pod has as a whole stands for all of its containers.
    let whole = spec
        .resources
        .iter()
        .map(|all| (&all.requests, &all.limits));
    let each = all_containers(spec).map(|container| match &container.resources {
        Some(own) => (&own.requests, &own.limits),
        None => (&None, &None),
    });
    let asks: Vec<_> = if spec.resources.is_some() {
        whole.collect()
    } else {
        each.collect()
    };
    for (requested, limited) in asks {
        for resource in ["cpu", "memory"] {
            let (asked, allowed) = (amount(requested, resource)?, amount(limited, resource)?);
            if asked > 0 {
                *requests.entry(resource).or_default() += asked;
            }
            if allowed > 0 {
                *limits.entry(resource).or_default() += allowed;
            } else {
                all_limited = false;
            }
        }
    }
    Ok(if requests.is_empty() && limits.is_empty() {
        Qos::BestEffort
    } else if all_limited && requests == limits {
        Qos::Guaranteed
    } else {
        Qos::Burstable
    })
}

/// One entry of a list, in thousandths; 0 when it is not there.
fn amount(list: &Option<BTreeMap<String, Quantity>>, resource: &str) -> Result<i128, Problem> {
    match list.as_ref().and_then(|list| list.get(resource)) {
        Some(quantity) => milli(quantity, &format!("resources.{resource}")),
        None => Ok(0),
    }
}

/// The oom_score_adj of a sandbox.
pub(super) fn oom_sandbox(docker: &DockerFacts) -> i32 {
    floored(OOM_SANDBOX, docker)
}

/// The oom_score_adj of a container: the smaller its share of the machine's memory, the sooner it dies.
///
/// Source: kubelet 1.36 `qos/policy.go`.
pub(super) fn oom_score(
    spec: &PodSpec,
    container: &Container,
    docker: &DockerFacts,
) -> Result<i32, Problem> {
    if spec.priority_class_name.as_deref() == Some(CRITICAL_CLASS) {
        return Ok(floored(OOM_SPARED, docker));
    }
    let wanted = match qos(spec)? {
        Qos::Guaranteed => OOM_SPARED,
        Qos::BestEffort => OOM_FIRST,
        Qos::Burstable => {
            let asked = |container: &Container| match request(container, "memory") {
                Some(quantity) => whole(quantity, &place(container, "requests.memory")),
                None => Ok(0),
            };
            let own = asked(container)?.saturating_add(share_of_pod(spec, asked)?);
            // A sidecar outlives none of those it serves for asking for less than they do.
            let asked = if is_sidecar_of(spec, container) {
                let others: Vec<u64> = spec
                    .containers
                    .iter()
                    .map(asked)
                    .collect::<Result<_, _>>()?;
                own.max(others.into_iter().min().unwrap_or(0))
            } else {
                own
            };
            let share = u128::from(asked) * 1000 / u128::from(docker.memory_bytes.max(1));
            // 2 and less would outlive system daemons; 1000 is for BestEffort.
            i32::try_from(share).map_or(3, |share| 1000_i32.saturating_sub(share).clamp(3, 999))
        }
    };
    Ok(floored(wanted, docker))
}

/// What the pod asks for beyond its containers belongs to each of them alike.
fn share_of_pod(
    spec: &PodSpec,
    asked: impl Fn(&Container) -> Result<u64, Problem>,
) -> Result<u64, Problem> {
    let Some(quantity) = pod_request(spec, "memory") else {
        return Ok(0);
    };
    let (mut rest, mut count) = (whole(quantity, "spec.resources.requests.memory")?, 0_u64);
    for container in all_containers(spec) {
        rest = rest.saturating_sub(asked(container)?);
        count += 1;
    }
    Ok(rest / count.max(1))
}

fn is_sidecar_of(spec: &PodSpec, container: &Container) -> bool {
    let mut init = spec.init_containers.iter().flatten();
    init.any(|c| c.name == container.name && is_sidecar(c))
}

/// Where dockerd has not the right to lower the score so far, the nearest value allowed has to do.
fn floored(wanted: i32, docker: &DockerFacts) -> i32 {
    docker.oom_floor.map_or(wanted, |floor| wanted.max(floor))
}
