//! The last good version of every manifest, so that it outlives the agent and the machine.
//!
//! IO, but only reading: writing and its syncing may take seconds on a worn card, so that is put together as a
//! [`KeepRequest`] and done by a job. What is killed in the middle leaves the old version or the new one. A version that
//! could not be written yet is tried again later; until then the manifest itself is there to be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Message;
use super::kept::{Id, Kept};
use crate::state::Source;
use crate::sys::{Mono, Result, Wall, files};

/// Bytes that wait to be written; what is beyond waits for the next reading of its manifest.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Names that are looked at in the directory: one for each manifest that can be followed, and some that are not ours.
const NAMES_MAX: usize = 4096;

/// The pause after a write that failed: doubles from the first to the second.
const RETRY_MIN: Duration = Duration::from_secs(20);
const RETRY_MAX: Duration = Duration::from_secs(300);

/// What a job is to write and to remove.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeepRequest {
    /// The directory; made when it is not there.
    dir: PathBuf,
    write: Vec<Kept>,
    remove: Vec<Id>,
}

/// What is kept, and what waits to be.
#[derive(Default)]
pub(super) struct Cache {
    dir: Option<PathBuf>,
    known: BTreeMap<Id, Known>,
    waiting: BTreeMap<Id, Option<Kept>>,
    /// A job is at work on this.
    busy: Option<KeepRequest>,
    retry: Mono,
    retry_wait: Duration,
}

/// What is on disk.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    /// `None` for a file that has our name and cannot be used.
    source: Option<Source>,
    read: Wall,
    digest: String,
}

impl Known {
    fn of(kept: &Kept) -> Known {
        Known {
            source: Some(kept.source.clone()),
            read: kept.read,
            digest: kept.digest(),
        }
    }
}

impl Cache {
    /// Looks at what an earlier agent kept, and says what of it cannot be used.
    pub(super) fn open(dir: Option<PathBuf>) -> (Cache, Option<Message>) {
        let mut cache = Cache {
            retry_wait: RETRY_MIN,
            ..Cache::default()
        };
        let Some(dir) = dir else { return (cache, None) };
        let (mut ignored, mut first) = (0, String::new());
        let names = fs::read_dir(&dir).into_iter().flatten().flatten();
        for name in names.take(NAMES_MAX).map(|entry| entry.file_name()) {
            let name = name.to_string_lossy();
            // What a write that was killed left behind; the next one takes its place.
            if name.starts_with('.') {
                continue;
            }
            let id = Id::of_name(&name);
            let read = id.as_ref().map(|id| Kept::read(&dir, id));
            let why = match (id, read) {
                (Some(id), Some(Ok(kept))) => {
                    cache.known.insert(id, Known::of(&kept));
                    continue;
                }
                (Some(id), Some(Err(error))) => {
                    let known = Known {
                        source: None,
                        read: Wall(0),
                        digest: String::new(),
                    };
                    cache.known.insert(id, known);
                    error.said().to_owned()
                }
                (None, _) | (_, None) => "its name is not one of ours".to_owned(),
            };
            ignored += 1;
            if first.is_empty() {
                first = format!("{name}: {why}");
            }
        }
        let why = match ignored {
            1 => first,
            more => format!("{more} files; {first}"),
        };
        let event = "kept manifest ignored";
        let message = (ignored > 0).then(|| Message::warn(event, &dir.display().to_string(), &why));
        cache.dir = Some(dir);
        (cache, message)
    }

    /// Takes in a version that can be used, read now; answers when it was first read, and whether it is kept or will be.
    pub(super) fn good(&mut self, kept: Kept) -> (Wall, bool) {
        let digest = kept.digest();
        let known = self.known.get(&kept.id);
        let known = known.filter(|known| known.digest == digest);
        let waits = self.waiting.get(&kept.id);
        if let (Some(known), None) = (known, waits) {
            return (known.read, true);
        }
        if let Some(Some(waits)) = waits
            && waits.digest() == digest
        {
            return (waits.read, true);
        }
        let read = known.map_or(kept.read, |known| known.read);
        let waiting = self.waiting.values().flatten();
        let bytes_waiting: usize = waiting.map(|kept| kept.text.len()).sum();
        if self.dir.is_none() {
            return (read, true);
        }
        if bytes_waiting + kept.text.len() > WAITING_BYTES_MAX {
            return (read, false);
        }
        let kept = Kept { read, ..kept };
        self.waiting.insert(kept.id.clone(), Some(kept));
        (read, true)
    }

