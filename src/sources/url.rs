//! The manifest URL: when it is asked, and what an answer changes. Pure but for the cache.
//!
//! A job asks; here only its words are read. An answer that cannot be used, of whatever kind, leaves the pods of the
//! last good one alone. Only a good answer without a pod lets that pod go. Until the first good answer since the start
//! the last one of an earlier agent holds, as soon as one attempt has failed.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Message;
use super::cache::Cache;
use super::conflict::Candidate;
use super::kept::{Id, Kept};
use super::scan::MANIFEST_BYTES_MAX;
use super::told::Told;
use crate::pod::{Problem, Reading, ValidPod};
use crate::state::{Fetched, JobEnd, Refusal, Report, Source};
use crate::sys::files::sha256;
use crate::sys::{Mono, Now, Wall, minisign, shown_url};

/// The shortest time between two questions, whatever `--http-check-frequency` says.
const CHECK_MIN: Duration = Duration::from_millis(100);

/// Reads an answer.
pub(super) type ListReader<'a> = dyn Fn(&[u8]) -> Result<Vec<Reading>, Vec<Problem>> + 'a;

/// Where manifests are asked for, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UrlSettings {
    /// The URL, with credentials if there are any in it.
    pub url: String,
    /// Headers of each request, in order.
    pub headers: Vec<(String, String)>,
    /// Whom to trust, and what to expect.
    pub trust: UrlTrust,
    /// The time between two requests.
    pub check: Duration,
}

/// Whom to trust at the manifest URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UrlTrust {
    /// A file of CA certificates; `None`: those of the machine.
    pub ca_file: Option<String>,
    /// A client certificate and its key.
    pub identity: Option<(String, String)>,
    /// The SHA-256 that the answer must have, 64 hex digits; `None`: any.
    pub sha256: Option<String>,
    /// The minisign public key of whoever must have signed the answer; `None`: nobody.
    pub public_key: Option<String>,
}

impl UrlTrust {
    /// Whether a manifest is what the user has pinned or signed.
    ///
    /// # Errors
    /// Why it is not.
    pub fn holds(&self, text: &str, signature: Option<&str>) -> Result<(), String> {
        if let Some(pin) = &self.sha256 {
            let found = sha256(text.as_bytes());
            if found != *pin {
                return Err(format!(
                    "the manifest has SHA-256 {found}, not the one of --manifest-url-sha256"
                ));
            }
        }
        if let Some(key) = &self.public_key {
            let signature = signature.ok_or_else(|| "the manifest has no signature".to_owned())?;
            minisign::verify(key, text.as_bytes(), signature)
                .map_err(|why| format!("the signature {why}"))?;
        }
        Ok(())
    }
}

/// What the fetch job is asked to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchRequest {
    /// The URL.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// Whom to trust, and what to expect.
    #[serde(default)]
    pub trust: UrlTrust,
    /// What the last good answer was marked with.
    pub tags: Tags,
}

