//! CPU and memory, of a container and of its pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::amount::{self, whole};
use crate::pod::Problem;

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

/// The kubelet's `cpuCFSQuotaPeriod`, in microseconds.
pub const CPU_PERIOD_US: i64 = 100_000;

/// The kernel refuses a smaller quota.
const CPU_QUOTA_US_MIN: i64 = 1000;

/// The range of cgroup v1's `cpu.shares`; on v2 the container runtime converts.
const CPU_SHARES_MIN: i64 = 2;
const CPU_SHARES_MAX: i64 = 262_144;

/// The weight of a sandbox.
pub(super) const CPU_SHARES_SANDBOX: i64 = CPU_SHARES_MIN;

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

/// One entry of the limits that the pod has as a whole.
pub(super) fn pod_limit<'a>(spec: &'a PodSpec, resource: &str) -> Option<&'a Quantity> {
    entry(spec.resources.as_ref()?.limits.as_ref()?, resource)
}

/// One entry of the requests that the pod has as a whole.
pub(super) fn pod_request<'a>(spec: &'a PodSpec, resource: &str) -> Option<&'a Quantity> {
    entry(spec.resources.as_ref()?.requests.as_ref()?, resource)
}

/// The limit that holds for a container: its own, or else its pod's.
///
/// Source: kubelet 1.36 `kuberuntime_container_linux.go`.
pub(super) fn effective_limit<'a>(
    spec: &'a PodSpec,
    container: &'a Container,
    resource: &str,
) -> Option<&'a Quantity> {
    let own = limit(container, resource).filter(|quantity| !is_zero(quantity));
    own.or_else(|| pod_limit(spec, resource))
}

fn is_zero(quantity: &Quantity) -> bool {
    amount::milli(quantity, "").is_ok_and(|amount| amount == 0)
}

/// What Docker is told of a container's resources.
pub(super) fn limits(spec: &PodSpec, container: &Container) -> Result<Limits, Problem> {
    let cpu_limit = effective_limit(spec, container, "cpu");
    let cpu_weight = request(container, "cpu").or_else(|| limit(container, "cpu"));
    let milli = |quantity: Option<&Quantity>| match quantity {
        Some(quantity) => cpu_milli(quantity, &place(container, "cpu")),
        None => Ok(0),
    };
    let memory_bytes = match effective_limit(spec, container, "memory") {
        Some(quantity) => whole(quantity, &place(container, "limits.memory"))?,
        None => 0,
    };
    Ok(Limits {
        cpu_shares: shares(milli(cpu_weight)?),
        cpu_quota_us: quota_us(milli(cpu_limit)?),
        memory_bytes: i64::try_from(memory_bytes).unwrap_or(i64::MAX),
    })
}

/// The weight of so many thousandths of a core.
pub(super) fn shares(milli: i64) -> i64 {
    (milli.saturating_mul(1024) / 1000).clamp(CPU_SHARES_MIN, CPU_SHARES_MAX)
}

/// The quota of so many thousandths of a core; 0 stays no limit.
pub(super) fn quota_us(milli: i64) -> i64 {
    match milli {
        0 => 0,
        milli => (milli.saturating_mul(CPU_PERIOD_US) / 1000).max(CPU_QUOTA_US_MIN),
    }
}

/// Thousandths of a core.
pub(super) fn cpu_milli(quantity: &Quantity, place: &str) -> Result<i64, Problem> {
    let milli = amount::milli(quantity, place)?;
    Ok(i64::try_from(milli).unwrap_or(i64::MAX))
}

pub(super) fn place(container: &Container, field: &str) -> String {
    format!("spec.containers[{}].resources.{field}", container.name)
}

/// What the pod may use of memory: the limit it has as a whole, or the sum of its containers' limits if every one of them
/// has one.
pub(super) fn pod_memory_limit(spec: &PodSpec) -> Result<Option<u64>, Problem> {
    if let Some(quantity) = pod_limit(spec, "memory") {
        return whole(quantity, "spec.resources.limits.memory").map(Some);
    }
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
