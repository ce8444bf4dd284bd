//! What dockerd is and can do.

use std::path::Path;

use serde_json::Value;

use crate::docker::Docker;
use crate::docker::wire::{Info, Version};
use crate::state::DockerFacts;
use crate::sys::{Result, files};

/// CAP_SYS_RESOURCE (linux/capability.h): without it nobody may lower an oom_score_adj.
const CAP_SYS_RESOURCE: u32 = 24;

/// Asks dockerd, and the kernel for what dockerd does not tell.
pub(super) fn ask(docker: &Docker) -> Result<DockerFacts> {
    let api = docker.api()?;
    let (info, version) = docker.facts()?;
    let recursive_read_only = can_recursive_read_only(&info, &version, api);
    Ok(DockerFacts {
        version: version.version,
        api,
        cgroup_driver: info.cgroup_driver,
        cgroup_version: info.cgroup_version.parse().unwrap_or(1),
        logging_driver: info.logging_driver,
        memory_bytes: u64::try_from(info.mem_total).unwrap_or(0),
        cpus: u32::try_from(info.ncpu).unwrap_or(1).max(1),
        oom_floor: oom_floor(),
        recursive_read_only,
    })
}

/// What the runtime says it can, where kernel and dockerd can as well. Podman does not tell, and would leave the wish out.
///
/// Source: cri-dockerd `core/docker_service.go`.
fn can_recursive_read_only(info: &Info, version: &Version, api: (u32, u32)) -> bool {
    const API: (u32, u32) = (1, 44);
    const KERNEL: (u32, u32) = (5, 12);
    const FEATURES: &str = "org.opencontainers.runtime-spec.features";
    let runtime = info.runtimes.get(&info.default_runtime);
    let features = runtime.and_then(|runtime| runtime.status.get(FEATURES));
    let features: Value = features
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let options = features["mountOptions"].as_array();
    let is_known = options.is_some_and(|options| options.iter().any(|one| one == "rro"));
    api >= API && kernel(&version.kernel_version) >= KERNEL && is_known
}

/// The first two numbers of `6.1.0-18-amd64`.
fn kernel(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse().ok();
    (number().unwrap_or(0), number().unwrap_or(0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recursive_read_only_needs_kernel_dockerd_and_runtime() {
        let info = |features: &str| {
            let status = serde_json::json!({"org.opencontainers.runtime-spec.features": features});
            let info = serde_json::json!({"DefaultRuntime": "runc", "Runtimes": {
                "runc": {"path": "runc", "status": status}, "other": {"path": "x", "status": null}}});
            serde_json::from_value::<Info>(info).unwrap()
        };
        let version = |kernel: &str| Version {
            kernel_version: kernel.to_owned(),
            ..Version::default()
        };
        let able = info(r#"{"ociVersionMin":"1.0.0","mountOptions":["bind","ro","rro"]}"#);
        let unable = info(r#"{"mountOptions":["bind","ro"]}"#);
        let new = version("6.1.0-18-amd64");
        for (info, version, api, wanted) in [
            (&able, &new, (1, 44), true),
            (&able, &version("5.12"), (1, 45), true),
            (&able, &new, (1, 43), false),
            (&able, &version("5.11.22"), (1, 44), false),
            (&able, &version("unknown"), (1, 44), false),
            (&unable, &new, (1, 44), false),
            (&info("{"), &new, (1, 44), false),
            (&Info::default(), &new, (1, 44), false),
        ] {
            let found = can_recursive_read_only(info, version, api);
            assert_eq!(found, wanted, "{version:?} {api:?} {info:?}");
        }
    }
}
