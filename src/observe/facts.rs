//! What dockerd is and can do.

use std::path::Path;

use crate::docker::Docker;
use crate::state::DockerFacts;
use crate::sys::{Result, files};

/// CAP_SYS_RESOURCE (linux/capability.h): without it nobody may lower an oom_score_adj.
const CAP_SYS_RESOURCE: u32 = 24;

/// Asks dockerd, and the kernel for what dockerd does not tell.
pub(super) fn ask(docker: &Docker) -> Result<DockerFacts> {
    let api = docker.api()?;
    let (info, version) = docker.facts()?;
    Ok(DockerFacts {
        version: version.version,
        api,
        cgroup_driver: info.cgroup_driver,
        cgroup_version: info.cgroup_version.parse().unwrap_or(1),
        logging_driver: info.logging_driver,
        memory_bytes: u64::try_from(info.mem_total).unwrap_or(0),
        cpus: u32::try_from(info.ncpu).unwrap_or(1).max(1),
        oom_floor: oom_floor(),
    })
}

/// A guess by what the first process of this machine may do: a machine whose init has not the capability is a container.
fn oom_floor() -> Option<i32> {
    let status = files::read_bounded(Path::new("/proc/1/status"), 65536).ok()?;
    let status = String::from_utf8_lossy(&status);
    let bounds = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))?;
    let bounds = u64::from_str_radix(bounds.trim(), 16).ok()?;
    (bounds >> CAP_SYS_RESOURCE & 1 == 0).then_some(0)
}
