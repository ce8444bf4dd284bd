//! Stopping side by side, and removing.
//!
//! One container is stopped by dockerd, which counts the grace. Of several `POST stop` would hold one connection each for
//! the whole of it; instead TERM is sent to all, their ends are watched, and what is left at the end of its grace is
//! killed. preStop hooks run first, side by side too, each in a process of its own. A job that dies in between leaves containers that have their TERM; the next begins their grace anew.

use std::time::Duration;

use super::pod::PodJob;
use super::report::{Failed, because, say};
use super::{HookRequest, hook, logs, sandbox};
use crate::decide::StopTarget;
use crate::docker::Docker;
use crate::state::{ContainerId, FailReason, Node, Report};
use crate::sys::{self, Error, Kind, Mono};
use crate::translate::pre_stop;

/// The pause between two looks at a container that is to end: an eighth of the time waited so far, within these limits.
/// So an end is noticed late by an eighth at most, and 30 s of grace cost some hundred looks.
/// To let dockerd wait instead (`POST wait`) was tried, and is no faster: two or three containers take 0.15 to 0.25 s to end
/// in both ways.
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
    /// The end of its grace.
    until: Mono,
    stage: Stage,
}

/// How far a container is on its way to its end.
enum Stage {
    /// Its preStop hook runs.
    Hook(hook::Running),
    /// Others have to end first; with the end of its grace it does not wait any longer.
    Waits,
    /// It has its TERM.
    Asked { kill_at: Mono },
    /// It has its KILL.
    Killed { give_up: Mono },
}

impl Ending<'_> {
    fn due(&self) -> Mono {
        match &self.stage {
            Stage::Hook(hook) => hook.until(),
            Stage::Waits => self.until,
            Stage::Asked { kill_at: at } | Stage::Killed { give_up: at } => *at,
        }
    }
}

/// Stops all of these, each within its own grace. One that is gone or has ended is fine.
pub(super) fn stop(job: &PodJob, targets: &[StopTarget]) -> Result<(), Failed> {
    if let [only] = targets
        && !only.pre_stop
    {
        return job
            .docker
            .stop(&only.id.0, only.grace_seconds)
            .map_err(because(FailReason::KillContainerError));
    }
    stop_all(job, targets).map_err(because(FailReason::KillContainerError))
}

fn stop_all(job: &PodJob, targets: &[StopTarget]) -> sys::Result<()> {
    let began = sys::now().mono;
    let begin = |target| Ending {
        target,
        until: began.after(grace(target)),
        stage: begin_hook(job, target),
    };
    let mut left: Vec<Ending<'_>> = targets.iter().map(begin).collect();
    loop {
        let mut still = Vec::new();
        for ending in left {
            if let Some(signal) = stop_signal(&job.docker, &ending.target.id)? {
                still.push((ending, signal));
            }
        }
        let turn = still.iter().map(|(ending, _)| ending.target.turn).min();
        let Some(turn) = turn else { return Ok(()) };
        left = Vec::new();
        for (ending, signal) in still {
            left.push(step(&job.docker, ending, (turn, &signal))?);
        }
        let now = sys::now().mono;
        let due = left.iter().map(|ending| ending.due().since(now)).min();
        let watch = (now.since(began) / WATCH_SHARE).clamp(WATCH_MIN, WATCH_MAX);
        sys::pause(watch.min(due.unwrap_or(WATCH_MAX).max(WATCH_MIN)));
    }
}

fn grace(target: &StopTarget) -> Duration {
    Duration::from_secs(u64::from(target.grace_seconds))
}

/// The first stage: the hook, if there is one and the container runs. One that cannot be run is told, and is no reason
/// not to stop.
fn begin_hook(job: &PodJob, target: &StopTarget) -> Stage {
    if !target.pre_stop {
        return Stage::Waits;
    }
    let request = hook_request(job, target);
    let started = request.and_then(|request| {
        let start = |request| hook::Running::start(request, grace(target));
        request.map(start).transpose()
    });
    match started {
        Ok(hook) => hook.map_or(Stage::Waits, Stage::Hook),
        Err(error) => {
            hook_failed(target, &error.to_string());
            Stage::Waits
        }
    }
}

/// What the labels of a container that runs say of its hook.
fn hook_request(job: &PodJob, target: &StopTarget) -> sys::Result<Option<HookRequest>> {
    let inspect = match job.docker.inspect(&target.id.0) {
        Ok(inspect) => inspect,
        Err(error) if error.kind() == Kind::Gone => return Ok(None),
        Err(error) => return Err(error),
    };
    let doing = || format!("read the hook of container {}", target.name);
    let pre_stop =
        pre_stop(&inspect.config.labels).map_err(|why| Error::new(doing(), Kind::Garbled, why))?;
    let Some(pre_stop) = pre_stop.filter(|_| inspect.state.running) else {
        return Ok(None);
    };
    let ip = match job.docker.inspect(&pre_stop.sandbox) {
        Ok(sandbox) if sandbox.host_config.network_mode == "host" => Some(machine(job)),
        Ok(sandbox) => sandbox::addresses(&sandbox).into_iter().next(),
        Err(_) => None,
    };
    Ok(Some(HookRequest {
        docker_socket: job.request.node.docker_socket.clone(),
        api: job.request.docker.api,
        id: target.id.clone(),
        handler: pre_stop.handler,
        ports: pre_stop.ports,
        ip: ip.unwrap_or_default(),
        within_ms: 0,
    }))
}

/// Where a pod on the machine's network is reached.
pub(super) fn machine(job: &PodJob) -> String {
    let own = &job.request.node.ip;
    if own.is_empty() { "127.0.0.1" } else { own }.to_owned()
}

fn hook_failed(target: &StopTarget, why: &str) {
    say(&Report::PreStopFailed {
        container: target.name.clone(),
        why: why.to_owned(),
    });
}

/// What is to be done now about one that runs; `turn` is the lowest of those that do.
fn step<'a>(
    docker: &Docker,
    mut ending: Ending<'a>,
    (turn, signal): (u32, &str),
) -> sys::Result<Ending<'a>> {
    let now = sys::now().mono;
    let target = ending.target;
    if let Stage::Hook(hook) = &mut ending.stage
        && let Some(result) = hook.ended()
    {
        if let Err(why) = result {
            hook_failed(target, &why);
        }
        ending.stage = Stage::Waits;
    }
    let stage = match ending.stage {
        Stage::Waits if target.turn <= turn || now >= ending.until => {
            signal_it(docker, &target.id, signal)?;
            let kill_at = ending.until.max(now.after(LAST_GRACE));
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
        stage @ (Stage::Hook(_) | Stage::Waits | Stage::Asked { .. } | Stage::Killed { .. }) => {
            stage
        }
    };
    Ok(Ending { stage, ..ending })
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
        logs::unlink(node, id);
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