    /// The last good version of a manifest, as it was kept.
    pub(super) fn last(&self, id: &Id) -> Option<Result<Kept>> {
        self.known.get(id)?.source.as_ref()?;
        Some(Kept::read(self.dir.as_ref()?, id))
    }

    /// Every manifest file that was kept.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.known.values().filter_map(|known| match &known.source {
            Some(Source::File(path)) => Some(path.as_str()),
            Some(Source::Url(_)) | None => None,
        })
    }

    /// Lets go of everything that is not in `wanted`; of the two kinds of sources only of those that are known well.
    pub(super) fn retain(&mut self, wanted: &BTreeSet<Id>, files: bool, urls: bool) {
        let known = self.known.iter().filter(|(id, known)| {
            let is_known_well = match known.source {
                Some(Source::File(_)) => files,
                Some(Source::Url(_)) => urls,
                None => files && urls,
            };
            is_known_well && !wanted.contains(*id)
        });
        let gone: Vec<Id> = known.map(|(id, _)| id.clone()).collect();
        let waiting = &mut self.waiting;
        waiting.retain(|id, kept| kept.is_none() || wanted.contains(id) || !(files && urls));
        waiting.extend(gone.into_iter().map(|id| (id, None)));
    }

    /// What a job is to do now, if there is anything and none is at work.
    pub(super) fn work(&mut self, now: Mono) -> Option<KeepRequest> {
        let dir = self.dir.as_ref()?;
        if self.busy.is_some() || self.waiting.is_empty() || now < self.retry {
            return None;
        }
        let request = KeepRequest {
            dir: dir.clone(),
            write: self.waiting.values().flatten().cloned().collect(),
            remove: self
                .waiting
                .iter()
                .filter(|(_, kept)| kept.is_none())
                .map(|(id, _)| id.clone())
                .collect(),
        };
        self.busy = Some(request.clone());
        Some(request)
    }

    /// When work is due; `None` when there is none, or a job is at it.
    pub(super) fn due(&self) -> Option<Mono> {
        let waits = self.dir.is_some() && self.busy.is_none() && !self.waiting.is_empty();
        waits.then_some(self.retry)
    }

    /// The job has ended.
    pub(super) fn worked(&mut self, well: bool, now: Mono) {
        let Some(done) = self.busy.take() else { return };
        if !well {
            self.retry = now.after(self.retry_wait);
            self.retry_wait = (self.retry_wait * 2).min(RETRY_MAX);
            return;
        }
        self.retry_wait = RETRY_MIN;
        for kept in done.write {
            self.known.insert(kept.id.clone(), Known::of(&kept));
            if self.waiting.get(&kept.id) == Some(&Some(kept.clone())) {
                self.waiting.remove(&kept.id);
            }
        }
        for id in done.remove {
            self.known.remove(&id);
            if self.waiting.get(&id) == Some(&None) {
                self.waiting.remove(&id);
            }
        }
    }
}

impl KeepRequest {
    /// Writes and removes, in a job. Each file on its own: one that fails does not hold up the others.
    ///
    /// # Errors
    /// The first that occurred.
    pub fn carry_out(&self) -> Result<()> {
        files::make_dir(&self.dir, 0o700)?;
        let write = self.write.iter().map(|kept| kept.write(&self.dir));
        let remove = self
            .remove
            .iter()
            .map(|id| remove(&self.dir.join(id.name())));
        let results: Vec<Result<()>> = write.chain(remove).collect();
        results.into_iter().collect()
    }
}

/// One that is gone already is as good. Not synced: one that comes back after a power cut goes at the next look.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(crate::sys::Error::io(
            format!("remove {}", path.display()),
            &error,
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}
