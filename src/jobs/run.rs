//! What `staticlet job` does.

use std::io::{Read, Write};

use log::error;

use super::report::say;
use super::{
    Request, events, fetch, hook, keep, mirror, pod, preload, probe, pull, reclaim, watch,
};
use crate::state::{FailReason, Report};
use crate::sys::{self, Error, Kind, json};

/// A request holds one pod, whose manifest is at most 1 MiB; quoting and labels make it larger.
const REQUEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// Something failed, and was reported.
    Failed,
    /// The request is none; nothing was done.
    BadRequest,
    /// The program that this was to turn into cannot be run.
    NotRun,
}

impl Outcome {
    /// How a job ended that is about no pod; what went wrong is reported.
    pub(super) fn told<E: ToString>(result: Result<(), E>) -> Outcome {
        let Err(error) = result else {
            return Outcome::Done;
        };
        say(&Report::Failed {
            container: None,
            reason: FailReason::JobError,
            message: error.to_string(),
        });
        Outcome::Failed
    }
}

/// Reads one request from standard input and carries it out.
pub fn run() -> Outcome {
    if !sys::die_with_parent() {
        return Outcome::Failed;
    }
    match read_request() {
        Ok(Request::Pod(request)) => pod::run(*request),
        Ok(Request::Pull(request)) => pull::run(&request),
        Ok(Request::Probe(request)) => probe::run(&request),
        Ok(Request::Fetch(request)) => fetch::run(&request),
        Ok(Request::Keep(request)) => keep::run(&request),
        Ok(Request::Preload(request)) => preload::run(&request),
        Ok(Request::Reclaim(request)) => reclaim::run(&request),
        Ok(Request::Hook(request)) => hook::run(&request),
        Ok(Request::Mirror(request)) => mirror::run(&request),
        Ok(Request::Watch {
            kubeconfig,
            credential,
            node,
            watched,
        }) => watch::run(&kubeconfig, credential.as_ref(), &node, watched),
        Ok(Request::Program(program)) => {
            // To the job that waits for it.
            let _ = writeln!(std::io::stderr(), "{}", program.take_over());
            Outcome::NotRun
        }
        Ok(Request::Events {
            docker_socket,
            root_dir,
        }) => events::run(&docker_socket, &root_dir),
        Err(error) => {
            error!(err:% = error; "job request refused");
            Outcome::BadRequest
        }
    }
}

fn read_request() -> sys::Result<Request> {
    let doing = "read the job request on standard input";
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(REQUEST_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(|e| Error::io(doing, &e))?;
    json::read(&text).map_err(|e| Error::new(doing, Kind::Garbled, e))
}
