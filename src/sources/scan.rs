//! The manifest path as it is now: names, kinds, stamps, and the bytes of one file.
//!
//! IO. Every call here returns at once on a local file system: nothing but regular files is ever opened.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use crate::sys::{Error, Gather, Kind, Result, Wall};

/// The most bytes that are read of a manifest; one byte more is read, to tell that there is more.
pub(super) const MANIFEST_BYTES_MAX: u64 = crate::pod::MANIFEST_BYTES_MAX as u64;

/// A directory with more names than this is not read: it is not a manifest directory, and every look would cost a stat
/// for each name.
const NAMES_MAX: usize = 10_000;

/// Tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Which file it is.
    pub(super) place: Place,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// Device and inode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(u64, u64);

/// One name in the directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Of the file itself, or of a link that leads nowhere.
    pub(super) stamp: Stamp,
    /// What it is, links followed.
    pub(super) what: What,
    /// Its owner, links followed.
    pub(super) owner: u32,
    /// Its mode, links followed.
    pub(super) mode: u32,
    /// A symbolic link.
    pub(super) symlink: bool,
    /// A symbolic link, or one of several names of one file.
    pub(super) link: bool,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A regular file: the only kind that is ever opened.
    Regular,
    /// A directory.
    Directory,
    /// Something that is not a file, in words.
    Strange(&'static str),
    /// It cannot even be looked at, and why.
    Broken(String),
}

/// Everything in the directory, or the one file.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    /// The directory that was read; for a single file the one it is in.
    pub(super) place: Place,
    /// The path is one file, not a directory.
    pub(super) single: bool,
    /// By name, names beginning with `.` left out.
    pub(super) entries: BTreeMap<OsString, Entry>,
}

impl Stamp {
    fn of(meta: &Metadata) -> Stamp {
        Stamp {
            place: Place::of(meta),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// The later of the times of the last write and the last change: the one may be set at will, the other may not.
    pub(super) fn changed(&self) -> Wall {
        let (seconds, nanos) = self.mtime.max(self.ctime);
        Wall(
            seconds
                .saturating_mul(1_000_000)
                .saturating_add(nanos / 1000),
        )
    }
}

impl Place {
    fn of(meta: &Metadata) -> Place {
        Place(meta.dev(), meta.ino())
    }
}

/// Reads the names at the manifest path. `single` is the directory that held the one file the path named at the last
/// look: as long as that directory is the same, the absence of the file is an answer.
///
/// # Errors
/// `Gone` when the path leads nowhere, `TooBig` when there are too many names, else what the system said.
pub(super) fn list(path: &Path, single: Option<Place>) -> Result<Listing> {
    let doing = || format!("read manifest path {}", path.display());
    let meta = match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => meta,
        Ok(meta) if meta.is_file() => return list_one(path, Some(path)),
        Ok(_) => {
            let said = "it is neither a directory nor a file";
            return Err(Error::new(doing(), Kind::Refused, said));
        }
        Err(_) if single.is_some() => {
            let there = fs::symlink_metadata(path);
            let listing = list_one(path, there.is_ok().then_some(path))?;
            return match there {
                Ok(_) => Ok(listing),
                Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                    Err(Error::io(doing(), &err))
                }
                Err(_) if single == Some(listing.place) => Ok(listing),
                Err(err) => Err(Error::io(doing(), &err)),
            };
        }
        Err(err) => return Err(Error::io(doing(), &err)),
    };
    let mut entries = BTreeMap::new();
    for name in fs::read_dir(path).map_err(|err| Error::io(doing(), &err))? {
        let name = name.map_err(|err| Error::io(doing(), &err))?.file_name();
        if name.as_bytes().starts_with(b".") {
            continue;
        }
        if entries.len() == NAMES_MAX {
            let said = format!("more than {NAMES_MAX} names in it");
            return Err(Error::new(doing(), Kind::TooBig, said));
        }
        // What vanished since is not there.
        if let Some(entry) = entry(&path.join(&name)) {
            entries.insert(name, entry);
        }
    }
    Ok(Listing {
        place: Place::of(&meta),
        single: false,
        entries,
    })
}

