//! The cgroup that holds a pod, and what the pod as a whole may use.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Container;

use super::amount::whole;
use super::hugepages::huge_pages;
use super::pod_spec;
use super::qos::{Qos, qos};
use super::resources::{cpu_milli, limit, pod_limit, quota_us, shares};
use crate::pod::{PodUid, Problem, ValidPod, all_containers, pod_resources};
use crate::state::{DockerFacts, Node};

/// The limits of a pod's cgroup, and its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupLimits {
    /// Its weight among the pods of its QoS class, in the shares of cgroup v1.
    pub cpu_shares: i64,
    /// Microseconds in each 100 ms; `None` is no limit.
    pub cpu_quota_us: Option<i64>,
    /// Bytes; `None` is no limit.
    pub memory_bytes: Option<u64>,
    /// Processes and threads; `None` is no limit.
    pub pids: Option<u64>,
    /// Bytes of huge pages by the bytes of a page; none of the sizes that are not among them.
    pub huge_pages: BTreeMap<u64, u64>,
}

/// The cgroup of a pod below the root of each hierarchy: `kubepods/burstable/pod<uid>`, or a slice in its slices.
pub fn cgroup_path(pod: &ValidPod, docker: &DockerFacts) -> Result<String, Problem> {
    let parent = cgroup_parent(qos(pod_spec(pod)?)?, &pod.uid, docker);
    if docker.cgroup_driver != "systemd" {
        return Ok(parent.trim_start_matches('/').to_owned());
    }
    // `a-b-c.slice` is in `a-b.slice`, which is in `a.slice`.
    let stem = parent.trim_end_matches(".slice");
    let ends = stem.match_indices('-').map(|(at, _)| at);
    let slices = ends.chain([stem.len()]);
    let names: Vec<String> = slices
        .filter_map(|end| Some(format!("{}.slice", stem.get(..end)?)))
        .collect();
    Ok(names.join("/"))
}

/// Where the cgroup of a pod may be below the root of each hierarchy, when nothing is known of it but its UID. None where
/// systemd has them: its slices go by themselves.
pub fn cgroup_paths(uid: &PodUid, docker: &DockerFacts) -> Vec<String> {
    if docker.cgroup_driver == "systemd" {
        return Vec::new();
    }
    [Qos::Guaranteed, Qos::Burstable, Qos::BestEffort]
        .map(|qos| cgroup_parent(qos, uid, docker))
        .map(|path| path.trim_start_matches('/').to_owned())
        .to_vec()
}

/// What the pod's cgroup is limited to: what the pod has as a whole, or what its containers have together where each of
/// them has some.
///
/// Source: kubelet 1.36 `cm/helpers_linux.go` ResourceConfigForPod.
///
/// # Errors
/// A quantity that does not parse.
pub fn cgroup_limits(pod: &ValidPod, node: &Node) -> Result<CgroupLimits, Problem> {
    let spec = pod_spec(pod)?;
    let limits = pod_resources(spec).limits.unwrap_or_default();
    let limited = |resource: &str| {
        let declared = pod_limit(spec, resource).is_some()
            || all_containers(spec).all(|one: &Container| limit(one, resource).is_some());
        limits.get(resource).filter(|_| declared)
    };
    let quota_us = match limited("cpu") {
        Some(quantity) => Some(quota_us(cpu_milli(quantity, "spec.resources.limits.cpu")?)),
        None => None,
    };
    let memory = match limited("memory") {
        Some(quantity) => Some(whole(quantity, "spec.resources.limits.memory")?),
        None => None,
    };
    let requested = pod_resources(spec).requests.unwrap_or_default();
    let cpu_shares = match requested.get("cpu") {
        Some(quantity) => shares(cpu_milli(quantity, "spec.resources.requests.cpu")?),
        None => shares(0),
    };
    Ok(CgroupLimits {
        cpu_shares,
        cpu_quota_us: quota_us.filter(|quota| *quota > 0),
        memory_bytes: memory.filter(|bytes| *bytes > 0),
        pids: node.pod_pids_max,
        huge_pages: huge_pages(pod)?,
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
