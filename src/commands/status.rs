//! `staticlet status`: what the agent published, for people or as a PodList.

use std::time::Duration;

use super::describe::describe;
use super::terminal::Screen;
use super::watch::watch;
use super::{Fault, Outcome, complain, print};
use crate::agent;
use crate::cli::{Output, StatusFlags};
use crate::pod::PodKey;
use crate::publish::{self, Published};
use crate::state::{ArchiveState, ArchiveStatus, Refusal};
use crate::status::{Reason, Row, age, render, row};
use crate::sys::{Kind, Now, Wall, json};

/// Prints the state; `Fine` when all pods are well and no manifest is refused, or when the one that is meant is well.
pub fn status(flags: &StatusFlags) -> Outcome {
    let screen = Screen::of_stdout();
    if flags.watch {
        return watch(flags, screen);
    }
    let seen = match see(&flags.run_dir) {
        Ok(seen) => seen,
        Err(text) => {
            complain(&text);
            return Outcome::Failed;
        }
    };
    let now = crate::sys::now();
    if let Some(text) = seen.dead(now) {
        complain(&text);
    }
    match seen.told(flags, (screen, now)) {
        Ok(told) => {
            print(&told.text);
            if told.is_well {
                Outcome::Fine
            } else {
                Outcome::Bad
            }
        }
        Err(fault) => fault.tell("status"),
    }
}

/// What is to be printed.
pub(super) struct Told {
    pub(super) text: String,
    /// Nothing is wrong with what is told.
    pub(super) is_well: bool,
}

/// What was published, and whether who did it still runs.
pub(super) struct Seen {
    file: Published,
    /// There is an agent.
    pub(super) runs: bool,
}

/// Reads what is published.
///
/// # Errors
/// The whole sentence, with what to do.
pub(super) fn see(run_dir: &str) -> Result<Seen, String> {
    let path = publish::path(run_dir);
    let mut file = publish::read(&path).map_err(|error| {
        let hint = match error.kind() {
            Kind::Gone => "; no agent has run here since the boot, or it has another --run-dir",
            Kind::Refused => "; only root may read it",
            Kind::Conflict | Kind::Unavailable | Kind::Garbled | Kind::TooBig => "",
        };
        format!("{error}{hint}")
    })?;
    let runs = agent::holder(&file.staticlet.root_dir).is_some();
    if !runs {
        // What was being done died with it.
        for pod in file.staticlet.pods.values_mut() {
            pod.jobs.clear();
        }
    }
    Ok(Seen { file, runs })
}

impl Seen {
    /// What to say of an agent that does not run.
    pub(super) fn dead(&self, now: Now) -> Option<String> {
        let written = Wall::parse(&self.file.staticlet.written);
        let since = written.map_or(Duration::ZERO, |at| now.wall.since(at));
        (!self.runs).then(|| {
            format!(
                "the agent is not running; this is what it published {} ago, or what has not changed since",
                age(since)
            )
        })
    }

    /// The state, as it is to be printed.
    ///
    /// # Errors
    /// There is no such pod.
    pub(super) fn told(
        &self,
        flags: &StatusFlags,
        (screen, now): (Screen, Now),
    ) -> Result<Told, Fault> {
        if let Some(pod) = &flags.pod {
            return describe(pod, &self.file, flags);
        }
        let text = match flags.output {
            Output::Table => table(&self.file, &self.rows(now), (screen, now)),
            Output::Json => list(&self.file),
            Output::Name => names(&self.file),
        };
        Ok(Told {
            text,
            is_well: self.is_well(now),
        })
    }

    fn rows(&self, now: Now) -> Vec<Row> {
        let items = self.file.items.iter();
        items.map(|pod| row(pod, now.wall)).collect()
    }

    fn is_well(&self, now: Now) -> bool {
        let extra = &self.file.staticlet;
        self.rows(now).iter().all(|row| row.is_well)
            && extra.refusals.is_empty()
            && extra.docker.error.is_none()
            && extra.archives.iter().all(|archive| archive.why.is_none())
    }
}

/// `namespace/name` of each pod.
fn names(file: &Published) -> String {
    let keys = file.items.iter().filter_map(PodKey::of);
    keys.map(|key| format!("{key}\n")).collect()
}

