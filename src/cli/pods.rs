//! What is typed after the commands that are about pods that are there.

use std::time::Duration;

use super::typed::{Stop, Typed};
use super::{Command, Output, RUN_DIR};
use crate::sys::duration;

/// The flags of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFlags {
    /// How to print it.
    pub output: Output,
    /// Everything about this pod; `None`: something about all of them.
    pub pod: Option<String>,
    /// Where the agent publishes.
    pub run_dir: String,
    /// Again whenever it changes.
    pub watch: bool,
}

/// Which agent a command is about. What is `None` is read from what the agent published, or is the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceFlags {
    /// Where the agent publishes.
    pub run_dir: String,
    /// What its pods own.
    pub root_dir: Option<String>,
    /// dockerd's socket.
    pub docker: Option<String>,
    /// The node's name.
    pub node_name: Option<String>,
}

/// The flags of `logs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogsFlags {
    /// Which agent.
    pub place: PlaceFlags,
    /// `name` or `namespace/name`.
    pub pod: String,
    /// Which container; `None`: the only one.
    pub container: Option<String>,
    /// Go on until it ends.
    pub follow: bool,
    /// Its newest instance that has ended.
    pub previous: bool,
    /// The last lines only.
    pub tail: Option<u64>,
    /// What was said since so long ago.
    pub since: Option<Duration>,
    /// Begin each line with its time.
    pub timestamps: bool,
}

pub(super) fn logs(typed: Typed) -> Result<Command, Stop> {
    Ok(Command::Logs(LogsFlags {
        place: place(&typed),
        pod: typed.texts()?.concat(),
        container: typed.value("container").map(str::to_owned),
        follow: typed.is_set("follow"),
        previous: typed.is_set("previous"),
        tail: typed.read("tail", lines)?.flatten(),
        since: typed.read("since", duration)?,
        timestamps: typed.is_set("timestamps"),
    }))
}

/// What `wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The pods are ready, or have done all they should.
    Ready,
    /// Nothing is left of them.
    Gone,
}

/// The flags of `wait`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitFlags {
    /// Which agent.
    pub place: PlaceFlags,
    /// For what.
    pub goal: Goal,
    /// For how long; zero: look once.
    pub timeout: Duration,
    /// Which pods; empty: all.
    pub pods: Vec<String>,
}

/// As long as `kubectl wait`.
const WAIT: Duration = Duration::from_secs(30);

pub(super) fn wait(typed: Typed) -> Result<Command, Stop> {
    Ok(Command::Wait(WaitFlags {
        place: place(&typed),
        goal: match typed.value("for") {
            Some("gone") => Goal::Gone,
            Some(_) | None => Goal::Ready,
        },
        timeout: typed.read("timeout", duration)?.unwrap_or(WAIT),
        pods: typed.texts()?,
    }))
}

/// The flags of `restart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartFlags {
    /// Which agent.
    pub place: PlaceFlags,
    /// `name` or `namespace/name`.
    pub pod: String,
    /// Which container; `None`: all that run.
    pub container: Option<String>,
    /// How long to wait for the next attempt.
    pub timeout: Duration,
}

pub(super) fn restart(typed: Typed) -> Result<Command, Stop> {
    Ok(Command::Restart(RestartFlags {
        place: place(&typed),
        pod: typed.texts()?.concat(),
        container: typed.value("container").map(str::to_owned),
        timeout: typed.read("timeout", duration)?.unwrap_or(WAIT),
    }))
}

/// The flags of `stop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopFlags {
    /// Which agent.
    pub place: PlaceFlags,
    /// When all containers have been killed that did not end; `None`: each has its whole grace.
    pub timeout: Option<Duration>,
}

pub(super) fn stop(typed: Typed) -> Result<Command, Stop> {
    if !typed.is_set("all") {
        let said =
            "it ends every pod of this machine and wants --all; to stop one take its manifest away";
        return Err(typed.wrong(said.to_owned()));
    }
    Ok(Command::Stop(StopFlags {
        place: place(&typed),
        timeout: typed.read("timeout", duration)?,
    }))
}

/// A number of lines; `None` is all of them.
fn lines(text: &str) -> Result<Option<u64>, String> {
    match text {
        "all" | "-1" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| "is no number of lines".to_owned()),
    }
}

fn place(typed: &Typed) -> PlaceFlags {
    let value = |long| typed.value(long).map(str::to_owned);
    PlaceFlags {
        run_dir: run_dir(typed),
        root_dir: value("root-dir"),
        docker: value("container-runtime-endpoint"),
        node_name: value("hostname-override"),
    }
}

pub(super) fn status(typed: Typed) -> Result<Command, Stop> {
    Ok(Command::Status(StatusFlags {
        output: match typed.value("output") {
            Some("json") => Output::Json,
            Some("name") => Output::Name,
            Some(_) | None => Output::Table,
        },
        pod: typed.texts()?.pop(),
        run_dir: run_dir(&typed),
        watch: typed.is_set("watch"),
    }))
}

fn run_dir(typed: &Typed) -> String {
    typed.value("run-dir").unwrap_or(RUN_DIR).to_owned()
}
