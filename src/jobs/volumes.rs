//! The pod's directories and volumes, made before its sandbox.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::ownership::Access;
use super::report::{Failed, because};
use super::{PodRequest, hugepages, ownership, payload, tree};
use crate::pod::ValidPod;
use crate::state::FailReason;
use crate::sys::{Error, Kind, Result, files, now};
use crate::translate::{HostPathKind, Medium, VolumePlan, huge_pages, paths, volume_plans};

/// An emptyDir is for every user of the pod (kubelet `empty_dir.go`).
const EMPTY_DIR_MODE: u32 = 0o777;

/// A volume of files is one as well, in memory: the bits of a fresh tmpfs.
const FILES_DIR_MODE: u32 = 0o1777;

/// Makes everything that the pod's containers will mount.
pub(super) fn set_up(pod: &ValidPod, request: &PodRequest) -> std::result::Result<(), Failed> {
    let pages = huge_pages(pod).map_err(because(FailReason::CreatePodSandboxError))?;
    hugepages::check(&pages).map_err(because(FailReason::CreatePodSandboxError))?;
    let dir = paths::pod_dir(&request.node, &pod.uid);
    files::make_dir(Path::new(&dir), paths::DIR_MODE).map_err(because(FailReason::FailedMount))?;
    let disk_bytes = files::disk_bytes(&request.node.root_dir);
    for plan in volume_plans(pod, &request.node, &request.docker, disk_bytes)
        .map_err(because(FailReason::FailedMount))?
    {
        let volume = match &plan {
            VolumePlan::EmptyDir { volume, .. }
            | VolumePlan::Files { volume, .. }
            | VolumePlan::HostPath { volume, .. } => volume.clone(),
        };
        carry_out(&plan).map_err(|error| {
            because(FailReason::FailedMount)(format!(
                "MountVolume.SetUp failed for volume {volume:?}: {error}"
            ))
        })?;
    }
    Ok(())
}

fn carry_out(plan: &VolumePlan) -> Result<()> {
    match plan {
        VolumePlan::HostPath { path, kind, .. } => host_path(Path::new(path), *kind),
        VolumePlan::EmptyDir {
            path,
            ready,
            medium,
            fs_group,
            ..
        } => {
            let (path, ready) = (Path::new(path), Path::new(ready));
            let there = ready.exists() && path.is_dir();
            if there && (*medium == Medium::Disk || tree::is_mount_point(path)) {
                return Ok(());
            }
            files::make_dir(path.parent().unwrap_or(path), paths::DIR_MODE)?;
            files::make_dir(path, EMPTY_DIR_MODE)?;
            set_mode(path, EMPTY_DIR_MODE)?;
            match medium {
                Medium::Disk => {}
                _ if tree::is_mount_point(path) => {}
                Medium::Memory(bytes) => mount_tmpfs(path, *bytes)?,
                Medium::HugePages(page_bytes) => hugepages::mount_at(path, *page_bytes)?,
            }
            if let Some(group) = fs_group {
                ownership::give_to_group(path, *group, Access::Write)?;
            }
            files::make_dir(ready, paths::DIR_MODE)
        }
        VolumePlan::Files {
            path,
            ready,
            tmpfs_bytes,
            files,
            fs_group,
            ..
        } => {
            let (path, ready) = (Path::new(path), Path::new(ready));
            if ready.exists() && tree::is_mount_point(path) {
                return Ok(());
            }
            files::make_dir(path.parent().unwrap_or(path), paths::DIR_MODE)?;
            files::make_dir(path, EMPTY_DIR_MODE)?;
            if !tree::is_mount_point(path) {
                mount_tmpfs(path, *tmpfs_bytes)?;
            }
            set_mode(path, FILES_DIR_MODE)?;
            payload::write(path, files, now().wall)?;
            if let Some(group) = fs_group {
                ownership::give_to_group(path, *group, Access::Read)?;
            }
            files::make_dir(ready, paths::DIR_MODE)
        }
    }
}

/// Without swap where the kernel can (6.4); older ones refuse the option.
fn mount_tmpfs(path: &Path, bytes: u64) -> Result<()> {
    let try_with = |options: String| {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(
            Some("tmpfs"),
            path,
            Some("tmpfs"),
            flags,
            Some(options.as_str()),
        )
    };
    try_with(format!("size={bytes},noswap"))
        .or_else(|_| try_with(format!("size={bytes}")))
        .map_err(|e| Error::errno(format!("mount a tmpfs at {}", path.display()), e))
}

/// Checks, and makes where the type says so. Symlinks are followed; an error of stat other than "not there" counts as
/// "not there", as in the kubelet.
fn host_path(path: &Path, kind: HostPathKind) -> Result<()> {
    let there = fs::metadata(path);
    let refused = || {
        let doing = "hostPath type check failed";
        Err(Error::new(
            doing,
            Kind::Refused,
            format!("{} is not {}", path.display(), kind.noun()),
        ))
    };
    let Ok(meta) = there else {
        return match kind {
            HostPathKind::Any | HostPathKind::DirectoryOrCreate => files::make_dir(path, 0o755),
            HostPathKind::FileOrCreate => OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(path)
                .map(drop)
                .map_err(|e| Error::io(format!("make {}", path.display()), &e)),
            HostPathKind::Directory
            | HostPathKind::File
            | HostPathKind::Socket
            | HostPathKind::CharDevice
            | HostPathKind::BlockDevice => refused(),
        };
    };
    let kind_of = meta.file_type();
    let fits = match kind {
        HostPathKind::Any => true,
        HostPathKind::Directory | HostPathKind::DirectoryOrCreate => meta.is_dir(),
        HostPathKind::File | HostPathKind::FileOrCreate => meta.is_file(),
        HostPathKind::Socket => kind_of.is_socket(),
        HostPathKind::CharDevice => kind_of.is_char_device(),
        HostPathKind::BlockDevice => kind_of.is_block_device(),
    };
    if fits { Ok(()) } else { refused() }
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|e| Error::io(format!("set the mode of {}", path.display()), &e))
}