/// A PodList that anything that reads `kubectl get pods -o json` can read.
fn list(file: &Published) -> String {
    let list = serde_json::json!({
        "apiVersion": file.api_version,
        "kind": file.kind,
        "metadata": {},
        "items": json::tree(&file.items).unwrap_or_default(),
    });
    format!("{list:#}\n")
}

/// The table, and below it every reason why something is not as it should be.
fn table(file: &Published, rows: &[Row], (screen, now): (Screen, Now)) -> String {
    let extra = &file.staticlet;
    let mut out = render(rows, &|tone, word| screen.paint(tone, word));
    if rows.is_empty() {
        let text = if extra.complete {
            "no pods\n"
        } else {
            "manifests have not been read yet\n"
        };
        out.push_str(text);
    }
    let mut lines = Vec::new();
    if let Some(error) = &extra.docker.error {
        lines.push(format!("dockerd: {error}"));
    }
    if let Some(why) = &extra.docker.disk {
        lines.push(format!("dockerd: {why}"));
    }
    if let Some(error) = &extra.api_error {
        lines.push(format!("API server: {error}"));
    }
    lines.extend(extra.archives.iter().filter_map(|one| archive(one, now)));
    for (pod, known) in &extra.pods {
        let jobs =
            (!known.jobs.is_empty()).then(|| format!("{pod}: now: {}", known.jobs.join("; ")));
        lines.extend(
            known
                .reasons
                .iter()
                .map(|reason| reason_line(pod, reason, now)),
        );
        lines.extend(jobs);
        lines.extend(known.notes.iter().map(|note| format!("{pod}: {note}")));
    }
    lines.extend(extra.refusals.iter().flat_map(refusal_lines));
    let strangers = extra.strangers.iter();
    lines.extend(strangers.map(|s| format!("left alone: {}: {}", s.name, s.why)));
    if !lines.is_empty() {
        out.push('\n');
        // What a container or a server said must not move the cursor or change a colour.
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        for line in lines {
            out.extend(line.chars().map(plain));
            out.push('\n');
        }
    }
    out
}

fn reason_line(pod: &str, reason: &Reason, now: Now) -> String {
    let container = reason.container.as_ref();
    let container = container.map_or(String::new(), |name| format!("{name}: "));
    format!("{pod}: {container}{}", reason_text(reason, now))
}

/// A reason, with the time of the next attempt.
pub(super) fn reason_text(reason: &Reason, now: Now) -> String {
    let next = match reason.next_attempt {
        Some(at) if at > now.mono => format!("; next attempt in {}", age(at.since(now.mono))),
        Some(_) => "; next attempt now".to_owned(),
        None => String::new(),
    };
    let message = reason.message.trim().replace('\n', " ");
    format!("{}: {message}{next}", reason.reason)
}

/// An image archive that has not been loaded.
fn archive(archive: &ArchiveStatus, now: Now) -> Option<String> {
    let said = match archive.state {
        ArchiveState::Loaded => return None,
        ArchiveState::Waiting => "waits to be loaded".to_owned(),
        ArchiveState::Loading => "is being loaded".to_owned(),
        ArchiveState::Failed => {
            let next = match archive.next_attempt {
                Some(at) if at > now.mono => format!("in {}, or ", age(at.since(now.mono))),
                Some(_) | None => String::new(),
            };
            let why = archive.why.as_deref().unwrap_or_default();
            format!("not loaded: {why}; tried again {next}when it changes")
        }
    };
    Some(format!("images of {}: {said}", archive.file))
}

/// One line for each problem of a manifest that is not followed.
pub(super) fn refusal_lines(refusal: &Refusal) -> Vec<String> {
    let place = refusal.source.place();
    let good = refusal.good.map(|at| format!("running last good of {at}"));
    let keeps = match (&refusal.keeps, good) {
        (Some(pod), Some(good)) => format!(" (pod {pod}: {good})"),
        (None, Some(good)) => format!(" ({good})"),
        (_, None) => String::new(),
    };
    let line = |problem: &crate::pod::Problem| {
        let at = problem
            .line
            .map_or(String::new(), |line| format!(":{line}"));
        let bare = crate::pod::Problem {
            line: None,
            ..problem.clone()
        };
        format!("refused: {place}{at}: {bare}{keeps}")
    };
    refusal.problems.iter().map(line).collect()
}
