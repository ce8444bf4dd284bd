//! What the agent says in its log: each action once with its reason, each problem when it changes.

use std::collections::BTreeMap;
use std::time::Duration;

use log::{debug, info, warn};

use crate::config::{Effective, Settings, Whence};
use crate::decide::{Action, words};
use crate::pod::{ContainerName, PodKey};
use crate::sources::{Level, Message};
use crate::state::{Event, JobEnd, JobKey, Memory, Probed, Report, Stranger};
use crate::sys::{Mono, Now};

/// The same problem is told again after this long.
const AGAIN: Duration = Duration::from_secs(300);

/// The progress of a pull is told this often.
const PULL_EVERY: Duration = Duration::from_secs(10);

/// Remembers what was told.
#[derive(Default)]
pub(super) struct Teller {
    told: BTreeMap<String, (String, Mono)>,
    pulls: BTreeMap<JobKey, Mono>,
    strangers: Vec<Stranger>,
}

impl Teller {
    /// Whether `text` about `what` differs from what was told last, or that was long ago.
    pub(super) fn is_news(&mut self, what: &str, text: &str, now: Now) -> bool {
        let told = self.told.get(what);
        if told.is_some_and(|(last, at)| last == text && now.mono.since(*at) < AGAIN) {
            return false;
        }
        self.told
            .insert(what.to_owned(), (text.to_owned(), now.mono));
        true
    }

    /// The problem is over: the next one about `what` is news.
    pub(super) fn forget(&mut self, what: &str) {
        self.told.remove(what);
    }

    /// Containers that claim to be ours and are not: each once.
    pub(super) fn strangers(&mut self, strangers: &[Stranger]) {
        for stranger in strangers
            .iter()
            .filter(|stranger| !self.strangers.contains(stranger))
        {
            warn!(id:% = stranger.id.short(), container:% = stranger.name, why:% = stranger.why;
                "container has labels of ours that do not parse, it is left alone");
        }
        if self.strangers != strangers {
            self.strangers = strangers.to_vec();
        }
    }

    /// What happened to a job.
    pub(super) fn event(&mut self, event: &Event, memory: &Memory, now: Now) {
        match event {
            Event::JobSaid { job, report } => self.report(job, report, memory, now),
            Event::JobEnded { job, end } => {
                self.pulls.remove(job);
                self.ended(job, end, now);
            }
            Event::JobStarted { .. } | Event::JobCancelled { .. } => {}
        }
    }

    fn ended(&mut self, job: &JobKey, end: &JobEnd, now: Now) {
        let why = match end {
            JobEnd::Done | JobEnd::Failed | JobEnd::Cancelled => return,
            JobEnd::Deadline => "deadline passed, job killed",
            JobEnd::Died(how) => how,
        };
        match job {
            JobKey::Events => debug!(why; "event stream ended"),
            JobKey::Keep if self.is_news("keep", why, now) => {
                warn!(why; "last good manifests cannot be kept");
            }
            // The source tells it.
            JobKey::Keep | JobKey::Fetch | JobKey::Preload => {}
            JobKey::Reclaim => debug!(why; "job that removes images ended"),
            JobKey::Mirror | JobKey::Watch(_) => debug!(why; "API server job ended"),
            JobKey::Pod(key) | JobKey::Pull(key, _) | JobKey::Probe(key, ..) => {
                if self.is_news(&format!("{key} job"), why, now) {
                    warn!(pod:% = key, why; "job died");
                }
            }
        }
    }

    /// The first result of a kind that is not success is told, and the success after it.
    fn probed(&mut self, job: &JobKey, found: Probed, output: &str, now: Now) {
        let JobKey::Probe(key, container, kind) = job else {
            return;
        };
        let what = format!("{key} {container} {}", kind.as_str());
        let kind = kind.as_str();
        let word = match found {
            Probed::Success => {
                if self.told.remove(&what).is_some() {
                    info!(pod:% = key, container:%, why:% = kind; "probe succeeds again");
                }
                return;
            }
            Probed::Warning => "warning",
            Probed::Failure => "failure",
            Probed::Unknown => "unknown",
        };
        if self.is_news(&what, word, now) {
            let phrase = match found {
                Probed::Success | Probed::Warning => "probe succeeds with a remark",
                Probed::Failure => "probe failed",
                Probed::Unknown => "probe could not be made",
            };
            warn!(pod:% = key, container:%, why:% = kind, err:% = output; "{phrase}");
        }
    }

    fn oom_floor(&mut self, key: &PodKey, floor: i32, now: Now) {
        if self.is_news("oom", &floor.to_string(), now) {
            warn!(pod:% = key, why:% = format!("dockerd may not give less than {floor} here");
                "oom_score_adj raised to what is allowed");
        }
    }

    /// What a job says that feeds no pod directly.
    fn feeder(&mut self, job: &JobKey, report: &Report, now: Now) {
        #[allow(clippy::wildcard_enum_match_arm)] // the rest is told where it is taken in
        match (job, report) {
            (JobKey::Keep, Report::Failed { message, .. })
                if self.is_news("keep", message, now) =>
            {
                warn!(err:% = message; "last good manifests cannot be kept");
            }
            (JobKey::Preload, Report::Note { text }) if self.is_news("preload", text, now) => {
                warn!(err:% = text; "loaded image archive cannot be remembered");
            }
            _ => {}
        }
    }

