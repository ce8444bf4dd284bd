//! The directory of image archives: which of them is to be loaded now.
//!
//! As with manifests, inotify only rings; what happened is read from the directory. An archive is given to a job when it
//! has been quiet for a while, one after the other in the order of their names. The job knows what was loaded before;
//! here is only known what this agent has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Message;
use super::scan::{self, Entry, Stamp, What, without_slashes};
use super::trust::Trust;
use super::watch::Watch;
use crate::pod::ImageRef;
use crate::state::{ArchiveSaid, ArchiveState, ArchiveStatus, DockerFacts, Held, JobEnd};
use crate::sys::{Mono, Now};

/// Archives that are followed; the limit is there for a directory full of something else.
const ARCHIVES_MAX: usize = 1000;

/// The ends of names that count. What is packed is unpacked by dockerd.
const SUFFIXES: [&str; 7] = [
    ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz", ".tar.zst",
];

/// How long an archive must not have changed before it is loaded. Longer: a pod that needs it comes later. Shorter: a
/// copy over a slow line is taken for complete, and refused once.
const QUIET: Duration = Duration::from_secs(2);

/// How long an archive that is being written at the start of the agent is waited for, before pods start without it.
const WRITING_MAX: Duration = Duration::from_secs(30);

/// How long pods wait for archives in all, from the first that can be loaded. Longer: a machine whose images are all
/// there does nothing because of one archive that dockerd does not come to an end with.
const HOLD_MAX: Duration = Duration::from_secs(15 * 60);

/// The pause before an archive that could not be loaded is tried again without having changed: doubles from the first
/// to the second. The first is for a disk that is full; the second keeps an archive that is no good from being sent to
/// dockerd all day.
const RETRY_MIN: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_secs(3600);

/// What a job is to load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreloadRequest {
    /// dockerd's socket.
    pub docker_socket: String,
    /// Its API version.
    pub api: (u32, u32),
    /// Where it is remembered what was loaded.
    pub root_dir: String,
    /// The archive.
    pub path: PathBuf,
    /// Every archive of its directory: what is remembered of others may be forgotten.
    pub names: Vec<String>,
    /// Try it although the same one was refused before.
    pub again: bool,
}

/// Where archives are, and where it is remembered what was loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct PreloadSettings {
    /// The directory.
    pub dir: PathBuf,
    /// The agent's root directory.
    pub root_dir: String,
    /// dockerd's socket.
    pub docker_socket: String,
    /// The longest time between two readings of the directory.
    pub file_check: Duration,
    /// Load what others than root and the agent's user may write.
    pub allow_untrusted: bool,
}

/// The directory and what became of its archives.
pub struct Preload {
    settings: PreloadSettings,
    watch: Watch,
    trust: Trust,
    archives: BTreeMap<OsString, Archive>,
    /// Names that are no archives; each is told once.
    strangers: BTreeSet<OsString>,
    due: Mono,
    /// The first reading of the directory.
    began: Option<Mono>,
    /// When dockerd could be given an archive for the first time.
    asked: Option<Mono>,
    /// The one that a job has, as it was then, and since when.
    busy: Option<(OsString, Stamp, Mono)>,
    /// Why the directory cannot be read.
    trouble: Option<String>,
    messages: Vec<Message>,
}

/// One archive.
#[derive(Debug)]
struct Archive {
    stamp: Stamp,
    /// Unchanged since then.
    since: Mono,
    state: State,
    /// It was there at the first reading and has not been tried: pods wait for it.
    first: bool,
    /// How often in a row it could not be loaded.
    times: u32,
}

/// What is known of one version of it.
#[derive(Debug)]
enum State {
    /// Nothing. Ends with a job.
    New,
    /// A job is at it, and has named these images.
    Busy { images: Vec<String> },
    /// Its images were there when dockerd was asked last; with a doubt it is asked once more.
    Loaded { images: Vec<String>, doubt: bool },
    /// It could not be loaded, and is tried again then.
    Failed { why: String, retry: Mono },
}

