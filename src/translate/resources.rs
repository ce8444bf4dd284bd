//! CPU, memory and what follows from them: QoS class, cgroup, OOM score.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::amount::{MILLI, div_ceil, nano, whole};
use crate::pod::{PodUid, Problem, all_containers};
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

/// What Docker is told of a container's resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Relative weight; never 0, which Docker takes for 1024.
    pub(super) cpu_shares: i64,
    /// Microseconds in each [`CPU_PERIOD_US`]; 0 is no limit.
    pub(super) cpu_quota_us: i64,
    /// Bytes; 0 is no limit.
    pub(super) memory_bytes: i64,
}

/// The kubelet's `cpuCFSQuotaPeriod`.
pub(super) const CPU_PERIOD_US: i64 = 100_000;

/// The kernel refuses a smaller quota.
const CPU_QUOTA_US_MIN: i64 = 1000;

/// The range of cgroup v1's `cpu.shares`; on v2 the container runtime converts.
const CPU_SHARES_MIN: i64 = 2;
const CPU_SHARES_MAX: i64 = 262_144;

/// The weight of a sandbox.
pub(super) const CPU_SHARES_SANDBOX: i64 = CPU_SHARES_MIN;

/// A static pod of this class is spared by the OOM killer as if it were Guaranteed (kubelet `qos/policy.go`).
const CRITICAL_CLASS: &str = "system-node-critical";

/// The sandbox outlives everything whose death would free memory.
const OOM_SANDBOX: i32 = -998;
const OOM_SPARED: i32 = -997;
const OOM_FIRST: i32 = 1000;

type List = BTreeMap<String, Quantity>;

/// One entry of a container's limits.
pub(super) fn limit<'a>(container: &'a Container, resource: &str) -> Option<&'a Quantity> {
    entry(container.resources.as_ref()?.limits.as_ref()?, resource)
}

/// One entry of a container's requests.
pub(super) fn request<'a>(container: &'a Container, resource: &str) -> Option<&'a Quantity> {
    entry(container.resources.as_ref()?.requests.as_ref()?, resource)
}

fn entry<'a>(list: &'a List, resource: &str) -> Option<&'a Quantity> {
    list.get(resource)
}

/// What Docker is told of a container's resources.
pub(super) fn limits(container: &Container) -> Result<Limits, Problem> {
    let cpu_limit = limit(container, "cpu");
    let cpu_weight = request(container, "cpu").or(cpu_limit);
    let milli = |quantity: Option<&Quantity>| match quantity {
        Some(quantity) => cpu_milli(quantity, container).map(Some),
        None => Ok(None),
    };
    let cpu_shares = milli(cpu_weight)?.unwrap_or(0).saturating_mul(1024) / 1000;
    let cpu_quota_us = match milli(cpu_limit)? {
        None | Some(0) => 0,
        Some(milli) => (milli.saturating_mul(CPU_PERIOD_US) / 1000).max(CPU_QUOTA_US_MIN),
    };
    let memory_bytes = match limit(container, "memory") {
        Some(quantity) => whole(quantity, &place(container, "limits.memory"))?,
        None => 0,
    };
    Ok(Limits {
        cpu_shares: cpu_shares.clamp(CPU_SHARES_MIN, CPU_SHARES_MAX),
        cpu_quota_us,
        memory_bytes: i64::try_from(memory_bytes).unwrap_or(i64::MAX),
    })
}

fn cpu_milli(quantity: &Quantity, container: &Container) -> Result<i64, Problem> {
    let milli = div_ceil(nano(quantity, &place(container, "cpu"))?, MILLI);
    Ok(i64::try_from(milli).unwrap_or(i64::MAX))
}

fn place(container: &Container, field: &str) -> String {
    format!("spec.containers[{}].resources.{field}", container.name)
}

/// The sum of the containers' memory limits, if every one of them has one.
pub(super) fn pod_memory_limit(spec: &PodSpec) -> Result<Option<u64>, Problem> {
    let mut sum = 0_u64;
    for container in &spec.containers {
        match limit(container, "memory") {
            Some(quantity) => {
                let bytes = whole(quantity, &place(container, "limits.memory"))?;
                sum = sum.saturating_add(bytes);
            }
            None => return Ok(None),
        }
    }
    Ok(Some(sum))
}

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
    for container in all_containers(spec) {
        for resource in ["cpu", "memory"] {
            let place = place(container, resource);
            let amount = |quantity: Option<&Quantity>| match quantity {
                Some(quantity) => nano(quantity, &place),
                None => Ok(0),
            };
            let (asked, allowed) = (
                amount(request(container, resource))?,
                amount(limit(container, resource))?,
            );
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

/// The cgroup that holds a pod: a path for cgroupfs, the name of a slice for systemd.
pub(super) fn cgroup_parent(qos: Qos, uid: &PodUid, docker: &DockerFacts) -> String {
    if docker.cgroup_driver == "systemd" {
        // A dash is systemd's path separator.
        let leaf = uid.as_str().replace('-', "_");
        return match qos {
            Qos::Guaranteed => format!("kubepods-pod{leaf}.slice"),
            Qos::Burstable => format!("kubepods-burstable-pod{leaf}.slice"),
            Qos::BestEffort => format!("kubepods-besteffort-pod{leaf}.slice"),
        };
    }
    match qos {
        Qos::Guaranteed => format!("/kubepods/pod{uid}"),
        Qos::Burstable => format!("/kubepods/burstable/pod{uid}"),
        Qos::BestEffort => format!("/kubepods/besteffort/pod{uid}"),
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
            let own = asked(container)?;
            // A sidecar outlives none of those it serves for asking for less than they do.
            let asked = if is_sidecar(spec, container) {
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

fn is_sidecar(spec: &PodSpec, container: &Container) -> bool {
    let init = spec.init_containers.iter().flatten();
    let is_init = init.into_iter().any(|c| c.name == container.name);
    is_init && container.restart_policy.as_deref() == Some("Always")
}

/// Where dockerd has not the right to lower the score so far, the nearest value allowed has to do.
fn floored(wanted: i32, docker: &DockerFacts) -> i32 {
    docker.oom_floor.map_or(wanted, |floor| wanted.max(floor))
}
