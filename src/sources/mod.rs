//! What should run on this node, as the manifests say it.
//!
//! IO. [`Sources::look`] reads what is due and answers with the whole [`Desired`]; [`Sources::ring`] empties the
//! doorbell. No event is believed: it only makes a look due, or holds one back while a writer is at work. The thinking
//! is in pure files: when a file or its absence may be believed (`settle`), what a reading changes (`file`), which of two
//! manifests of one pod is followed (`conflict`).
//!
//! Relied on by others: a pod leaves `Desired` only when its file was seen to be gone, says another pod now, or lost to
//! the file of the same pod that was followed before. A path that cannot be read, a file that turns bad and a directory
//! that is replaced by an empty one remove nothing. `complete` stays false until everything has been judged once.
//!
//! Deliberately absent: reading sub-directories, running files that are not named `*.yaml`, `*.yml` or `*.json`, and
//! repairing anything. Start reading at `dir`.

mod cache;
mod change;
mod conflict;
mod dir;
mod file;
mod foretell;
mod judge;
mod kept;
mod preload;
mod scan;
mod settle;
mod surroundings;
mod survey;
mod told;
mod trouble;
mod trust;
mod url;
mod watch;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::Duration;

use crate::pod::{self, Origin, PodKey, PodUid, Problem, Reading};
use crate::state::{Desired, JobEnd, Refusal, Report, Source};
use crate::sys::{Gather, InOrder, Mono, Now, Wall};

pub use cache::KeepRequest;

use cache::Cache;
use change::Leaving;
use conflict::{Candidate, Loser, Outcome};
use dir::{DirSource, Tools};
pub use foretell::foretell;
pub use judge::Reader;
pub use preload::{Preload, PreloadRequest, PreloadSettings, Told};
pub use survey::{Survey, conflicts, survey};
use trust::Trust;
use url::UrlSource;
pub use url::{FetchRequest, Tags, UrlSettings, UrlTrust};

/// Where manifests come from and how they are read.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The manifest directory, or the one manifest file; `None`: there is none.
    pub path: Option<PathBuf>,
    /// The manifest URL; `None`: there is none.
    pub url: Option<UrlSettings>,
    /// The node's name, lower case.
    pub node_name: String,
    /// The longest time between two readings of the directory.
    pub file_check: Duration,
    /// Unknown fields are a warning, not an error.
    pub allow_unknown_fields: bool,
    /// Files are followed whoever could write them.
    pub allow_untrusted: bool,
    /// Where the last good versions are kept; `None`: they end with the agent.
    pub kept: Option<PathBuf>,
}

/// All sources of manifests.
pub struct Sources {
    dir: Option<DirSource>,
    url: Option<UrlSource>,
    leaving: Leaving,
    /// The job that asks, if there is one.
    fetching: Option<Fetching>,
    cache: Cache,
    origin: Origin,
    /// The manifest that stays followed for each pod, whatever turns up beside it.
    followed: BTreeMap<PodKey, Source>,
    /// Conflicts that have been told, each with its beginning.
    conflicts: Vec<(Loser, Wall)>,
    messages: Vec<Message>,
}

/// Whom the job that asks is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fetching {
    /// The URL as it is set now.
    Current,
    /// Settings that hold no longer.
    Former,
}

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is not as its author meant it.
    Warn,
    /// A manifest appeared, changed or went.
    Info,
}

/// Something to tell once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How much it matters.
    pub level: Level,
    /// What happened: one of a fixed set of phrases.
    pub event: &'static str,
    /// The file or directory it is about.
    pub file: String,
    /// The pod it is about, if it is about one.
    pub pod: Option<PodKey>,
    /// The reason; empty when `event` says it all.
    pub why: String,
}

impl Message {
    fn info(event: &'static str, file: &str) -> Message {
        Message {
            level: Level::Info,
            event,
            file: file.to_owned(),
            pod: None,
            why: String::new(),
        }
    }

