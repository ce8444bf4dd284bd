//! What is remembered of images across agents and boots: which archives have been loaded and what was in them, and which
//! images are of use to pods, or when they last were.
//!
//! One file in the root directory, changed under a lock, in one piece, and only when something changes: not as long as a
//! container runs. Losing it costs little: archives are loaded once more, which changes nothing, and images of the past
//! are never removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::archive::{self, Flaw};
use crate::state::{LoadedImage, Usage};
use crate::sys::files::{self, Durable};
use crate::sys::{self, Error, Gather, Kind, Result, Wall, json};

/// A thousand archives of a hundred images, some times over.
const FILE_BYTES_MAX: usize = 16 << 20;

/// The end of an archive that goes into its stamp. `docker save` writes the digest of every image there, and packers a
/// checksum; size and time alone are the same for files of two versions of a reproducible system image.
const TAIL_BYTES: u64 = 64 * 1024;

/// Names of one image that are remembered. One that has more is somebody else's as well, and stays.
const NAMES_MAX: usize = 100;

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Ledger {
    /// By path.
    archives: BTreeMap<String, Entry>,
    /// By id: images that an agent of this root directory brought, or that a pod of its ran on.
    pub(super) images: BTreeMap<String, Usage>,
}

/// What came of one archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Which version of it.
    pub(super) stamp: Stamp,
    /// What it brought.
    pub(super) images: Vec<LoadedImage>,
    /// Why it was not loaded, where trying again is no use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
}

/// Tells one version of a file from another, without reading all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// Bytes.
    pub(super) size: u64,
    /// Seconds and nanoseconds since 1970.
    mtime: (i64, i64),
    /// The digest of its end.
    tail: String,
}

impl Stamp {
    /// The stamp of an open file.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn of(file: &File) -> std::result::Result<Stamp, Flaw> {
        let meta = file
            .metadata()
            .map_err(|err| Flaw::Unreadable(format!("it cannot be read: {err}")))?;
        let size = meta.size();
        let length = usize::try_from(size.min(TAIL_BYTES)).unwrap_or(0);
        let mut tail = vec![0; length];
        let got = archive::read(file, &mut tail, size.saturating_sub(TAIL_BYTES))?;
        Ok(Stamp {
            size,
            mtime: (meta.mtime(), meta.mtime_nsec()),
            tail: files::sha256(tail.get(..got).unwrap_or_default()),
        })
    }
}

impl Ledger {
    /// What is remembered; nothing, where the file is not there or does not parse.
    pub(super) fn read(root_dir: &str) -> Ledger {
        let text = files::read_bounded(&path(root_dir), FILE_BYTES_MAX);
        let ledger = text.ok().and_then(|text| json::read(&text).ok());
        ledger.unwrap_or_default()
    }

    /// What is remembered of an archive.
    pub(super) fn archive(&self, path: &Path) -> Option<&Entry> {
        self.archives.get(&key(path))
    }

    /// Takes in what came of an archive, and forgets those that are gone from its directory.
    pub(super) fn put(&mut self, path: &Path, entry: Entry, there: &[String]) {
        let there: BTreeSet<String> = there
            .iter()
            .map(|name| key(&path.with_file_name(name)))
            .gather();
        self.archives.retain(|path, _| there.contains(path));
        let now = sys::now().wall;
        for image in &entry.images {
            self.note(image, false, now);
        }
        self.archives.insert(key(path), entry);
    }

    /// What archives of this directory brought, as long as they lie there.
    pub(super) fn brought(&self, dir: &Path) -> impl Iterator<Item = &str> {
        let here = |path: &Path| path.parent() == Some(dir) && path.exists();
        let archives = self.archives.iter();
        let archives = archives.filter(move |(path, _)| here(Path::new(path)));
        archives.flat_map(|(_, entry)| entry.images.iter().map(|image| image.id.as_str()))
    }

    /// Takes in an image that was brought, or that a container is made from.
    fn note(&mut self, image: &LoadedImage, busy: bool, now: Wall) {
        let usage = self.images.entry(image.id.clone());
        let usage = usage.or_insert_with(|| Usage::new(busy, now));
        usage.seen(busy || usage.busy, now);
        if !busy {
            usage.used = now;
        }
        if usage.names.len() < NAMES_MAX {
            usage.names.insert(image.name.clone());
        }
    }
}

/// Remembers an image that was brought, or (then it is busy) that a container is made from. Mostly nothing changes.
///
/// # Errors
/// As [`change`].
pub(super) fn note(root_dir: &str, image: &LoadedImage, busy: bool) -> Result<()> {
    let is_known = |usage: &Usage| busy && usage.busy && usage.names.contains(&image.name);
    if Ledger::read(root_dir)
        .images
        .get(&image.id)
        .is_some_and(is_known)
    {
        return Ok(());
    }
    change(root_dir, |ledger| ledger.note(image, busy, sys::now().wall)).map(drop)
}

/// Changes what is remembered, and gives what that is now; jobs that do this at the same time wait for each other.
///
/// # Errors
/// The file cannot be written: what was remembered before stays.
pub(super) fn change(root_dir: &str, change: impl FnOnce(&mut Ledger)) -> Result<Ledger> {
    let lock = Path::new(root_dir).join("images.lock");
    let doing = || format!("lock {}", lock.display());
    let file = File::create(&lock).map_err(|e| Error::io(doing(), &e))?;
    let _held = Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| Error::errno(doing(), errno))?;
    let before = Ledger::read(root_dir);
    let mut ledger = before.clone();
    change(&mut ledger);
    if ledger == before {
        return Ok(ledger);
    }
    let path = path(root_dir);
    let text = serde_json::to_vec(&ledger)
        .map_err(|e| Error::new(format!("write {}", path.display()), Kind::Garbled, e))?;
    files::replace(&path, &text, 0o600, Durable::No)?;
    Ok(ledger)
}

fn path(root_dir: &str) -> PathBuf {
    Path::new(root_dir).join("images.json")
}

fn key(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
