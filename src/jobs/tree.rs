//! Removing a directory tree without leaving it: never through a mount, never through a symlink.
//!
//! Every step is made relative to an open directory with `O_NOFOLLOW`, so that nobody who swaps a directory for a link
//! while this runs can lead it elsewhere.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::sys::{Error, Kind, Result, mounts};

/// Each level holds a descriptor. What lies deeper is moved up first, so that no container can build a tree that stays.
const DEPTH_MAX: u32 = 128;

/// Names that are held in memory at a time: a container may have made millions.
const NAMES_MAX: usize = 1024;

/// Removes a directory and all in it, as far as it lies on one mount. One that is not there is fine. The directories above
/// it are trusted.
///
/// # Errors
/// What could not be removed; the rest stays, for the next try.
pub(super) fn remove(path: &Path) -> Result<()> {
    let doing = || format!("remove {}", path.display());
    match remove_dir(path) {
        Err(error) if error.kind() == Kind::Gone => Ok(()),
        other => other.map_err(|e| e.while_doing(doing())),
    }
}

fn remove_dir(path: &Path) -> Result<()> {
    let fault = |e| Error::errno("open", e);
    let name = path.file_name().unwrap_or_default();
    let above = path.parent().unwrap_or(path);
    let above = open(above, dir_flags() & !OFlag::O_NOFOLLOW, Mode::empty()).map_err(fault)?;
    let dir = Dir::openat(&above, name, dir_flags(), Mode::empty()).map_err(fault)?;
    let top = dir.as_fd().try_clone_to_owned();
    let mut walk = Walk {
        top: top.map_err(|e| Error::io("open", &e))?,
        place: Place::of(&above)?,
        moved: 0,
    };
    walk.enter(&dir)?;
    walk.empty(dir, 0)?;
    unlinkat(&above, name, UnlinkatFlags::RemoveDir).map_err(|e| Error::errno("remove", e))
}

fn dir_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

/// What an open directory is on. The mount tells bind mounts of one file system apart, the device is for kernels that do
/// not tell the mount.
#[derive(PartialEq, Eq)]
struct Place {
    device: u64,
    mount: Option<u64>,
}

impl Place {
    fn of(dir: impl AsFd) -> Result<Place> {
        let stat = fstat(&dir).map_err(|e| Error::errno("look at", e))?;
        Ok(Place {
            device: stat.st_dev,
            mount: mounts::id(dir),
        })
    }
}

struct Walk {
    top: OwnedFd,
    place: Place,
    moved: u64,
}

impl Walk {
    /// Asked of what is open, not of the name, which may be another by now.
    fn enter(&self, dir: &Dir) -> Result<()> {
        if Place::of(dir)? == self.place {
            return Ok(());
        }
        let said = "something is mounted there; unmount it";
        Err(Error::new("remove", Kind::Refused, said))
    }

    /// Removes what is in `dir`. What was moved up to the top meanwhile is met there, since the top is read again until
    /// nothing is left.
    fn empty(&mut self, mut dir: Dir, depth: u32) -> Result<()> {
        loop {
            let names = some_names(&mut dir)?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                let shown = name.to_string_lossy().into_owned();
                self.remove_one(&dir, &name, depth)
                    .map_err(|e| e.while_doing(shown))?;
            }
        }
    }

    fn remove_one(&mut self, dir: &Dir, name: &CStr, depth: u32) -> Result<()> {
        let fault = |e| Error::errno("remove", e);
        let stat = match fstatat(dir.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => return Ok(()),
            Err(error) => return Err(fault(error)),
        };
        let is_dir = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
        if is_dir && depth >= DEPTH_MAX {
            self.moved += 1;
            let place = format!(".staticlet-{}", self.moved);
            return renameat(dir.as_fd(), name, &self.top, place.as_str()).map_err(fault);
        }
        let how = if is_dir {
            let inner =
                Dir::openat(dir.as_fd(), name, dir_flags(), Mode::empty()).map_err(fault)?;
            self.enter(&inner)?;
            self.empty(inner, depth + 1)?;
            UnlinkatFlags::RemoveDir
        } else {
            UnlinkatFlags::NoRemoveDir
        };
        match unlinkat(dir.as_fd(), name, how) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }
}

/// The first names in a directory, at most [`NAMES_MAX`].
fn some_names(dir: &mut Dir) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in dir.iter() {
        let entry = entry.map_err(|e| Error::errno("list", e))?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
        if names.len() == NAMES_MAX {
            break;
        }
    }
    Ok(names)
}

/// Whether something is mounted on this directory.
pub(super) fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| std::fs::symlink_metadata(path).map(|meta| meta.dev());
    match (device(path), path.parent().map(device)) {
        (Ok(own), Some(Ok(above))) => own != above,
        (Ok(_) | Err(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let dir =
            std::env::temp_dir().join(format!("staticlet-tree-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_link_is_removed_and_not_what_it_names() {
        let dir = scratch("link");
        std::fs::create_dir_all(dir.join("kept/below")).unwrap();
        std::fs::create_dir_all(dir.join("tree/inner")).unwrap();
        symlink(dir.join("kept"), dir.join("tree/inner/out")).unwrap();
        symlink("..", dir.join("tree/up")).unwrap();
        remove(&dir.join("tree")).unwrap();
        assert!(dir.join("kept/below").is_dir() && !dir.join("tree").exists());
        remove(&dir.join("tree")).unwrap();
        symlink(dir.join("kept"), dir.join("tree")).unwrap();
        assert_eq!(remove(&dir.join("tree")).unwrap_err().kind(), Kind::Refused);
        assert!(dir.join("kept/below").is_dir());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn no_tree_is_too_deep_or_too_wide() {
        let dir = scratch("deep");
        let mut at = Dir::open(&dir, dir_flags(), Mode::empty()).unwrap();
        for _ in 0..1000 {
            nix::sys::stat::mkdirat(at.as_fd(), "d", Mode::S_IRWXU).unwrap();
            at = Dir::openat(at.as_fd(), "d", dir_flags(), Mode::empty()).unwrap();
        }
        for n in 0..3000 {
            std::fs::write(dir.join(format!("f{n}")), "").unwrap();
        }
        remove(&dir).unwrap();
        assert!(!dir.exists());
    }
}
