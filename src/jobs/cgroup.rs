//! The limits of a pod as a whole: written into the cgroup that its sandbox has brought about.
//!
//! Docker limits containers only. The cgroup above them is made by the container runtime, so that it is there once the
//! sandbox runs. The runtime leaves it behind; it goes with the pod's clean-up. Under systemd it is a slice: what is written here holds
//! until somebody sets that slice's properties.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::weights::{weigh_class, weight};
use super::{PodRequest, hugepages};
use crate::pod::{PodUid, ValidPod};
use crate::state::DockerFacts;
use crate::sys::{Error, Kind, Result, pause};
use crate::translate::{CPU_PERIOD_US, CgroupLimits, cgroup_limits, cgroup_path, cgroup_paths};

/// Where every machine has its cgroups.
const ROOT: &str = "/sys/fs/cgroup";

/// A process that has just ended keeps its cgroup for a moment: 10, 20, 40 and 80 ms are waited, as runc does.
const REMOVE_TRIES: u32 = 5;
const REMOVE_WAIT: Duration = Duration::from_millis(10);

/// Cgroups deeper than this stay.
const DEPTH_MAX: u32 = 16;

/// Writes what the pod as a whole may use; nothing where that is not limited.
///
/// # Errors
/// A limit that cannot be written; the others are.
pub(super) fn limit(pod: &ValidPod, request: &PodRequest) -> Result<()> {
    let refused = |problem| Error::new("limit the pod as a whole", Kind::Refused, problem);
    let limits = cgroup_limits(pod, &request.node).map_err(refused)?;
    let path = cgroup_path(pod, &request.docker).map_err(refused)?;
    let mut result = Ok(());
    let version = request.docker.cgroup_version;
    let mut files = files(Path::new(ROOT), &path, &limits, version);
    let sizes = hugepages::set_aside().into_keys();
    files.extend(
        sizes
            .flat_map(|page| huge_page_files(page, &limits, version))
            .map(|(hierarchy, file, text)| {
                (Path::new(ROOT).join(hierarchy).join(&path).join(file), text)
            })
            // Not every kernel counts these, and not every machine has that hierarchy.
            .filter(|(file, _)| file.exists()),
    );
    for (file, text) in files {
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
    weigh_class_of(&path, version).and(result)
}

/// Removes the cgroup of a pod without containers. One in which somebody has a process stays: the kernel removes none that
/// is in use, and no data can be in it.
pub(super) fn remove(uid: &PodUid, docker: &DockerFacts) {
    let paths = cgroup_paths(uid, docker);
    remove_below(Path::new(ROOT), &paths);
    // What is left of its class weighs less; that this cannot be told any more harms nobody.
    for path in &paths {
        let _ = weigh_class_of(path, docker.cgroup_version);
    }
}

/// Weighs the QoS class that this cgroup of a pod is in.
fn weigh_class_of(pod: &str, version: u8) -> Result<()> {
    let hierarchy = if version == 1 { "cpu" } else { "" };
    let pod = Path::new(ROOT).join(hierarchy).join(pod);
    let class = pod.parent().unwrap_or(&pod);
    weigh_class(class, version)
        .map_err(|error| Error::io(format!("weigh {}", class.display()), &error))
}

/// With version 1 each hierarchy has a directory; with version 2 the root is the only one.
fn remove_below(root: &Path, paths: &[String]) {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let hierarchies = entries.map(|entry| entry.path());
    for hierarchy in hierarchies.chain([root.to_owned()]) {
        for path in paths {
            remove_tree(&hierarchy.join(path), 0);
        }
    }
}

/// Whether it is gone. What is below was made by programs in the containers.
#[allow(clippy::wildcard_enum_match_arm)] // std's enum is open
fn remove_tree(dir: &Path, depth: u32) -> bool {
    for tried in 0..REMOVE_TRIES {
        match fs::remove_dir(dir) {
            Ok(()) => return true,
            Err(error) => match error.kind() {
                ErrorKind::NotFound => return true,
                ErrorKind::ResourceBusy | ErrorKind::DirectoryNotEmpty => {}
                _ => return false,
            },
        }
        let below = fs::read_dir(dir).into_iter().flatten().flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
        let gone = depth < DEPTH_MAX && below.iter().all(|dir| remove_tree(dir, depth + 1));
        if !gone {
            return false;
        }
        if below.is_empty() && tried + 1 < REMOVE_TRIES {
            pause(REMOVE_WAIT * (1 << tried));
        }
    }
    false
}

/// The files with what is to be in them.
fn files(root: &Path, path: &str, limits: &CgroupLimits, version: u8) -> Vec<(PathBuf, String)> {
    let quota = limits.cpu_quota_us.map(|quota| match version {
        1 => ("cpu", "cpu.cfs_quota_us", quota.to_string()),
        _ => ("", "cpu.max", format!("{quota} {CPU_PERIOD_US}")),
    });
    let weight = weight(limits.cpu_shares, version);
    let memory = limits.memory_bytes.map(|bytes| match version {
        1 => ("memory", "memory.limit_in_bytes", bytes.to_string()),
        _ => ("", "memory.max", bytes.to_string()),
    });
    let pids = limits.pids.map(|pids| {
        let hierarchy = if version == 1 { "pids" } else { "" };
        (hierarchy, "pids.max", pids.to_string())
    });
    let all = [Some(weight), quota, memory, pids].into_iter().flatten();
    all.map(|(hierarchy, file, text)| (root.join(hierarchy).join(path).join(file), text))
        .collect()
}

/// What limits the pages of one size: those in use, and those set aside for a mapping. A pod has none of a size that it did
/// not ask for.
///
/// Source: kubelet 1.36 `cm/cgroup_manager_linux.go` maybeSetHugetlb.
fn huge_page_files(
    page: u64,
    limits: &CgroupLimits,
    version: u8,
) -> [(&'static str, String, String); 2] {
    let size = hugepages::in_units(page, ["GB", "MB", "KB"]);
    let bytes = limits.huge_pages.get(&page).copied().unwrap_or(0);
    let (hierarchy, file) = match version {
        1 => ("hugetlb", "limit_in_bytes"),
        _ => ("", "max"),
    };
    ["", "rsvd."].map(|kind| {
        (
            hierarchy,
            format!("hugetlb.{size}.{kind}{file}"),
            bytes.to_string(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_uses_is_removed() {
        let root = std::env::temp_dir().join(format!("staticlet-cgroup-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let docker = DockerFacts::default();
        let paths = cgroup_paths(&PodUid("u".into()), &docker);
        assert_eq!(
            paths,
            [
                "kubepods/podu",
                "kubepods/burstable/podu",
                "kubepods/besteffort/podu"
            ]
        );
        for dir in [
            "cpu/kubepods/podu/a/b",
            "pids/kubepods/burstable/podu",
            "kubepods/besteffort/podu/c",
        ] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        // Stands for a process in it: the directory cannot be removed.
        fs::create_dir_all(root.join("memory/kubepods/podu/used")).unwrap();
        fs::write(root.join("memory/kubepods/podu/used/file"), "").unwrap();
        fs::create_dir_all(root.join("cpu/kubepods/podv")).unwrap();
        remove_below(&root, &paths);
        let gone = |path: &str| !root.join(path).exists();
        assert!(gone("cpu/kubepods/podu") && gone("pids/kubepods/burstable/podu"));
        assert!(gone("kubepods/besteffort/podu") && !gone("kubepods/besteffort"));
        assert!(!gone("memory/kubepods/podu/used/file") && !gone("cpu/kubepods/podv"));
        let systemd = DockerFacts {
            cgroup_driver: "systemd".into(),
            ..DockerFacts::default()
        };
        assert!(cgroup_paths(&PodUid("u".into()), &systemd).is_empty());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn each_version_has_files_of_its_own() {
        let limits = CgroupLimits {
            cpu_shares: 512,
            cpu_quota_us: Some(50_000),
            memory_bytes: Some(64),
            pids: Some(9),
            huge_pages: [(2 << 20, 64)].into(),
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
                "/c/cpu/kubepods/podx/cpu.shares=512",
                "/c/cpu/kubepods/podx/cpu.cfs_quota_us=50000",
                "/c/memory/kubepods/podx/memory.limit_in_bytes=64",
                "/c/pids/kubepods/podx/pids.max=9",
            ]
        );
        assert_eq!(
            of(2),
            [
                "/c/kubepods/podx/cpu.weight=20",
                "/c/kubepods/podx/cpu.max=50000 100000",
                "/c/kubepods/podx/memory.max=64",
                "/c/kubepods/podx/pids.max=9",
            ]
        );
        let of = |page, version| {
            let files = huge_page_files(page, &limits, version);
            files.map(|(dir, file, text)| format!("{dir}/{file}={text}"))
        };
        assert_eq!(
            of(2 << 20, 1),
            [
                "hugetlb/hugetlb.2MB.limit_in_bytes=64",
                "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes=64"
            ]
        );
        assert_eq!(
            of(1 << 30, 2),
            ["/hugetlb.1GB.max=0", "/hugetlb.1GB.rsvd.max=0"]
        );
    }
}
