//! `staticlet status`: what the agent published, for people or as a PodList.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use super::describe::describe;
use super::{Outcome, complain, print};
use crate::cli::{Output, StatusFlags};
use crate::publish::{self, Published};
use crate::state::{ArchiveState, ArchiveStatus, Refusal, Source};
use crate::status::{Reason, Row, age, render, row};
use crate::sys::{Kind, Lock, Now, Wall};

/// Prints the state; `Fine` when all pods are well and no manifest is refused, or when the one that is meant is well.
pub fn status(flags: &StatusFlags) -> Outcome {
    let mut file = match published(&flags.run_dir) {
        Ok(file) => file,
        Err(outcome) => return outcome,
    };
    if let Some(pod) = &flags.pod {
        return describe(pod, file, flags);
    }
    let now = crate::sys::now();
    let rows: Vec<Row> = file.items.iter().map(|pod| row(pod, now.wall)).collect();
    note_end(&mut file, now);
    match flags.output {
        Output::Table => print(&table(&file, &rows, now)),
        Output::Json => print(&json(&file)),
        Output::Name => print(&names(&file)),
    }
    let extra = &file.staticlet;
    let well = rows.iter().all(|row| row.is_well)
        && extra.refusals.is_empty()
        && extra.docker.error.is_none()
        && extra.archives.iter().all(|archive| archive.why.is_none());
    if well { Outcome::Fine } else { Outcome::Bad }
}

/// What the agent published.
///
/// # Errors
/// There is nothing that can be read, which has been told.
fn published(run_dir: &str) -> Result<Published, Outcome> {
    publish::read(&publish::path(run_dir)).map_err(|error| {
        let hint = match error.kind() {
            Kind::Gone => "; no agent has run here since the boot, or it has another --run-dir",
            Kind::Refused => "; only root may read it",
            Kind::Conflict | Kind::Unavailable | Kind::Garbled | Kind::TooBig => "",
        };
        complain(&format!("{error}{hint}"));
        Outcome::Failed
    })
}

/// Says so when the agent does not run: what it was doing died with it.
pub(super) fn note_end(file: &mut Published, now: Now) {
    let lock = Path::new(&file.staticlet.root_dir).join("agent.lock");
    if Lock::holder(&lock).is_some() {
        return;
    }
    for pod in file.staticlet.pods.values_mut() {
        pod.jobs.clear();
    }
    let written = Wall::parse(&file.staticlet.written);
    let since = written.map_or(Duration::ZERO, |at| now.wall.since(at));
    complain(&format!(
        "the agent is not running; this is what it published {} ago, or what has not changed since",
        age(since)
    ));
}

/// `namespace/name` of each pod.
fn names(file: &Published) -> String {
    let of = |pod: &Pod| {
        let namespace = pod.metadata.namespace.as_deref()?;
        Some(format!("{namespace}/{}\n", pod.metadata.name.as_deref()?))
    };
    file.items.iter().filter_map(of).collect()
}

/// A PodList that anything that reads `kubectl get pods -o json` can read.
fn json(file: &Published) -> String {
    let list = serde_json::json!({
        "apiVersion": file.api_version,
        "kind": file.kind,
        "metadata": {},
        "items": file.items,
    });
    format!("{list:#}\n")
}

/// The table, and below it every reason why something is not as it should be.
fn table(file: &Published, rows: &[Row], now: Now) -> String {
    let extra = &file.staticlet;
    let mut out = render(rows);
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
        out.push_str(&lines.join("\n"));
        out.push('\n');
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
    let (Source::File(place) | Source::Url(place)) = &refusal.source;
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
