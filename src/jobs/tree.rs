//! Removing a directory tree without leaving it: never through a mount, never through a symlink.
//!
//! Every step is made relative to an open directory with `O_NOFOLLOW`, so that nobody who swaps a directory for a link
//! while this runs can lead it elsewhere.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::sys::{Error, Kind, Result};

/// Deeper trees are left, with an error: each level holds a descriptor.
const DEPTH_MAX: usize = 256;

/// Removes a directory and all in it, as far as it lies on one file system. One that is not there is fine.
///
/// # Errors
/// What could not be removed; the rest below it stays.
pub(super) fn remove(path: &Path) -> Result<()> {
    let fault = |e: Errno| Error::errno(format!("remove {}", path.display()), e);
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let dir = match Dir::open(path, flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(Errno::ENOENT) => return Ok(()),
        Err(error) => return Err(fault(error)),
    };
    let device = fstat(dir.as_fd()).map_err(fault)?.st_dev;
    empty(dir, device, 0).map_err(|e| e.while_doing(format!("remove {}", path.display())))?;
    std::fs::remove_dir(path).map_err(|e| Error::io(format!("remove {}", path.display()), &e))
}

fn empty(mut dir: Dir, device: u64, depth: usize) -> Result<()> {
    let mut names: Vec<CString> = Vec::new();
    for entry in dir.iter() {
        let entry = entry.map_err(|e| Error::errno("list", e))?;
        let name = entry.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    for name in names {
        let shown = name.to_string_lossy().into_owned();
        let fault = |e: Errno| Error::errno(shown.clone(), e);
        let stat = match fstatat(dir.as_fd(), name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::ENOENT) => continue,
            Err(error) => return Err(fault(error)),
        };
        let mut how = UnlinkatFlags::NoRemoveDir;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR {
            if stat.st_dev != device || depth >= DEPTH_MAX {
                return Err(Error::new(
                    shown,
                    Kind::Refused,
                    "something is mounted there, or it is too deep",
                ));
            }
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let inner =
                Dir::openat(dir.as_fd(), name.as_c_str(), flags, Mode::empty()).map_err(fault)?;
            if fstat(inner.as_fd()).map_err(fault)?.st_dev != device {
                return Err(Error::new(
                    shown,
                    Kind::Refused,
                    "something is mounted there",
                ));
            }
            empty(inner, device, depth + 1).map_err(|e| e.while_doing(&shown))?;
            how = UnlinkatFlags::RemoveDir;
        }
        match unlinkat(dir.as_fd(), name.as_c_str(), how) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(error) => return Err(fault(error)),
        }
    }
    Ok(())
}

/// Whether something is mounted on this directory.
pub(super) fn is_mount_point(path: &Path) -> bool {
    let device = |path: &Path| std::fs::symlink_metadata(path).map(|meta| meta.dev());
    match (device(path), path.parent().map(device)) {
        (Ok(own), Some(Ok(above))) => own != above,
        (Ok(_) | Err(_), _) => false,
    }
}
