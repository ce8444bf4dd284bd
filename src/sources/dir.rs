//! The manifest directory, or the one manifest file.
//!
//! One look lists the names, reads the files that have changed and are complete, and remembers the last good version of
//! each. What a file's absence means depends on where it was seen: in this very directory it has been removed; in one
//! that was here before (unmounted, removed, renamed) nothing is known about it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use inotify::EventMask;

use crate::pod::Problem;
use crate::state::{Refusal, Source};
use crate::sys::{Mono, Now};

use super::Message;
use super::cache::Cache;
use super::conflict::Candidate;
use super::file::Manifest;
use super::judge::{Judgement, RETRY, Reader, judge};
use super::kept::{Id, Kept};
use super::scan::{self, Entry, Listing, Place, Stamp, What, is_manifest, without_slashes};
use super::settle::{self, Absence, Fate, Hint, Sight};
use super::surroundings::Surroundings;
use super::survey::stranger;
use super::trouble::Troubles;
use super::trust::Trust;
use super::watch::{Ring, Watch};

/// Manifests that are followed. Docker gives up long before; the limit is there for a directory full of something else.
const MANIFESTS_MAX: usize = 1000;

/// The path cannot be read at all.
const UNREADABLE: &str = "manifest path not readable";

/// Somebody else could write it.
const UNTRUSTED: &str = "manifest path not trusted";

/// How often a path that cannot be read is tried, and a directory is read that cannot be watched.
const RECHECK: Duration = Duration::from_secs(1);

/// How long a path that was never there since the start is waited for, before the last good versions run: a disk that is
/// being mounted brings newer ones. Longer: a device without its manifests comes up later.
const MOUNT_WAIT: Duration = Duration::from_secs(10);

/// `Mono` counts milliseconds: a wait is rounded up, so that it is over when it is looked at again.
const TICK: Duration = Duration::from_millis(1);

/// How long a name that is no manifest must be there before it is told: editors make such files for a moment.
const STRANGER_QUIET: Duration = Duration::from_secs(2);

/// How long a file may be unfinished before that is told.
const UNFINISHED_MAX: Duration = Duration::from_secs(10);

/// What reading a manifest takes.
pub(super) struct Tools<'a> {
    pub(super) reader: &'a Reader<'a>,
    pub(super) cache: &'a mut Cache,
}

/// The source of manifests that is a path.
pub(super) struct DirSource {
    path: PathBuf,
    file_check: Duration,
    trust: Trust,
    watch: Watch,
    files: BTreeMap<OsString, Manifest>,
    hints: BTreeMap<OsString, Hint>,
    /// Names whose file is to be read even if it looks as before.
    rung: BTreeSet<OsString>,
    /// Names that are no manifests, since when they are there, and whether that has been told.
    strangers: BTreeMap<OsString, (Mono, bool)>,
    /// The directory of the last look; `None` when that could not be read.
    place: Option<Place>,
    /// The path was one file when it was last read.
    single: Option<Place>,
    /// Counts directories that took each other's place.
    era: u64,
    /// When anything in the directory last changed.
    changed: Mono,
    troubles: Troubles,
    complete: bool,
    /// Since when the path has been unreadable, if it has never been read.
    unreadable: Option<Mono>,
    due: Mono,
}

impl DirSource {
    pub(super) fn new(path: PathBuf, file_check: Duration, trust: Trust) -> DirSource {
        DirSource {
            troubles: Troubles::new(without_slashes(&path).display().to_string()),
            path: without_slashes(&path),
            // No more often than a path that cannot be watched.
            file_check: file_check.max(RECHECK),
            trust,
            watch: Watch::default(),
            files: BTreeMap::new(),
            hints: BTreeMap::new(),
            rung: BTreeSet::new(),
            strangers: BTreeMap::new(),
            place: None,
            single: None,
            era: 0,
            changed: Mono(0),
            complete: false,
            unreadable: None,
            due: Mono(0),
        }
    }