/// The marks of an answer, by which a server tells that nothing has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tags {
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Last-Modified` header.
    pub last_modified: Option<String>,
}

/// The source of manifests that is a URL.
pub(super) struct UrlSource {
    settings: UrlSettings,
    shown: String,
    id: Id,
    due: Mono,
    busy: bool,
    /// What has been said of the answer that is under way.
    parts: String,
    said: Option<Said>,
    /// The job has said how it ended.
    answered: bool,
    tags: Tags,
    good: Option<Good>,
    bad: Option<Bad>,
    told: Told,
    looked_back: bool,
    /// Warnings about the good answer that have been told.
    warnings: Vec<String>,
}

/// How an attempt ended, still to be looked at.
enum Said {
    /// With its signature, if one was wanted.
    Answer(String, Tags, Option<String>),
    Unchanged,
    Failed(String),
}

struct Good {
    pods: Vec<Rc<ValidPod>>,
    read: Wall,
    digest: String,
}

struct Bad {
    problems: Vec<Problem>,
    since: Wall,
}

impl UrlSource {
    pub(super) fn new(settings: UrlSettings) -> UrlSource {
        UrlSource {
            shown: shown_url(&settings.url),
            id: Id::of_url(&settings.url),
            due: Mono(0),
            busy: false,
            parts: String::new(),
            said: None,
            answered: false,
            tags: Tags::default(),
            good: None,
            bad: None,
            told: Told::default(),
            looked_back: false,
            warnings: Vec::new(),
            settings,
        }
    }

    /// Whether it is this URL.
    pub(super) fn is_at(&self, url: &str) -> bool {
        self.settings.url == url
    }

    /// Asks like this from now on, beginning now; `rejudge`: also an answer that is the same is read again.
    pub(super) fn set(&mut self, settings: UrlSettings, rejudge: bool) {
        if self.settings.trust != settings.trust || rejudge {
            self.tags = Tags::default();
        }
        if let (true, Some(good)) = (rejudge, &mut self.good) {
            good.digest.clear();
        }
        self.settings = settings;
        self.due = Mono(0);
        // Its job is not listened to any more.
        self.busy = false;
        self.said = None;
    }

    pub(super) fn id(&self) -> Id {
        self.id.clone()
    }

    /// When the next question is due; `None` while one is under way.
    pub(super) fn fetch_due(&self) -> Option<Mono> {
        (!self.busy).then_some(self.due)
    }

    /// When there is something to look at.
    pub(super) fn due(&self) -> Mono {
        self.said.as_ref().map_or(Mono(u64::MAX), |_| Mono(0))
    }

    /// Makes the next question due.
    pub(super) fn rescan(&mut self) {
        self.due = Mono(0);
    }

    /// The next question, if it is due.
    pub(super) fn fetch(&mut self, now: Mono) -> Option<FetchRequest> {
        if self.busy || now < self.due {
            return None;
        }
        self.busy = true;
        // Counted from the beginning, so that a slow server does not make a change act later.
        self.due = now.after(self.settings.check.max(CHECK_MIN));
        self.parts.clear();
        (self.said, self.answered) = (None, false);
        Some(FetchRequest {
            url: self.settings.url.clone(),
            headers: self.settings.headers.clone(),
            trust: self.settings.trust.clone(),
            // Those of the last good answer, whatever came after it.
            tags: self.tags.clone(),
        })
    }

    /// Takes in one line of the job.
    pub(super) fn fetch_said(&mut self, report: &Report) {
        let said = match report {
            Report::Fetched(Fetched::Part { text }) => {
                let room = usize::try_from(MANIFEST_BYTES_MAX).unwrap_or(0);
                if self.parts.len() + text.len() <= room {
                    self.parts.push_str(text);
                }
                return;
            }
            Report::Fetched(Fetched::All {
                etag,
                last_modified,
                signature,
            }) => {
                let tags = Tags {
                    etag: etag.clone(),
                    last_modified: last_modified.clone(),
                };
                Said::Answer(std::mem::take(&mut self.parts), tags, signature.clone())
            }
            Report::Fetched(Fetched::Unchanged) => Said::Unchanged,
            Report::Failed { message, .. } => Said::Failed(message.clone()),
            Report::Bell { .. }
            | Report::Archive(_)
            | Report::Reclaim(_)
            | Report::Api(_)
            | Report::Connected
            | Report::SandboxUp { .. }
            | Report::Started { .. }
            | Report::ImageMissing { .. }
            | Report::Hooked { .. }
            | Report::PreStopFailed { .. }
            | Report::Pulling(_)
            | Report::Pulled { .. }
            | Report::Probed { .. }
            | Report::OomFloor { .. }
            | Report::Note { .. } => return,
        };
        (self.said, self.answered) = (Some(said), true);
    }

    /// The job is gone.
    pub(super) fn fetch_ended(&mut self, end: &JobEnd) {
        self.busy = false;
        self.parts = String::new();
        if !self.answered {
            let how = match end {
                JobEnd::Done | JobEnd::Failed | JobEnd::Cancelled => "it ended without an answer",
                JobEnd::Deadline => "no end within its deadline",
                JobEnd::Died(how) => how,
            };
            self.said = Some(Said::Failed(format!("the job that asks: {how}")));
        }
    }

    /// Looks at what was said last.
    pub(super) fn look(
        &mut self,
        now: Now,
        reader: &ListReader<'_>,
        cache: &mut Cache,
    ) -> Vec<Message> {
        let mut out = Vec::new();
        match self.said.take() {
            None => {}
            Some(Said::Failed(why)) => {
                self.refuse(vec![Problem::new("", why)], (now, reader, cache), &mut out);
            }
            Some(Said::Unchanged) => self.repaired(&mut out),
            Some(Said::Answer(text, tags, signature)) => {
                let answer = Kept {
                    id: self.id.clone(),
                    source: Source::Url(self.shown.clone()),
                    read: now.wall,
                    text,
                    signature,
                };
                let digest = answer.digest();
                if self.good.as_ref().is_some_and(|good| good.digest == digest) {
                    self.tags = tags;
                    self.repaired(&mut out);
                    return out;
                }
                match read(&answer.text, reader) {
                    Ok(readings) => {
                        self.repaired(&mut out);
                        let (read, kept) = cache.good(answer);
                        // One that cannot be kept yet is taken for new once more.
                        let digest = if kept { digest } else { String::new() };
                        self.tags = if kept { tags } else { Tags::default() };
                        self.accept(readings, (read, digest), &mut out);
                    }
                    Err(problems) => self.refuse(problems, (now, reader, cache), &mut out),
                }
            }
        }
        out
    }

    fn accept(
        &mut self,
        readings: Vec<Reading>,
        (read, digest): (Wall, String),
        out: &mut Vec<Message>,
    ) {
        let mut warnings = Vec::new();
        let mut pods = Vec::new();
        let before = self.good.take().map(|good| good.pods).unwrap_or_default();
        for reading in readings {
            let key = reading.pod.key.clone();
            for warning in &reading.warnings {
                let text = warning.to_string();
                if !self.warnings.contains(&text) {
                    let message = Message::warn("manifest warning", &self.shown, &text);
                    out.push(message.pod(&key));
                }
                warnings.push(text);
            }
            let old = before.iter().find(|old| old.key == key);
            let same = old.filter(|old| old.hash == reading.pod.hash && old.uid == reading.pod.uid);
            let event = match old {
                None => Some("manifest read"),
                Some(_) => same.is_none().then_some("manifest changed"),
            };
            out.extend(event.map(|event| Message::info(event, &self.shown).pod(&key)));
            pods.push(same.cloned().unwrap_or_else(|| Rc::new(reading.pod)));
        }
        let gone = |old: &&Rc<ValidPod>| !pods.iter().any(|pod| pod.key == old.key);
        for old in before.iter().filter(gone) {
            out.push(Message::info("manifest gone", &self.shown).pod(&old.key));
        }
        self.warnings = warnings;
        self.good = Some(Good { pods, read, digest });
    }

    /// The answer cannot be used: what was good before goes on.
    fn refuse(
        &mut self,
        problems: Vec<Problem>,
        (now, reader, cache): (Now, &ListReader<'_>, &Cache),
        out: &mut Vec<Message>,
    ) {
        if self.good.is_none() && !std::mem::replace(&mut self.looked_back, true) {
            self.look_back(reader, cache, out);
        }
        let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let good = match &self.good {
            Some(good) => format!("; running last good of {}", good.read),
            None => "; there has been no good answer yet".to_owned(),
        };
        let since = self.bad.as_ref().map_or(now.wall, |bad| bad.since);
        if self.told.is_news(&why.join("; "), now.mono) {
            let why = why.join("; ") + &good;
            out.push(Message::warn("manifest refused", &self.shown, &why));
        }
        self.bad = Some(Bad { problems, since });
    }

    fn repaired(&mut self, out: &mut Vec<Message>) {
        if self.bad.take().is_some() && self.told.is_over() {
            out.push(Message::info("manifest repaired", &self.shown));
        }
    }

    fn look_back(&mut self, reader: &ListReader<'_>, cache: &Cache, out: &mut Vec<Message>) {
        let event = "kept manifest ignored";
        let kept = match cache.last(&self.id) {
            None => return,
            Some(Ok(kept)) => kept,
            Some(Err(error)) => {
                return out.push(Message::warn(event, &self.shown, &error.to_string()));
            }
        };
        let trust = &self.settings.trust;
        if let Err(why) = trust.holds(&kept.text, kept.signature.as_deref()) {
            return out.push(Message::warn(event, &self.shown, &why));
        }
        match read(&kept.text, reader) {
            Ok(readings) => {
                let why = format!("of {}", kept.read);
                out.push(Message::warn(
                    "last good manifest taken up",
                    &self.shown,
                    &why,
                ));
                self.accept(readings, (kept.read, kept.digest()), out);
            }
            Err(problems) => {
                let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
                out.push(Message::warn(event, &self.shown, &why.join("; ")));
            }
        }
    }

    /// There is a good answer, of this agent's time or an earlier one.
    pub(super) fn is_complete(&self) -> bool {
        self.good.is_some()
    }

    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        let pods = self.good.iter().flat_map(|good| &good.pods);
        pods.map(|pod| Candidate {
            pod: pod.clone(),
            source: Source::Url(self.shown.clone()),
            leaving: false,
        })
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        let bad = self.bad.as_ref()?;
        Some(Refusal {
            source: Source::Url(self.shown.clone()),
            problems: bad.problems.clone(),
            keeps: None,
            good: self.good.as_ref().map(|good| good.read),
            since: bad.since,
        })
    }
}

fn read(text: &str, reader: &ListReader<'_>) -> Result<Vec<Reading>, Vec<Problem>> {
    let start = text.trim_start();
    if start.is_empty() {
        return Err(vec![Problem::new("", "the answer is empty")]);
    }
    if start.starts_with('<') {
        let problem = Problem::new("", "the answer is a web page, not a manifest");
        return Err(vec![
            problem.hint("is the URL right, and is there a log-in or a proxy?"),
        ]);
    }
    reader(text.as_bytes())
}