/// What came of one archive, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its path.
    pub file: String,
    /// The images that it brought.
    pub images: Vec<String>,
    /// Since when a job has been at it.
    pub since: Mono,
    /// When it is tried again.
    pub retry: Option<Mono>,
}

impl Preload {
    /// A directory that has not been read yet.
    pub fn new(settings: PreloadSettings) -> Preload {
        Preload {
            trust: Trust::new(settings.allow_untrusted),
            settings: PreloadSettings {
                dir: without_slashes(&settings.dir),
                ..settings
            },
            watch: Watch::without_writes(),
            archives: BTreeMap::new(),
            strangers: BTreeSet::new(),
            due: Mono(0),
            began: None,
            asked: None,
            busy: None,
            trouble: None,
            messages: Vec::new(),
        }
    }

    /// The descriptor to poll; `None` before the first look and where inotify does not work.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.fd()
    }

    /// When something is due. `may_load`: dockerd is up, and no job is at work.
    pub fn due(&self, may_load: bool) -> Mono {
        let may_work = may_load && self.busy.is_none();
        let retry = |archive: &Archive| match archive.state {
            State::Failed { retry, .. } if may_work => Some(retry),
            State::Failed { .. } | State::New | State::Busy { .. } | State::Loaded { .. } => None,
        };
        let retries = self.archives.values().filter_map(retry);
        retries.chain([self.due]).min().unwrap_or(self.due)
    }

    /// Makes a look due at once.
    pub fn rescan(&mut self) {
        self.due = Mono(0);
    }

    /// Everything to tell since the last call, each once.
    pub fn messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }

    /// dockerd was away: what it had may be gone.
    pub fn doubt_all(&mut self) {
        self.archives.values_mut().for_each(Archive::doubt);
    }

    /// An image is wanted and not there: archives that brought one of this name are looked at again.
    pub fn missing(&mut self, image: &str) {
        let Some(wanted) = ImageRef::in_full(image) else {
            return;
        };
        for archive in self.archives.values_mut() {
            let mut images = archive.images().iter();
            if images.any(|name| ImageRef::in_full(name).as_ref() == Some(&wanted)) {
                archive.doubt();
            }
        }
    }

    /// What has to wait.
    pub fn held(&self, now: Mono) -> Held {
        let in_time = self.asked.is_none_or(|at| now.since(at) < HOLD_MAX);
        let waits = |archive: &Archive| match &archive.state {
            State::New => true,
            State::Busy { .. } => archive.times == 0,
            State::Loaded { doubt, .. } => *doubt,
            State::Failed { .. } => false,
        };
        if self.began.is_none() || (in_time && self.archives.values().any(|one| one.first)) {
            Held::Starts
        } else if self.archives.values().any(waits) {
            Held::Pulls
        } else {
            Held::Nothing
        }
    }

    /// Reads the directory where that is due.
    pub fn look(&mut self, now: Now) {
        if !self.watch.drain().is_empty() {
            self.due = Mono(0);
        }
        if now.mono < self.due {
            return;
        }
        let is_first = self.began.is_none();
        let began = *self.began.get_or_insert(now.mono);
        self.due = now.mono.after(self.settings.file_check);
        let dir = self.settings.dir.clone();
        // Before the reading: what comes in between rings.
        self.watch.arm(&dir);
        let entries = match scan::list(&dir, None) {
            Ok(listing) if !listing.single => listing.entries,
            Ok(_) => return self.troubled("it is a file, not a directory"),
            Err(error) => return self.troubled(error.said()),
        };
        if let Some(why) = self.trust.path(&dir) {
            return self.troubled(&why);
        }
        if self.trouble.take().is_some() {
            let event = "image directory recovered";
            self.messages.push(Message::info(event, &path(&dir)));
        }
        self.archives.retain(|name, _| entries.contains_key(name));
        self.strangers.retain(|name| entries.contains_key(name));
        for (name, entry) in entries {
            self.see(name, &entry, is_first, now);
        }
        for (name, archive) in &mut self.archives {
            let Some(quiet) = archive.quiet(now.mono) else {
                continue;
            };
            self.due = self.due.min(quiet);
            if archive.first && now.mono.since(began) >= WRITING_MAX {
                archive.first = false;
                let event = "image archive is still being written, pods start without it";
                let file = path(&dir.join(name));
                self.messages.push(Message::warn(event, &file, ""));
            }
        }
    }

    fn troubled(&mut self, why: &str) {
        if self.trouble.as_deref() != Some(why) {
            let (event, dir) = ("image directory not used", path(&self.settings.dir));
            self.messages.push(Message::warn(event, &dir, why));
            self.trouble = Some(why.to_owned());
        }
    }

    /// Takes in one name of the directory.
    fn see(&mut self, name: OsString, entry: &Entry, is_first: bool, now: Now) {
        if let Some(known) = self.archives.get_mut(&name) {
            if known.stamp != entry.stamp {
                known.stamp = entry.stamp;
                known.since = now.mono;
                known.times = 0;
                // A job that is at the old version comes to its end first.
                if !matches!(known.state, State::Busy { .. }) {
                    known.state = State::New;
                }
            }
            return;
        }
        if !is_archive(&name) {
            let file = path(&self.settings.dir.join(&name));
            if entry.what != What::Directory && self.strangers.insert(name) {
                let why = format!("only names that end in {} are", SUFFIXES.join(", "));
                let message = Message::info("not an image archive", &file);
                self.messages.push(Message { why, ..message });
            }
            return;
        }
        if self.archives.len() >= ARCHIVES_MAX {
            return;
        }
        // What was finished some time ago need not be watched for a while.
        let changed = entry.stamp.changed();
        let apart = now.wall.max(changed).since(now.wall.min(changed));
        let archive = Archive {
            stamp: entry.stamp,
            since: if apart < QUIET { now.mono } else { Mono(0) },
            state: State::New,
            first: is_first,
            times: 0,
        };
        self.archives.insert(name, archive);
    }

    /// What a job is to load now. Until [`Preload::ended`] tells its end there is no other.
    pub fn work(&mut self, docker: &DockerFacts, now: Mono) -> Option<PreloadRequest> {
        if self.busy.is_some() || self.archives.is_empty() {
            return None;
        }
        self.asked.get_or_insert(now);
        let is_new = |archive: &Archive| match archive.state {
            State::New => archive.quiet(now).is_none(),
            State::Loaded { doubt, .. } => doubt,
            State::Busy { .. } | State::Failed { .. } => false,
        };
        let is_again = |archive: &Archive| match archive.state {
            State::Failed { retry, .. } => retry <= now,
            State::New | State::Busy { .. } | State::Loaded { .. } => false,
        };
        let find = |is: &dyn Fn(&Archive) -> bool| {
            let mut all = self.archives.iter();
            all.find(|(_, archive)| is(archive))
                .map(|(name, _)| name.clone())
        };
        let name = find(&is_new).or_else(|| find(&is_again))?;
        let archive = self.archives.get_mut(&name)?;
        let file = self.settings.dir.join(&name);
        if let Some(why) = self.trust.path(&file) {
            if archive.times == 0 {
                let message = Message::warn("image archive refused", &path(&file), &why);
                self.messages.push(message);
            }
            archive.failed(&why, false, now);
            archive.first = false;
            // The next one has its turn.
            self.due = Mono(0);
            return None;
        }
        archive.state = State::Busy { images: Vec::new() };
        let (stamp, again) = (archive.stamp, archive.times > 0);
        let names = self.archives.keys();
        let request = PreloadRequest {
            docker_socket: self.settings.docker_socket.clone(),
            api: docker.api,
            root_dir: self.settings.root_dir.clone(),
            path: file,
            names: names.map(|n| n.to_string_lossy().into_owned()).collect(),
            again,
        };
        self.busy = Some((name, stamp, now));
        Some(request)
    }

    /// Takes in what the job said; tells of which archive, unless that is gone.
    pub fn said(&mut self, said: &ArchiveSaid, now: Mono) -> Option<Told> {
        let (name, _, since) = self.busy.as_ref()?;
        let archive = self.archives.get_mut(name)?;
        match said {
            ArchiveSaid::Sent { .. } => {}
            ArchiveSaid::Image(image) => {
                if let State::Busy { images } = &mut archive.state {
                    images.push(image.name.clone());
                }
            }
            ArchiveSaid::Loaded { .. } | ArchiveSaid::There => {
                let images = archive.images().to_vec();
                archive.times = 0;
                archive.state = State::Loaded {
                    images,
                    doubt: false,
                };
            }
            ArchiveSaid::Refused { why, lasting } => archive.failed(why, *lasting, now),
        }
        let retry = match archive.state {
            State::Failed { retry, .. } => Some(retry),
            State::New | State::Busy { .. } | State::Loaded { .. } => None,
        };
        Some(Told {
            file: path(&self.settings.dir.join(name)),
            images: archive.images().to_vec(),
            since: *since,
            retry,
        })
    }

    /// The job has ended.
    pub fn ended(&mut self, end: &JobEnd, now: Mono) {
        let Some((name, stamp, _)) = self.busy.take() else {
            return;
        };
        let Some(archive) = self.archives.get_mut(&name) else {
            return;
        };
        archive.first = false;
        if archive.stamp != stamp {
            archive.state = State::New;
            // Only now is it known how long it has been quiet.
            self.due = Mono(0);
        } else if matches!(archive.state, State::Busy { .. }) {
            archive.failed(&format!("the job that loads it died: {end:?}"), false, now);
        }
    }

    /// How the directory and its archives are, in the order of their names.
    pub fn statuses(&self) -> Vec<ArchiveStatus> {
        let status = |file: PathBuf, state, why: Option<&String>| ArchiveStatus {
            file: path(&file),
            state,
            images: Vec::new(),
            why: why.cloned(),
            next_attempt: None,
        };
        let dir = &self.settings.dir;
        let trouble = self.trouble.as_ref();
        let trouble = trouble.map(|why| status(dir.clone(), ArchiveState::Failed, Some(why)));
        let archives = self.archives.iter().map(|(name, archive)| {
            let file = dir.join(name);
            let bare = |state| status(file.clone(), state, None);
            match &archive.state {
                State::New => bare(ArchiveState::Waiting),
                State::Busy { .. } => bare(ArchiveState::Loading),
                State::Loaded { images, .. } => ArchiveStatus {
                    images: images.clone(),
                    ..bare(ArchiveState::Loaded)
                },
                State::Failed { why, retry } => ArchiveStatus {
                    next_attempt: Some(*retry),
                    ..status(file, ArchiveState::Failed, Some(why))
                },
            }
        });
        trouble.into_iter().chain(archives).collect()
    }
}

impl Archive {
    /// When it will have been quiet for long enough; `None`: it has.
    fn quiet(&self, now: Mono) -> Option<Mono> {
        let quiet = self.since.after(QUIET);
        (matches!(self.state, State::New) && now < quiet).then_some(quiet)
    }

    fn doubt(&mut self) {
        if let State::Loaded { doubt, .. } = &mut self.state {
            *doubt = true;
        }
    }

    fn images(&self) -> &[String] {
        match &self.state {
            State::Busy { images } | State::Loaded { images, .. } => images,
            State::New | State::Failed { .. } => &[],
        }
    }

    fn failed(&mut self, why: &str, lasting: bool, now: Mono) {
        self.times = self.times.saturating_add(1);
        let wait = match lasting {
            true => RETRY_MAX,
            false => RETRY_MIN
                .saturating_mul(1 << self.times.saturating_sub(1).min(16))
                .min(RETRY_MAX),
        };
        self.state = State::Failed {
            why: why.to_owned(),
            retry: now.after(wait),
        };
    }
}

fn is_archive(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let mut suffixes = SUFFIXES.iter();
    suffixes.any(|suffix| name.ends_with(suffix.as_bytes()))
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
