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
use nix::fcntl::{AtFlags, OFlag, renameat};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::sys::{Error, Kind, Result};

/// Each level holds a descriptor. What lies deeper is moved up first, so that no container can build a tree that stays.
const DEPTH_MAX: u32 = 128;

/// Names that are held in memory at a time: a container may have made millions.
const NAMES_MAX: usize = 1024;

/// Removes a directory and all in it, as far as it lies on one file system. One that is not there is fine.
///
/// # Errors
/// What could not be removed; the rest stays, for the next try.
pub(super) fn remove(path: &Path) -> Result<()> {
    let doing = || format!("remove {}", path.display());
    let top = match Dir::open(path, dir_flags(), Mode::empty()) {
        Ok(top) => top,
        Err(Errno::ENOENT) => return Ok(()),
        Err(error) => return Err(Error::errno(doing(), error)),
    };
    let fault = |e| Error::errno(doing(), e);
    let device = fstat(top.as_fd()).map_err(fault)?.st_dev;
    let top_fd = top
        .as_fd()
        .try_clone_to_owned()
        .map_err(|e| Error::io(doing(), &e))?;
    let mut walk = Walk {
        top: top_fd,
        device,
        moved: 0,
    };
    walk.empty(top, 0).map_err(|e| e.while_doing(doing()))?;
    std::fs::remove_dir(path).map_err(|e| Error::io(doing(), &e))
}

fn dir_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC
}

struct Walk {
    top: OwnedFd,
    device: u64,
    moved: u64,
}

impl Walk {
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
            // Asked of what is open, not of the name, which may be another by now.
            if fstat(inner.as_fd()).map_err(fault)?.st_dev != self.device {
                return Err(Error::new(
                    "remove",
                    Kind::Refused,
                    "something is mounted there",
                ));
            }
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
