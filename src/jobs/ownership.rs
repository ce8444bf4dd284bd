//! `fsGroup`: a volume and all in it get the pod's group (kubelet `volume_linux.go`).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use crate::sys::{Error, Result};

/// What the group may do with the files; directories it may always search, and what is made in them inherits it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Of a volume that containers cannot write.
    Read,
    /// Of any other.
    Write,
}

const SEARCH_AND_INHERIT: u32 = 0o2110;

/// A volume deeper than this is left as it is below.
const DEPTH_MAX: usize = 64;

/// Children before the directory itself; a symlink gets the group only. What cannot be changed stays, as in the kubelet.
///
/// # Errors
/// Only when the volume itself cannot be given away.
pub(super) fn give_to_group(volume: &Path, group: u32, access: Access) -> Result<()> {
    below(volume, group, access, 0);
    give(volume, group, access)
        .map_err(|e| Error::io(format!("give {} to group {group}", volume.display()), &e))
}

fn below(dir: &Path, group: u32, access: Access, depth: usize) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    if depth >= DEPTH_MAX {
        return;
    }
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&entry.path(), group, access, depth + 1);
        }
        let _ = give(&entry.path(), group, access);
    }
}

fn give(path: &Path, group: u32, access: Access) -> std::io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    lchown(path, None, Some(group))?;
    if meta.is_symlink() {
        return Ok(());
    }
    let mut bits = match access {
        Access::Read => 0o440,
        Access::Write => 0o660,
    };
    if meta.is_dir() {
        bits |= SEARCH_AND_INHERIT;
    }
    fs::set_permissions(
        path,
        Permissions::from_mode((meta.permissions().mode() | bits) & 0o7777),
    )
}
