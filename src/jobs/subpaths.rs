//! Parts of volumes (`subPath`), mounted where no container can reach, so that dockerd can be given a path.
//!
//! dockerd follows links, and a container may change every link in its volumes at any time. So the part is opened without
//! leaving the volume, and what is open is bound to a place in the pod's directory; that place is what dockerd gets. It
//! stays mounted until the pod goes: `cleanup.rs` finds it in the kernel's table, whoever made it.
//!
//! Source: kubelet 1.36 `pkg/volume/util/subpath/subpath_linux.go` doBindSubPath.

use std::fs::{self, OpenOptions};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{FileStat, SFlag, fstat};

use crate::sys::{Error, Kind, Result, files, inside, mounts};
use crate::translate::{SubPathPlan, paths};

/// The mode of a file that a mount covers.
const FILE_MODE: u32 = 0o640;

/// Binds a part of a volume to its place. Nothing is done where it is there already.
///
/// # Errors
/// What cannot be opened inside of the volume, or mounted; a mount of something else at that place may be gone by then.
pub(super) fn bind(plan: &SubPathPlan) -> Result<()> {
    let source = inside::open_or_make(Path::new(&plan.root), Path::new(&plan.path))?;
    let stat = fstat(&source).map_err(|e| Error::errno(format!("look at {}", plan.path), e))?;
    let target = place(Path::new(&plan.target))?;
    let there = mounts::at_and_below(&target)?;
    let there = there.iter().filter(|mount| mount.at == target).count();
    if there > 0 && is_same(&target, &stat) {
        return Ok(());
    }
    for _ in 0..there {
        mounts::take_away(&target)?;
    }
    make(&target, &stat)?;
    bind_open(&source, &target)
}

/// Whether this is where a part of a volume is bound: `volume-subpaths/<volume>/<container>/<number>`.
pub(super) fn is_target(pod: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(pod.join(paths::SUB_PATHS));
    below.is_ok_and(|below| below.components().count() == 3)
}

/// The place as the kernel's table has it. Only its last part may be missing afterwards.
fn place(target: &Path) -> Result<PathBuf> {
    let above = target.parent().unwrap_or(target);
    files::make_dir(above, paths::DIR_MODE)?;
    let real = fs::canonicalize(above)
        .map_err(|e| Error::io(format!("look up {}", above.display()), &e))?;
    Ok(real.join(target.file_name().unwrap_or_default()))
}

fn is_same(target: &Path, source: &FileStat) -> bool {
    let there = fs::symlink_metadata(target);
    there.is_ok_and(|there| (there.dev(), there.ino()) == (source.st_dev, source.st_ino))
}

/// Makes what is mounted on: a directory for a directory, a file for anything else. What is there of the other kind is
/// left from an earlier time, and empty.
fn make(target: &Path, source: &FileStat) -> Result<()> {
    let is_dir = SFlag::from_bits_truncate(source.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    if is_dir {
        let _ = fs::remove_file(target);
        return files::make_dir(target, paths::DIR_MODE);
    }
    let _ = fs::remove_dir(target);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(target)
        .map(drop)
        .map_err(|e| Error::io(format!("make {}", target.display()), &e))
}

/// The kernel goes from this path to what is open, and looks at no name on the way.
fn bind_open(source: &OwnedFd, target: &Path) -> Result<()> {
    let path = format!("/proc/self/fd/{}", source.as_raw_fd());
    let path = Some(path.as_str());
    mount(path, target, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|errno| {
        let error = std::io::Error::from(errno);
        let said = format!(
            "{error}; for subPath staticlet needs CAP_SYS_ADMIN in the mount namespace of dockerd"
        );
        let doing = format!("bind it to {}", target.display());
        Error::new(doing, Kind::Refused, said)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_places_of_parts_are_ours() {
        let is = |path: &str| is_target(Path::new("/p/u"), Path::new(path));
        assert!(is("/p/u/volume-subpaths/v/c/0"));
        for other in [
            "/p/u/volume-subpaths/v/c",
            "/p/u/volume-subpaths/v/c/0/mnt",
            "/p/u/volumes/v/c/0",
            "/p/ux/volume-subpaths/v/c/0",
        ] {
            assert!(!is(other), "{other}");
        }
    }
}
