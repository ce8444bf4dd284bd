//! `staticlet check`: what the agent would say of manifests, without an agent, Docker or root.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Outcome, misuse, print};
use crate::cli::{CheckFlags, Output};
use crate::config;
use crate::pod::{self, MANIFEST_BYTES_MAX, Origin, Problem, Reading};
use crate::sources::{self, Survey};
use crate::sys::InOrder;

/// What is known of one manifest.
struct Checked {
    path: PathBuf,
    reading: Option<Reading>,
    problems: Vec<Problem>,
}

impl Checked {
    fn new(path: PathBuf, read: Result<Reading, Vec<Problem>>) -> Checked {
        let (reading, problems) = match read {
            Ok(reading) => (Some(reading), Vec::new()),
            Err(problems) => (None, problems),
        };
        Checked {
            path,
            reading,
            problems,
        }
    }
}

/// Checks manifests as the agent reads them; `Bad` when one of them has a problem.
pub fn check(flags: &CheckFlags) -> Outcome {
    let node_name = match config::node_name(flags.node_name.as_deref()) {
        Ok(name) => name,
        Err(problem) => return misuse(&[format!("check: {problem}")]),
    };
    let origin = Origin {
        node_name,
        from_file: true,
        allow_unknown_fields: flags.allow_unknown_fields,
    };
    let mut all = Vec::new();
    let mut ignored = Vec::new();
    for path in &flags.paths {
        let survey = look(path, &origin);
        ignored.extend(survey.ignored);
        for (path, read) in survey.manifests {
            // A file that is named twice is no conflict with itself.
            if all.iter().all(|one: &Checked| one.path != path) {
                all.push(Checked::new(path, read));
            }
        }
    }
    add_conflicts(&mut all);
    for one in &mut all {
        one.problems.order_by_key(|problem| problem.line);
    }
    match flags.output {
        Output::Table | Output::Name => print(&text(&all, &ignored)),
        Output::Json => print(&format!("{:#}\n", json(&all, &ignored))),
    }
    if all.iter().all(|one| one.problems.is_empty()) {
        Outcome::Fine
    } else {
        Outcome::Bad
    }
}

/// What is at one of the paths; what cannot be read is a manifest with a problem.
fn look(path: &OsStr, origin: &Origin) -> Survey {
    let reader = |bytes: &[u8]| pod::read(bytes, origin);
    if path == "-" {
        let mut bytes = Vec::new();
        // One byte more tells that there is more.
        let limit = MANIFEST_BYTES_MAX as u64 + 1;
        let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
        let read = match read {
            Ok(_) => reader(&bytes),
            Err(err) => Err(vec![Problem::new("", err.to_string())]),
        };
        return Survey {
            manifests: vec![(PathBuf::from("-"), read)],
            ignored: Vec::new(),
        };
    }
    let path = Path::new(path);
    sources::survey(path, &reader).unwrap_or_else(|err| Survey {
        manifests: vec![(
            path.to_owned(),
            Err(vec![Problem::new("", err.said().to_owned())]),
        )],
        ignored: Vec::new(),
    })
}

/// Two manifests of one pod are a problem of the one that the agent would not follow.
fn add_conflicts(all: &mut [Checked]) {
    let good = all.iter();
    let good = good.filter_map(|one| Some((one.path.as_path(), one.reading.as_ref()?)));
    for (path, problem) in sources::conflicts(good) {
        if let Some(loser) = all.iter_mut().find(|one| one.path == path) {
            loser.problems.push(problem);
        }
    }
}

/// One line for each problem, `file:line: field: problem; hint`, as compilers print them.
fn text(all: &[Checked], ignored: &[(PathBuf, &'static str)]) -> String {
    let mut out = String::new();
    for one in all {
        let path = one.path.display();
        for problem in &one.problems {
            out.push_str(&line(&path, "", problem));
        }
        let Some(reading) = &one.reading else {
            continue;
        };
        for warning in &reading.warnings {
            out.push_str(&line(&path, "warning: ", warning));
        }
        if one.problems.is_empty() {
            out.push_str(&format!("{path}: ok: pod {}\n", reading.pod.key));
        }
    }
    for (path, why) in ignored {
        out.push_str(&format!("{}: ignored: {why}\n", path.display()));
    }
    if all.is_empty() {
        out.push_str("no manifests\n");
    }
    out
}

fn line(path: &dyn std::fmt::Display, kind: &str, problem: &Problem) -> String {
    let line = problem.line;
    let line = line.map_or(String::new(), |line| format!(":{line}"));
    let mut told = problem.text.clone();
    if !problem.path.is_empty() {
        told = format!("{}: {told}", problem.path);
    }
    if !problem.hint.is_empty() {
        told = format!("{told}; {}", problem.hint);
    }
    // What a manifest says must not move the cursor or end the line.
    let told: String = told
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{path}{line}: {kind}{told}\n")
}

fn json(all: &[Checked], ignored: &[(PathBuf, &'static str)]) -> Value {
    let manifests = all.iter().map(|one| {
        let reading = one.reading.as_ref();
        json!({
            "file": one.path.display().to_string(),
            "pod": reading.map(|reading| reading.pod.key.to_string()),
            "problems": one.problems,
            "warnings": reading.map_or(&[][..], |reading| &reading.warnings),
        })
    });
    let ignored = ignored
        .iter()
        .map(|(path, why)| json!({"file": path.display().to_string(), "why": why}));
    json!({
        "manifests": manifests.collect::<Vec<_>>(),
        "ignored": ignored.collect::<Vec<_>>(),
    })
}
