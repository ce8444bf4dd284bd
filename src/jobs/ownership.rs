//! `fsGroup`: a volume and all in it get the pod's group (kubelet `volume_linux.go`).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use crate::sys::{Error, Result};

/// Read and write for the group; on directories also search and inheritance.
const FILE_BITS: u32 = 0o660;
const DIR_BITS: u32 = 0o2770;

/// A volume deeper than this is left as it is below.
const DEPTH_MAX: usize = 64;

/// Children before the directory itself; a symlink gets the group only. What cannot be changed stays, as in the kubelet.
///
/// # Errors
/// Only when the volume itself cannot be given away.
pub(super) fn give_to_group(volume: &Path, group: u32) -> Result<()> {
    below(volume, group, 0);
    give(volume, group)
        .map_err(|e| Error::io(format!("give {} to group {group}", volume.display()), &e))
}

fn below(dir: &Path, group: u32, depth: usize) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    if depth >= DEPTH_MAX {
        return;
    }
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&entry.path(), group, depth + 1);
        }
        let _ = give(&entry.path(), group);
    }
}

fn give(path: &Path, group: u32) -> std::io::Result<()> {
    let meta = fs::symlink_metadata(path)?;
    lchown(path, None, Some(group))?;
    if meta.is_symlink() {
        return Ok(());
    }
    let bits = if meta.is_dir() { DIR_BITS } else { FILE_BITS };
    fs::set_permissions(
        path,
        Permissions::from_mode((meta.permissions().mode() | bits) & 0o7777),
    )
}
