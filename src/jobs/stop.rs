//! Stopping side by side, and removing.
//!
//! One container is stopped by dockerd, which counts the grace. Of several `POST stop` would hold one connection each for
//! the whole of it; instead TERM is sent to all, their ends are watched, and what is left at the end of its grace is
//! killed. A job that dies in between leaves containers that have their TERM; the next begins their grace anew.

use std::time::Duration;

use super::logs;
use super::report::{Failed, because};
use crate::decide::StopTarget;
use crate::docker::Docker;
use crate::state::{ContainerId, FailReason, Node};
use crate::sys::{self, Error, Kind, Mono};

/// The pause between two looks at a container that is to end: an eighth of the time waited so far, within these limits.
/// So an end is noticed late by an eighth at most, and 30 s of grace cost some hundred looks.
const WATCH_SHARE: u32 = 8;
const WATCH_MIN: Duration = Duration::from_millis(10);
const WATCH_MAX: Duration = Duration::from_millis(250);

/// After a KILL a container is given this long; one that still runs hangs in the kernel.
const KILL_WAIT: Duration = Duration::from_secs(30);

/// One that is being removed by somebody else is waited for this long.
const REMOVE_WAIT: Duration = Duration::from_secs(20);

/// What a container still has after its grace was used up by waiting for its turn (kubelet
/// `minimumGracePeriodInSeconds`).
const LAST_GRACE: Duration = Duration::from_secs(2);

struct Ending<'a> {
    target: &'a StopTarget,
    stage: Stage,
}

/// How far a container is on its way to its end.
enum Stage {
    /// Others have to end first; with the end of its grace it does not wait any longer.
    Waits { until: Mono },
    /// It has its TERM.
    Asked { kill_at: Mono },
    /// It has its KILL.
    Killed { give_up: Mono },
}

impl Stage {
    fn due(&self) -> Mono {
        match self {
            Stage::Waits { until: at }
            | Stage::Asked { kill_at: at }
            | Stage::Killed { give_up: at } => *at,
        }
    }
}

/// Stops all of these, each within its own grace. One that is gone or has ended is fine.
pub(super) fn stop(docker: &Docker, targets: &[StopTarget]) -> Result<(), Failed> {
    if let [only] = targets {
        return docker
            .stop(&only.id.0, only.grace_seconds)
            .map_err(because(FailReason::KillContainerError));
    }
    stop_all(docker, targets).map_err(because(FailReason::KillContainerError))
}

fn stop_all(docker: &Docker, targets: &[StopTarget]) -> sys::Result<()> {
    let began = sys::now().mono;
    let waits = |target| Ending {
        target,
        stage: Stage::Waits {
            until: began.after(grace(target)),
        },
    };
    let mut left: Vec<Ending<'_>> = targets.iter().map(waits).collect();
    loop {
        let mut still = Vec::new();
        for ending in left {
            if let Some(signal) = stop_signal(docker, &ending.target.id)? {
                still.push((ending, signal));
            }
        }
        let turn = still.iter().map(|(ending, _)| ending.target.turn).min();
        let Some(turn) = turn else { return Ok(()) };
        left = Vec::new();
        for (ending, signal) in still {
            left.push(step(docker, ending, (turn, &signal))?);
        }
        let now = sys::now().mono;
        let due = left
            .iter()
            .map(|ending| ending.stage.due().since(now))
            .min();
        let watch = (now.since(began) / WATCH_SHARE).clamp(WATCH_MIN, WATCH_MAX);
        sys::pause(watch.min(due.unwrap_or(WATCH_MAX).max(WATCH_MIN)));
    }
}

fn grace(target: &StopTarget) -> Duration {
    Duration::from_secs(u64::from(target.grace_seconds))
}

/// What is to be done now about one that runs; `turn` is the lowest of those that do.
fn step<'a>(
    docker: &Docker,
    ending: Ending<'a>,
    (turn, signal): (u32, &str),
) -> sys::Result<Ending<'a>> {
    let now = sys::now().mono;
    let target = ending.target;
    let stage = match ending.stage {
        Stage::Waits { until } if target.turn <= turn || now >= until => {
            signal_it(docker, &target.id, signal)?;
            let kill_at = until.max(now.after(LAST_GRACE));
            Stage::Asked { kill_at }
        }
        Stage::Asked { kill_at } if now >= kill_at => {
            signal_it(docker, &target.id, "SIGKILL")?;
            let give_up = now.after(KILL_WAIT);
            Stage::Killed { give_up }
        }
        Stage::Killed { give_up } if now >= give_up => {
            let doing = format!("stop container {} {}", target.name, target.id.short());
            let said = format!("it still runs {} s after a KILL", KILL_WAIT.as_secs());
            return Err(Error::new(doing, Kind::Unavailable, said));
        }
        stage @ (Stage::Waits { .. } | Stage::Asked { .. } | Stage::Killed { .. }) => stage,
    };
    Ok(Ending { target, stage })
}

/// The signal that its image asks for; `None` when it does not run.
fn stop_signal(docker: &Docker, id: &ContainerId) -> sys::Result<Option<String>> {
    let inspect = match docker.inspect(&id.0) {
        Ok(inspect) => inspect,
        Err(error) if error.kind() == Kind::Gone => return Ok(None),
        Err(error) => return Err(error),
    };
    let signal = inspect.config.stop_signal;
    Ok(inspect.state.running.then(|| {
        if signal.is_empty() {
            "SIGTERM".to_owned()
        } else {
            signal
        }
    }))
}

fn signal_it(docker: &Docker, id: &ContainerId, signal: &str) -> sys::Result<()> {
    match docker.kill(&id.0, signal) {
        // It has ended by itself.
        Err(error) if matches!(error.kind(), Kind::Gone | Kind::Conflict) => Ok(()),
        other => other,
    }
}

/// Removes these in this order, with their log links; one that still runs is killed.
pub(super) fn remove(docker: &Docker, node: &Node, ids: &[ContainerId]) -> Result<(), Failed> {
    for id in ids {
        logs::unlink(docker, node, id);
        remove_one(docker, id).map_err(because(FailReason::KillContainerError))?;
    }
    Ok(())
}

fn remove_one(docker: &Docker, id: &ContainerId) -> sys::Result<()> {
    let until = sys::now().mono.after(REMOVE_WAIT);
    loop {
        match docker.remove(&id.0) {
            // Somebody else is removing it: that takes a moment.
            Err(error) if error.kind() == Kind::Conflict && sys::now().mono < until => {
                sys::pause(WATCH_MAX)
            }
            other => return other,
        }
    }
}