    /// Whether it is this path.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        self.path == without_slashes(path)
    }

    /// Reads this often from now on, beginning now; `rejudge`: also what looks as before.
    pub(super) fn set(&mut self, file_check: Duration, trust: Trust, rejudge: bool) {
        self.file_check = file_check.max(RECHECK);
        self.trust = trust;
        self.due = Mono(0);
        if rejudge {
            self.rung.extend(self.files.keys().cloned());
        }
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.watch.fd()
    }

    pub(super) fn due(&self) -> Mono {
        self.due
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Empties the doorbell. A file that is only being written rings nothing: its hint makes the next look wait.
    pub(super) fn ring(&mut self, now: Mono) {
        for ring in self.watch.drain() {
            match ring {
                Ring::Path => self.due = Mono(0),
                Ring::Lost => {
                    self.hints.clear();
                    self.rung.extend(self.files.keys().cloned());
                    self.due = Mono(0);
                }
                Ring::Name(name, event) if self.single.is_some() || is_manifest(&name) => {
                    self.ring_name(name, event, now);
                }
                // What is in a file that is no manifest is of no interest.
                Ring::Name(_, event)
                    if event.intersects(EventMask::MODIFY | EventMask::CLOSE_WRITE) => {}
                Ring::Name(..) => self.due = Mono(0),
            }
        }
    }

    fn ring_name(&mut self, name: OsString, event: EventMask, now: Mono) {
        let Some(hint) = settle::hint_after(self.hints.get(&name).copied(), event, now) else {
            self.hints.remove(&name);
            self.due = Mono(0);
            return;
        };
        match hint {
            Hint::Writing(_) => self.wake(now.after(settle::OPEN_QUIET)),
            Hint::Created(_) => self.due = Mono(0),
            Hint::Complete => {
                self.rung.insert(name.clone());
                self.due = Mono(0);
            }
        }
        self.hints.insert(name, hint);
    }

    /// Reads the directory.
    pub(super) fn look(&mut self, now: Now, tools: &mut Tools<'_>) -> Vec<Message> {
        let mut out = Vec::new();
        self.due = now.mono.after(self.file_check);
        // Watched first and read afterwards, so that nothing can happen in between.
        let other_dir = self.watch.arm(&self.path);
        let distrust = self.trust.path(&self.path);
        let listing = scan::list(&self.path, self.single).map_err(|err| err.to_string());
        let listing = listing.and_then(|listing| distrust.clone().map_or(Ok(listing), Err));
        match listing {
            Ok(listing) => {
                if other_dir || self.place != Some(listing.place) {
                    self.era += 1;
                    self.changed = now.mono;
                }
                self.place = Some(listing.place);
                self.single = listing.single.then_some(listing.place);
                self.read_all(&listing, now, tools, &mut out);
                for trouble in [UNREADABLE, UNTRUSTED] {
                    out.extend(self.troubles.note(trouble, None, now.wall));
                }
            }
            Err(mut why) => {
                self.place = None;
                self.wake(now.mono.after(RECHECK));
                self.without_path(now, tools, &mut out);
                for manifest in self.files.values_mut() {
                    manifest.absent = None;
                }
                if !self.files.is_empty() {
                    why.push_str("; its pods are kept");
                }
                let trouble = if distrust.is_some() {
                    UNTRUSTED
                } else {
                    UNREADABLE
                };
                out.extend(self.troubles.note(trouble, Some(why), now.wall));
            }
        }
        let failure = self
            .watch
            .failure()
            .map(|why| format!("{why}; it is read every second instead"));
        if failure.is_some() {
            self.wake(now.mono.after(RECHECK));
        }
        out.extend(
            self.troubles
                .note("manifest path not watched", failure, now.wall),
        );
        out
    }

    /// The path cannot be read, and since this agent started never could: after a while what an earlier agent kept of
    /// it runs.
    fn without_path(&mut self, now: Now, tools: &mut Tools<'_>, out: &mut Vec<Message>) {
        let since = *self.unreadable.get_or_insert(now.mono);
        if self.complete || self.era > 0 || now.mono.since(since) < MOUNT_WAIT {
            return;
        }
        let paths: Vec<String> = tools.cache.files().map(str::to_owned).collect();
        for text in paths {
            let path = Path::new(&text);
            let name = scan::base(path).to_owned();
            let is_here = path == self.path || path.parent() == Some(&self.path);
            if !is_here || self.files.contains_key(&name) {
                continue;
            }
            let mut manifest = Manifest::new(text.clone(), Stamp::default(), now.mono);
            manifest.look_back(tools, out);
            if manifest.good.is_some() {
                self.files.insert(name, manifest);
            }
        }
    }

    /// What is kept of each file.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> {
        self.files.values().map(Manifest::id)
    }

    /// Makes a look due at once.
    pub(super) fn rescan(&mut self) {
        self.due = Mono(0);
    }

    fn wake(&mut self, at: Mono) {
        self.due = self.due.min(at);
    }

    fn read_all(
        &mut self,
        listing: &Listing,
        now: Now,
        tools: &mut Tools<'_>,
        out: &mut Vec<Message>,
    ) {
        let mut left_out = 0;
        let mut links = Vec::new();
        for (name, entry) in &listing.entries {
            if !listing.single && !is_manifest(name) {
                self.stranger(name, entry, now, out);
            } else if !self.files.contains_key(name) && self.files.len() >= MANIFESTS_MAX {
                left_out += 1;
            } else {
                if entry.symlink && entry.what == What::Regular {
                    links.push(name.clone());
                }
                self.read_one(name, entry, now, tools, out);
            }
        }
        self.strangers
            .retain(|name, _| listing.entries.contains_key(name));
        self.hints
            .retain(|name, _| listing.entries.contains_key(name));
        self.rung.retain(|name| listing.entries.contains_key(name));
        self.absent(listing, now, out);
        let limit = (left_out > 0)
            .then(|| format!("{MANIFESTS_MAX} manifests are followed; {left_out} more are not"));
        out.extend(self.troubles.note("too many manifests", limit, now.wall));
        if self.watch.arm_targets(&self.path, listing.single, &links) {
            self.wake(now.mono.after(RETRY));
        }
        self.complete |= !self.files.values().any(Manifest::is_unread);
    }

    /// A name that is no manifest: told once, when it has been there for a while.
    fn stranger(&mut self, name: &OsStr, entry: &Entry, now: Now, out: &mut Vec<Message>) {
        let (since, told) = self
            .strangers
            .entry(name.to_owned())
            .or_insert((now.mono, false));
        if *told {
            return;
        }
        let wait = STRANGER_QUIET.saturating_sub(settle::quiet(entry.stamp.changed(), *since, now));
        if !wait.is_zero() {
            self.wake(now.mono.after(wait + TICK));
            return;
        }
        *told = true;
        out.push(Message::warn(
            "not a manifest",
            &self.path.join(name).display().to_string(),
            stranger(entry),
        ));
    }

    fn read_one(
        &mut self,
        name: &OsStr,
        entry: &Entry,
        now: Now,
        tools: &mut Tools<'_>,
        out: &mut Vec<Message>,
    ) {
        let path = if self.single.is_some() {
            self.path.clone()
        } else {
            self.path.join(name)
        };
        let manifest = self
            .files
            .entry(name.to_owned())
            .or_insert_with(|| Manifest::new(path.display().to_string(), entry.stamp, now.mono));
        manifest.absent = None;
        manifest.era = self.era;
        let distrust = self.trust.entry(&self.path, &path, entry);
        if manifest.distrust != distrust {
            // What is on the way to it has changed, of which its stamp tells nothing.
            manifest.distrust = distrust;
            manifest.judged = None;
        }
        if manifest.stamp != entry.stamp {
            manifest.stamp = entry.stamp;
            manifest.since = now.mono;
            self.changed = now.mono;
        }
        if manifest.judged == Some(entry.stamp) && !self.rung.contains(name) {
            return;
        }
        let sight = Sight {
            hint: self.hints.get(name).copied(),
            link: entry.link,
            quiet: settle::quiet(entry.stamp.changed(), manifest.since, now),
            watched: self.watch.failure().is_none(),
        };
        let distrust = manifest.distrust.as_deref();
        let mut unkept = false;
        match judge((&path, entry, distrust), &sight, now.mono, tools.reader) {
            Judgement::Wait(wait) => {
                let waiting = *manifest.waiting.get_or_insert(now.mono);
                if now.mono.since(waiting) >= UNFINISHED_MAX {
                    manifest.look_back(tools, out);
                    let text = "it is still being written; it is read when it has been quiet for some seconds";
                    out.extend(manifest.refuse(vec![Problem::new("", text)], now.wall));
                }
                self.wake(now.mono.after(wait + TICK));
                return;
            }
            Judgement::Good(reading, bytes) => {
                let warnings = reading.warnings.iter().map(ToString::to_string).collect();
                let (read, kept) = tools.cache.good(Kept {
                    id: manifest.id(),
                    source: manifest.source(),
                    read: now.wall,
                    text: String::from_utf8_lossy(&bytes).into_owned(),
                    signature: None,
                });
                unkept = !kept;
                out.extend(manifest.accept(reading.pod, warnings, read));
            }
            Judgement::Bad(problems) => {
                manifest.look_back(tools, out);
                out.extend(manifest.refuse(problems, now.wall));
            }
        }
        manifest.waiting = None;
        // Two writes within one tick of the file system's clock leave the same stamp. Where no event tells the second
        // one, a file that was young when it was read is read once more.
        let blind = !sight.watched || entry.symlink;
        let young = sight.quiet < Duration::from_secs(1);
        manifest.judged = (!(unkept || blind && young)).then_some(entry.stamp);
        self.rung.remove(name);
        if sight.hint == Some(Hint::Complete) {
            self.hints.remove(name);
        }
    }

    /// Decides about the files that are not in the directory.
    fn absent(&mut self, listing: &Listing, now: Now, out: &mut Vec<Message>) {
        let Surroundings {
            replacing,
            keys,
            unread,
        } = Surroundings::of(&self.files, listing);
        let quiet = now.mono.since(self.changed);
        let (mut wait_least, mut kept) = (None::<Duration>, 0);
        self.files.retain(|name, file| {
            if listing.entries.contains_key(name) {
                return true;
            }
            let since = *file.absent.get_or_insert(now.mono);
            let Some(pod) = &file.good else { return false };
            let fate = settle::absence(&Absence {
                other_dir: file.era != self.era,
                replacing: replacing.then_some(quiet),
                renamed: keys.contains(&pod.key),
                maybe_renamed: unread.contains(&file.stamp.place),
                absent: now.mono.since(since),
            });
            let event = match fate {
                Fate::Wait(wait) => {
                    wait_least = Some(wait_least.map_or(wait, |least| least.min(wait)));
                    kept += usize::from(file.era != self.era);
                    return true;
                }
                Fate::Keep => {
                    kept += usize::from(file.era != self.era);
                    return true;
                }
                Fate::Renamed => "manifest renamed",
                Fate::Gone => "manifest gone",
            };
            out.push(Message::info(event, &file.path).pod(&pod.key));
            false
        });
        if let Some(wait) = wait_least {
            self.wake(now.mono.after(wait + TICK));
        }
        let why = (kept > 0).then(|| {
            format!("it took the place of another one and lacks {kept} of its manifests; their pods are kept")
        });
        out.extend(self.troubles.note("manifest path replaced", why, now.wall));
    }

    /// Every pod that some file wants.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let wanted = self.files.values().filter_map(|file| {
            Some(Candidate {
                pod: file.good.clone()?,
                source: Source::File(file.path.clone()),
                leaving: file.absent.is_some(),
            })
        });
        wanted.collect()
    }

    /// Everything that is not followed, and why.
    pub(super) fn refusals(&self) -> Vec<Refusal> {
        let files = self.files.values().filter_map(|file| {
            let bad = file.bad.as_ref()?;
            Some(Refusal {
                source: Source::File(file.path.clone()),
                problems: bad.problems.clone(),
                keeps: file.good.as_ref().map(|pod| pod.key.clone()),
                good: file.good.as_ref().map(|_| file.good_read),
                since: bad.since,
            })
        });
        self.troubles.refusals().chain(files).collect()
    }
}
