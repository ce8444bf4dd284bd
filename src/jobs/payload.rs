//! The files of a volume, laid as the kubelet lays them: a directory named by the time, `..data` that leads to it, and
//! a link for each first part of a path. A program that watches `..data` sees them change all at once.
//!
//! Source: kubelet 1.36 `pkg/volume/util/atomic_writer.go`.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;

use crate::sys::{Error, Gather, Result, Wall, files};
use crate::translate::PlannedFile;

const DIR_MODE: u32 = 0o755;

/// Writes the files into an empty volume, or into one that an earlier attempt left unfinished. No container has it yet.
///
/// # Errors
/// As the kernel says; the next attempt starts anew.
pub(super) fn write(volume: &Path, planned: &[PlannedFile], now: Wall) -> Result<()> {
    let name = format!("..{}", now.timestamp().strftime("%Y_%m_%d_%H_%M_%S.%f"));
    let dir = volume.join(&name);
    clear(volume)?;
    files::make_dir(&dir, DIR_MODE)?;
    fs::set_permissions(&dir, Permissions::from_mode(DIR_MODE))
        .map_err(|e| Error::io(format!("set the mode of {}", dir.display()), &e))?;
    for file in planned {
        put(&dir, file)?;
    }
    link(&name, &volume.join("..data"))?;
    let first = |file: &PlannedFile| file.path.split('/').next().unwrap_or_default().to_owned();
    let first: BTreeSet<String> = planned.iter().map(first).gather();
    for name in first {
        link(&format!("..data/{name}"), &volume.join(name))?;
    }
    Ok(())
}

/// Only what this program made is in it, one level deep and below that plain directories.
fn clear(volume: &Path) -> Result<()> {
    let doing = || format!("clear {}", volume.display());
    let entries = fs::read_dir(volume).map_err(|e| Error::io(doing(), &e))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let removed = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(|e| Error::io(doing(), &e))?;
    }
    Ok(())
}

fn put(dir: &Path, file: &PlannedFile) -> Result<()> {
    let path = dir.join(&file.path);
    if let Some(parent) = path.parent() {
        files::make_dir(parent, DIR_MODE)?;
    }
    let write = || -> std::io::Result<()> {
        let mut open = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(file.mode)
            .open(&path)?;
        open.write_all(file.text.as_bytes())?;
        open.set_permissions(Permissions::from_mode(file.mode))
    };
    write().map_err(|e| Error::io(format!("write {}", path.display()), &e))
}

fn link(target: &str, link: &Path) -> Result<()> {
    symlink(target, link).map_err(|e| Error::io(format!("link {}", link.display()), &e))
}
