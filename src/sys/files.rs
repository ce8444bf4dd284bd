//! Reading with a limit, writing in one piece.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::error::{Error, Kind, Result};

/// Whether a file has to survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durable {
    /// Yes: it and its directory are synced.
    Yes,
    /// No: it lies under /run, or is easily made again.
    No,
}

/// Reads a regular file of at most `max` bytes, following links. Never blocks: a FIFO, a device or a socket is refused.
///
/// # Errors
/// `Gone`, `Refused` (also for what is no regular file), `TooBig`.
pub fn read_bounded(path: &Path, max: usize) -> Result<Vec<u8>> {
    let file = open_regular(path, OFlag::empty())?;
    read_open(file, path, max)
}

/// As [`read_bounded`], but the last component may not be a link.
///
/// # Errors
/// As [`read_bounded`]; `Refused` for a link.
pub fn read_no_follow(path: &Path, max: usize) -> Result<Vec<u8>> {
    let file = open_regular(path, OFlag::O_NOFOLLOW)?;
    read_open(file, path, max)
}

/// Opens a regular file for reading, without blocking on anything else that may stand at its place.
///
/// # Errors
/// `Gone`; `Refused`, also for what is no regular file.
pub fn open_regular(path: &Path, flags: OFlag) -> Result<File> {
    let doing = || format!("open {}", path.display());
    let quick = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | flags;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(quick.bits())
        .open(path)
        .map_err(|e| Error::io(doing(), &e))?;
    let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
    if is_file {
        Ok(file)
    } else {
        Err(Error::new(doing(), Kind::Refused, "not a regular file"))
    }
}

/// Reads what is open; `path` is for messages.
pub(super) fn read_open(file: File, path: &Path, max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(format!("read {}", path.display()), &e))?;
    if bytes.len() > max {
        let said = format!("larger than {max} bytes");
        return Err(Error::new(
            format!("read {}", path.display()),
            Kind::TooBig,
            said,
        ));
    }
    Ok(bytes)
}

/// Replaces a file in one piece: a reader sees the old or the new, never half of it.
///
/// The directory is not made: whoever owns it decides about its mode.
///
/// # Errors
/// The old file stays.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, durable: Durable) -> Result<()> {
    let doing = || format!("write {}", path.display());
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.new"));
    let write = || -> std::io::Result<()> {
        // A left-over of a crash may have another mode, or be a link.
        let _ = std::fs::remove_file(&temporary);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        if durable == Durable::Yes {
            file.sync_all()?;
        }
        std::fs::rename(&temporary, path)?;
        if let (Durable::Yes, Some(dir)) = (durable, path.parent()) {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        Error::io(doing(), &e)
    })
}

/// The digest that people pin files by: 64 hex digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    let hex = |byte: &u8| format!("{byte:02x}");
    digest.as_ref().iter().map(hex).collect()
}

/// The size of the file system that a path is on; 0 where that cannot be told.
pub fn disk_bytes(path: &str) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(0, |disk| disk.blocks() * disk.fragment_size())
}

/// The bytes of the file system that a path is on: in all, and left for everybody; `None` where that cannot be told.
pub fn disk_room(path: &str) -> Option<(u64, u64)> {
    let disk = nix::sys::statvfs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
    Some((bytes(disk.blocks()), bytes(disk.blocks_available())))
}

/// The files that a file system can have: in all, and left; `None` where that cannot be told or has no limit.
pub fn disk_files(path: &str) -> Option<(u64, u64)> {
    let disk = nix::sys::statvfs::statvfs(path).ok()?;
    (disk.files() > 0).then(|| (disk.files(), disk.files_available()))
}

/// Makes a directory with its parents; one that is there keeps its mode.
///
/// # Errors
/// As the kernel says.
pub fn make_dir(path: &Path, mode: u32) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| Error::io(format!("make directory {}", path.display()), &e))
}
