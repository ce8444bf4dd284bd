//! `staticlet stop --all`: ends every pod of a machine that goes down.

use log::LevelFilter;

use super::place::Place;
use super::run::log_to_stderr;
use super::{Fault, Outcome, complain, print};
use crate::agent;
use crate::cli::StopFlags;
use crate::sys::Kind;

/// Ends them. `Bad` when an agent runs, or a pod is still there at the end.
pub fn stop(flags: &StopFlags) -> Outcome {
    match try_stop(flags) {
        Ok(outcome) => outcome,
        Err(fault) => fault.tell("stop"),
    }
}

fn try_stop(flags: &StopFlags) -> Result<Outcome, Fault> {
    let place = Place::find(&flags.place)?;
    if let Some(pid) = place.agent() {
        return Err(Fault::Bad(format!(
            "the agent runs as process {pid} and would start the pods again; stop it first (systemctl stop staticlet)"
        )));
    }
    log_to_stderr(LevelFilter::Warn);
    let mut gone = |key: &_| print(&format!("{key}: ended\n"));
    let stopped = match agent::stop_all(place.settings, flags.timeout, &mut gone) {
        // It was started in between.
        Err(error) if error.kind() == Kind::Conflict => return Err(Fault::Bad(error.to_string())),
        stopped => stopped?,
    };
    for (key, why) in &stopped.left {
        complain(&format!("stop: {key}: still there: {why}"));
    }
    Ok(if stopped.left.is_empty() {
        Outcome::Fine
    } else {
        Outcome::Bad
    })
}
