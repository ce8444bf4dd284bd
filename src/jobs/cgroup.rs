//! The limits of a pod as a whole: written into the cgroup that its sandbox has brought about.
//!
//! Docker limits containers only. The cgroup above them is made by the container runtime, so that it is there once the
//! sandbox runs, and goes with it or with the pod's clean-up. Under systemd it is a slice: what is written here holds
//! until somebody sets that slice's properties.

use std::fs;
use std::path::{Path, PathBuf};

use super::PodRequest;
use crate::pod::ValidPod;
use crate::sys::{Error, Kind, Result};
use crate::translate::{CgroupLimits, cgroup_limits, cgroup_path};

/// Where every machine has its cgroups.
const ROOT: &str = "/sys/fs/cgroup";

/// The period of a quota, as in the bodies of the containers.
const PERIOD_US: i64 = 100_000;

/// Writes what the pod as a whole may use; nothing where that is not limited.
///
/// # Errors
/// A limit that cannot be written; the others are.
pub(super) fn limit(pod: &ValidPod, request: &PodRequest) -> Result<()> {
    let refused = |problem| Error::new("limit the pod as a whole", Kind::Refused, problem);
    let limits = cgroup_limits(pod, &request.node).map_err(refused)?;
    let path = cgroup_path(pod, &request.docker).map_err(refused)?;
    let mut result = Ok(());
    for (file, text) in files(
        Path::new(ROOT),
        &path,
        &limits,
        request.docker.cgroup_version,
    ) {
        let doing = || {
            format!(
                "limit the pod as a whole: write {text} to {}",
                file.display()
            )
        };
        if let Err(error) = fs::write(&file, &text) {
            result = Err(Error::io(doing(), &error));
        }
    }
    result
}

/// The files with what is to be in them.
fn files(root: &Path, path: &str, limits: &CgroupLimits, version: u8) -> Vec<(PathBuf, String)> {
    let quota = limits.cpu_quota_us.map(|quota| match version {
        1 => ("cpu", "cpu.cfs_quota_us", quota.to_string()),
        _ => ("", "cpu.max", format!("{quota} {PERIOD_US}")),
    });
    let memory = limits.memory_bytes.map(|bytes| match version {
        1 => ("memory", "memory.limit_in_bytes", bytes.to_string()),
        _ => ("", "memory.max", bytes.to_string()),
    });
    let pids = limits.pids.map(|pids| match version {
        1 => ("pids", "pids.max", pids.to_string()),
        _ => ("", "pids.max", pids.to_string()),
    });
    let all = [quota, memory, pids].into_iter().flatten();
    all.map(|(hierarchy, file, text)| (root.join(hierarchy).join(path).join(file), text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_files_of_its_own() {
        let limits = CgroupLimits {
            cpu_quota_us: Some(50_000),
            memory_bytes: Some(64),
            pids: Some(9),
        };
        let of = |version| {
            let found = files(Path::new("/c"), "kubepods/podx", &limits, version);
            let lines = found
                .iter()
                .map(|(path, text)| format!("{}={text}", path.display()));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(
            of(1),
            [
                "/c/cpu/kubepods/podx/cpu.cfs_quota_us=50000",
                "/c/memory/kubepods/podx/memory.limit_in_bytes=64",
                "/c/pids/kubepods/podx/pids.max=9",
            ]
        );
        assert_eq!(
            of(2),
            [
                "/c/kubepods/podx/cpu.max=50000 100000",
                "/c/kubepods/podx/memory.max=64",
                "/c/kubepods/podx/pids.max=9",
            ]
        );
    }
}
