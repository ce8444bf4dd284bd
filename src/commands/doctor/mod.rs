//! `staticlet doctor`: what would keep pods from running on this machine, one line for each thing that is looked at.
//!
//! IO, but nothing is changed. Start reading at [`doctor`].

mod engine;
mod machine;
mod manifests;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::{Outcome, docker_host, misuse, print};
use crate::cli::{Output, RunFlags};
use crate::config;
use crate::observe::Observer;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// Something is less than it could be.
    Warn,
    /// Pods, or some of them, cannot run.
    Bad,
}

/// What was found of one thing.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    /// Which thing: one or two words that scripts may look for.
    what: &'static str,
    /// How it is, and what to do.
    said: String,
}

impl Finding {
    fn ok(what: &'static str, said: impl Into<String>) -> Finding {
        let (level, said) = (Level::Ok, said.into());
        Finding { level, what, said }
    }

    fn warn(what: &'static str, said: impl Into<String>) -> Finding {
        let (level, said) = (Level::Warn, said.into());
        Finding { level, what, said }
    }

    fn bad(what: &'static str, said: impl Into<String>) -> Finding {
        let (level, said) = (Level::Bad, said.into());
        Finding { level, what, said }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Bad => "bad",
        };
        let Finding { what, said, .. } = self;
        write!(f, "{word}: {what}: {}", said.replace('\n', " "))
    }
}

/// Looks at everything; `Bad` when something is.
pub fn doctor(flags: &RunFlags, output: Output) -> Outcome {
    let settings = match config::settings(flags, docker_host().as_deref()) {
        Ok(settings) => settings,
        Err(problems) => return misuse(&problems),
    };
    let node = &settings.node;
    let now = crate::sys::now();
    let mut found = vec![machine::clock(now.wall), machine::dns(node)];
    found.extend(machine::privileges());
    found.extend(machine::agent(node));
    // Both are asked: what pods are there, and what dockerd is.
    let observed = Observer::new(node).look(&BTreeSet::new());
    found.extend(engine::docker(node, &observed));
    found.push(machine::disk("root directory", &node.root_dir));
    found.extend(manifests::manifests(&settings, observed.as_ref().ok(), now));
    match output {
        Output::Table | Output::Name => {
            let lines = found.iter().map(|one| format!("{one}\n"));
            print(&lines.collect::<String>());
        }
        Output::Json => print(&format!("{:#}\n", serde_json::json!({"findings": found}))),
    }
    if found.iter().any(|one| one.level == Level::Bad) {
        Outcome::Bad
    } else {
        Outcome::Fine
    }
}