    fn warn(event: &'static str, file: &str, why: &str) -> Message {
        Message {
            level: Level::Warn,
            why: why.to_owned(),
            ..Message::info(event, file)
        }
    }

    fn pod(self, key: &PodKey) -> Message {
        Message {
            pod: Some(key.clone()),
            ..self
        }
    }
}

impl Sources {
    /// Sources that have not been read yet.
    pub fn new(settings: SourceSettings) -> Sources {
        let (cache, message) = Cache::open(settings.kept);
        let trust = Trust::new(settings.allow_untrusted);
        Sources {
            cache,
            dir: settings
                .path
                .map(|path| DirSource::new(path, settings.file_check, trust)),
            url: settings.url.map(UrlSource::new),
            leaving: Leaving::default(),
            fetching: None,
            origin: Origin {
                node_name: settings.node_name,
                from_file: true,
                allow_unknown_fields: settings.allow_unknown_fields,
            },
            followed: BTreeMap::new(),
            conflicts: Vec::new(),
            messages: message.into_iter().collect(),
        }
    }

    /// The descriptors to poll for reading; empty before the first look and where inotify does not work.
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        self.dir.iter().filter_map(DirSource::fd).collect()
    }

    /// Empties the doorbell.
    pub fn ring(&mut self, now: Now) {
        if let Some(dir) = &mut self.dir {
            dir.ring(now.mono);
        }
    }

    /// Makes a look due at once.
    pub fn rescan(&mut self) {
        if let Some(dir) = &mut self.dir {
            dir.rescan();
        }
        if let Some(url) = &mut self.url {
            url.rescan();
        }
    }

    /// When the next look is due; long past when one is due at once.
    pub fn due(&self) -> Mono {
        let dir = self.dir.as_ref().map(DirSource::due);
        let url = self.url.as_ref().map(UrlSource::due);
        dir.into_iter().chain(url).min().unwrap_or(Mono(u64::MAX))
    }

    /// What a job is to ask now. Until [`Sources::fetch_ended`] tells its end there is no other.
    pub fn fetch(&mut self, now: Now) -> Option<FetchRequest> {
        if self.fetching.is_some() {
            return None;
        }
        let request = self.url.as_mut()?.fetch(now.mono)?;
        self.fetching = Some(Fetching::Current);
        Some(request)
    }

    /// Takes in a line of the job that [`Sources::fetch`] asked for.
    pub fn fetch_said(&mut self, report: &Report) {
        if let (Some(Fetching::Current), Some(url)) = (self.fetching, &mut self.url) {
            url.fetch_said(report);
        }
    }

    /// The job that [`Sources::fetch`] asked for has ended.
    pub fn fetch_ended(&mut self, end: &JobEnd) {
        if let (Some(Fetching::Current), Some(url)) = (self.fetching.take(), &mut self.url) {
            url.fetch_ended(end);
        }
    }

    /// What a job is to write to disk now. Until [`Sources::kept`] tells its end there is no other.
    pub fn keep(&mut self, now: Now) -> Option<KeepRequest> {
        self.cache.work(now.mono)
    }

    /// The job that [`Sources::keep`] asked for has ended.
    pub fn kept(&mut self, well: bool, now: Now) {
        self.cache.worked(well, now.mono);
    }

    /// When there is something for one of the two jobs to do; `None` while both are at work.
    pub fn jobs_due(&self) -> Option<Mono> {
        let idle = self.url.as_ref().filter(|_| self.fetching.is_none());
        let fetch = idle.and_then(UrlSource::fetch_due);
        fetch.into_iter().chain(self.cache.due()).min()
    }

    /// Reads what is due and answers what should run. `running` tells the version of a pod that has containers.
    pub fn look(&mut self, now: Now, running: &dyn Fn(&PodKey) -> Option<PodUid>) -> Desired {
        self.read(now);
        let dir_complete = self.dir.as_ref().is_none_or(DirSource::is_complete);
        let url_complete = self.url.as_ref().is_none_or(UrlSource::is_complete);
        self.let_go();
        let (old_dirs, old_urls) = (&self.leaving.dirs, &self.leaving.urls);
        let ids = self.dir.iter().chain(old_dirs).flat_map(DirSource::ids);
        let ids = ids.chain(self.url.iter().chain(old_urls).map(UrlSource::id));
        let ids = ids.gather();
        // The URL's own entry is among those wanted, whether it answers or not.
        self.cache.retain(&ids, dir_complete, true);
        let files = self.dir.iter().flat_map(DirSource::candidates);
        let candidates = files.chain(self.url.iter().flat_map(UrlSource::candidates));
        let old = old_dirs.iter().flat_map(DirSource::candidates);
        let old = old.chain(old_urls.iter().flat_map(UrlSource::candidates));
        let old = old.map(|candidate| Candidate {
            leaving: true,
            ..candidate
        });
        let candidates = candidates.chain(old);
        let Outcome {
            pods,
            losers,
            stays,
        } = conflict::resolve(candidates.collect(), &self.followed, running);
        self.followed = stays;
        let mut refusals = self
            .dir
            .iter()
            .flat_map(DirSource::refusals)
            .collect::<Vec<_>>();
        let doubtful = refusals.iter().any(|refusal| refusal.keeps.is_none());
        for refusal in &mut refusals {
            // A file that lost to another one keeps nothing running.
            let lost =
                |key: &mut PodKey| pods.get(key).is_none_or(|pod| pod.source != refusal.source);
            if refusal.keeps.take_if(lost).is_some() {
                refusal.good = None;
            }
        }
        refusals.extend(self.url.iter().filter_map(UrlSource::refusal));
        refusals.extend(self.tell_conflicts(losers, now.wall));
        refusals.order_by(|a, b| a.source.cmp(&b.source));
        Desired {
            pods,
            refusals,
            complete: dir_complete && url_complete,
            doubtful,
        }
    }

    /// Reads each source that is due.
    fn read(&mut self, now: Now) {
        let origin = &self.origin;
        if let Some(dir) = &mut self.dir {
            dir.ring(now.mono);
            let reader =
                |bytes: &[u8]| -> Result<Reading, Vec<Problem>> { pod::read(bytes, origin) };
            if dir.due() <= now.mono {
                let mut tools = Tools {
                    reader: &reader,
                    cache: &mut self.cache,
                };
                self.messages.extend(dir.look(now, &mut tools));
            }
        }
        if let Some(url) = &mut self.url {
            let origin = Origin {
                from_file: false,
                ..origin.clone()
            };
            let reader = |bytes: &[u8]| pod::read_list(bytes, &origin);
            self.messages
                .extend(url.look(now, &reader, &mut self.cache));
        }
    }

    fn tell_conflicts(&mut self, losers: Vec<Loser>, now: Wall) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut told = Vec::new();
        for loser in losers {
            let problem = conflict_problem(&loser);
            let since = match self.conflicts.iter().find(|(known, _)| *known == loser) {
                Some((_, since)) => *since,
                None => {
                    let why = problem.to_string();
                    self.messages.push(
                        Message::warn("manifest refused", loser.source.place(), &why)
                            .pod(&loser.key),
                    );
                    now
                }
            };
            refusals.push(Refusal {
                source: loser.source.clone(),
                problems: vec![problem],
                keeps: None,
                good: None,
                since,
            });
            told.push((loser, since));
        }
        self.conflicts = told;
        refusals
    }

    /// Everything that happened since the last call, each told once.
    pub fn messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }
}

fn conflict_problem(loser: &Loser) -> Problem {
    let winner = loser.winner.place();
    if loser.key == loser.winner_key {
        let text = format!(
            "pod {} is defined by {winner} as well, and that one is followed",
            loser.key
        );
        Problem::new("metadata.name", text).hint("remove one of the two files")
    } else {
        let text = format!(
            "pod {} in {winner} has the same uid, and that one is followed",
            loser.winner_key
        );
        Problem::new("metadata.uid", text).hint("leave metadata.uid out")
    }
}