    fn report(&mut self, job: &JobKey, report: &Report, memory: &Memory, now: Now) {
        let (key, of) = match job {
            JobKey::Events | JobKey::Fetch | JobKey::Mirror | JobKey::Watch(_) => return,
            JobKey::Keep | JobKey::Preload | JobKey::Reclaim => {
                return self.feeder(job, report, now);
            }
            JobKey::Pod(key) => (key, None),
            JobKey::Pull(key, container) | JobKey::Probe(key, container, _) => {
                (key, Some(container))
            }
        };
        match report {
            Report::SandboxUp { id } => info!(pod:% = key, id:% = id.short(); "sandbox started"),
            Report::Started {
                container,
                id,
                attempt,
            } => {
                info!(pod:% = key, container:%, id:% = id.short(), attempt; "container started");
            }
            Report::ImageMissing { container } => {
                debug!(pod:% = key, container:%; "image is not here");
            }
            Report::Pulling(progress) => {
                let last = self.pulls.get(job);
                if last.is_none_or(|last| now.mono.since(*last) >= PULL_EVERY) {
                    self.pulls.insert(job.clone(), now.mono);
                    let layers = format!("{}/{}", progress.layers, progress.layers_total);
                    let bytes = format!("{}/{}", progress.bytes, progress.bytes_total);
                    info!(pod:% = key, container:% = name(of), bytes:%, layers:%; "image is being pulled");
                }
            }
            Report::Pulled { image_id, note } if note.is_empty() => {
                info!(pod:% = key, container:% = name(of), image:% = image_id; "image pulled");
            }
            Report::Pulled { image_id, note } => {
                warn!(pod:% = key, container:% = name(of), image:% = image_id, why:% = note; "local image used");
            }
            Report::Failed {
                container,
                reason,
                message,
            } => {
                let container = container.as_ref().or(of);
                let what = format!("{key} {} failed", name(container));
                if self.is_news(&what, message, now) {
                    let wait_ms = wait_ms(key, container, memory, now);
                    warn!(pod:% = key, container:% = name(container), why:% = reason.as_str(), err:% = message, wait_ms;
                        "step failed");
                }
            }
            Report::OomFloor { floor } => self.oom_floor(key, *floor, now),
            Report::PreStopFailed { container, why } => {
                warn!(pod:% = key, container:% = container, why:% = "FailedPreStopHook", err:% = why; "hook failed");
            }
            Report::Note { text } => {
                if self.is_news(&format!("{key} note"), text, now) {
                    warn!(pod:% = key, why:% = text; "pod job noticed");
                }
            }
            Report::Probed { found, output, .. } => self.probed(job, *found, output, now),
            Report::Fetched(_)
            | Report::Archive(_)
            | Report::Reclaim(_)
            | Report::Api(_)
            | Report::Bell { .. }
            | Report::Connected
            | Report::Hooked { .. } => {}
        }
    }
}

fn name(container: Option<&ContainerName>) -> &str {
    container.map_or("-", ContainerName::as_str)
}

fn wait_ms(key: &PodKey, container: Option<&ContainerName>, memory: &Memory, now: Now) -> u128 {
    let pod = memory.pods.get(key);
    let failure = match container {
        Some(container) => pod.and_then(|pod| pod.containers.get(container)?.failure.as_ref()),
        None => pod.and_then(|pod| pod.failure.as_ref()),
    };
    failure.map_or(0, |failure| failure.retry.since(now.mono).as_millis())
}

/// An action, as it starts.
pub(super) fn action(action: &Action) {
    match action {
        Action::Pod {
            key, steps, why, ..
        } => {
            info!(pod:% = key, why:%, steps:% = words(steps); "pod job started");
        }
        // Ticks all the time: what it finds is told when it changes.
        Action::Probe { .. } => {}
        Action::Pull {
            key,
            container,
            image,
            why,
        } => {
            info!(pod:% = key, container:%, image:%, why:%; "pull started");
        }
        Action::Cancel { job, why } => {
            if let Some(key) = job.pod() {
                info!(pod:% = key, why:%; "job cancelled");
            }
        }
    }
}

/// Every setting that somebody said, for whoever has to find out later what held.
pub(super) fn settings(settings: &Settings) {
    let said = |one: &&Effective| one.whence != Whence::Default;
    for one in settings.effective.iter().filter(said) {
        let why = format!("{}={} ({})", one.name(), one.value, one.whence);
        debug!(why:%; "setting");
    }
}

/// Every setting that is another one now, and whether it holds.
pub(super) fn changes(now: &Settings, then: &Settings) {
    for (old, new) in now.differences(then) {
        let why = old.changed_to(new);
        if old.needs_restart() {
            warn!(why:%; "changed setting needs a restart");
        } else {
            info!(why:%; "changed setting taken up");
        }
    }
    let mut warnings = then.warnings.iter();
    for why in warnings.by_ref().filter(|why| !now.warnings.contains(*why)) {
        warn!(why:%; "setting without effect");
    }
}

/// A message of the sources.
pub(super) fn source(message: &Message) {
    let pod = message
        .pod
        .as_ref()
        .map_or_else(|| "-".to_owned(), PodKey::to_string);
    let (file, why) = (&message.file, &message.why);
    match message.level {
        Level::Info => info!(file:%, pod:%, why:%; "{}", message.event),
        Level::Warn => warn!(file:%, pod:%, why:%; "{}", message.event),
    }
}