fn list_one(path: &Path, file: Option<&Path>) -> Result<Listing> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let meta = fs::metadata(parent)
        .map_err(|err| Error::io(format!("read manifest path {}", parent.display()), &err))?;
    let found = file.and_then(entry);
    Ok(Listing {
        place: Place::of(&meta),
        single: true,
        entries: found
            .into_iter()
            .map(|entry| (base(path).to_owned(), entry))
            .gather(),
    })
}

/// The last part of a path, as a file name.
pub(super) fn base(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(path.as_os_str())
}

fn entry(path: &Path) -> Option<Entry> {
    let own = fs::symlink_metadata(path).ok()?;
    let symlink = own.is_symlink();
    let (meta, what) = match symlink.then(|| fs::metadata(path)) {
        None => (own.clone(), kind(&own)),
        Some(Ok(meta)) => {
            let what = kind(&meta);
            (meta, what)
        }
        Some(Err(err)) => {
            let why = format!("link to {}: {err}", target(path));
            (own.clone(), What::Broken(why))
        }
    };
    Some(Entry {
        stamp: Stamp::of(&meta),
        what,
        owner: meta.uid(),
        mode: meta.mode(),
        symlink,
        link: symlink || own.nlink() > 1,
    })
}

fn target(path: &Path) -> String {
    fs::read_link(path).map_or_else(|_| "somewhere".to_owned(), |to| to.display().to_string())
}

fn kind(meta: &Metadata) -> What {
    let kind = meta.file_type();
    if kind.is_file() {
        What::Regular
    } else if kind.is_dir() {
        What::Directory
    } else if kind.is_fifo() {
        What::Strange("a named pipe")
    } else if kind.is_socket() {
        What::Strange("a socket")
    } else {
        What::Strange("a device")
    }
}

/// Reads one regular file whole, and the stamp it had before and after.
///
/// # Errors
/// `Unavailable` when it changed meanwhile, `Gone` when it vanished, `TooBig` above `MANIFEST_BYTES_MAX`, else what the
/// system said.
pub(super) fn read(path: &Path) -> Result<(Stamp, Vec<u8>)> {
    let doing = || format!("read {}", path.display());
    let io = |err: std::io::Error| Error::io(doing(), &err);
    // Without O_NONBLOCK a pipe that took the file's place since the listing would hang the agent here.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .map_err(io)?;
    let before = file.metadata().map_err(io)?;
    if !before.is_file() {
        return Err(Error::new(
            doing(),
            Kind::Unavailable,
            "it is no longer a file",
        ));
    }
    let mut bytes = Vec::new();
    (&mut file)
        .take(MANIFEST_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    let after = Stamp::of(&file.metadata().map_err(io)?);
    if after != Stamp::of(&before) {
        return Err(Error::new(
            doing(),
            Kind::Unavailable,
            "it changes while it is read",
        ));
    }
    if bytes.len() as u64 > MANIFEST_BYTES_MAX {
        let size = before.size().max(bytes.len() as u64);
        let said = format!("it has {size} bytes; a manifest has at most {MANIFEST_BYTES_MAX}");
        return Err(Error::new(doing(), Kind::TooBig, said));
    }
    Ok((after, bytes))
}

/// Whether a name is one of a manifest: those of backups and editors are not.
pub(super) fn is_manifest(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [b".yaml".as_slice(), b".yml", b".json"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}

/// The path without the slashes at its end, which would make a link to a directory a directory.
pub(super) fn without_slashes(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_encoded_bytes();
    let slashes = bytes.iter().rev().take_while(|byte| **byte == b'/').count();
    if slashes == 0 || slashes == bytes.len() {
        return path.to_owned();
    }
    path.components().collect()
}
