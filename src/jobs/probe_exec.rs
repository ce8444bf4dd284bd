//! Commands in a container: what a probe or a hook runs.

use std::time::Duration;

use super::ProbeRequest;
use super::probe::Attempt;
use crate::docker::{Docker, log_text};
use crate::state::{ContainerId, Probed};
use crate::sys::{self, Error, Kind, files};
use crate::translate::expand_static;

/// What is kept of the output of a command (kubelet `pkg/probe/exec`); the rest is read and dropped.
const OUTPUT_BYTES_MAX: usize = 10 * 1024;

/// After the end of its output a command may take a moment to have ended for dockerd too.
const END_WAIT: Duration = Duration::from_secs(2);
const END_PAUSE: Duration = Duration::from_millis(20);

/// The code of a command that could not be started, as shells give it.
const NOT_STARTED: i32 = 126;

/// How a command ended.
pub(super) enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// It took too long, and was killed.
    Late,
}

/// Makes the probe.
pub(super) fn probe(request: &ProbeRequest, command: &[String], timeout: Duration) -> Attempt {
    let docker = Docker::new(&request.docker_socket, Some(request.api));
    let words = expand_static(&request.container, command).map_err(|e| e.to_string())?;
    let (ended, output) = run(&docker, &request.id, &words, timeout)?;
    Ok(match ended {
        Ended::Code(0) => (Probed::Success, String::new()),
        Ended::Code(_) => (Probed::Failure, output),
        Ended::Late => {
            let words = words.join(" ");
            let text = format!("command timed out: {words:?} timed out after {timeout:?}");
            (Probed::Failure, text)
        }
    })
}

/// Runs a command, and gives its output. One that takes too long is killed: a kubelet leaves it there, and they pile up.
pub(super) fn run(
    docker: &Docker,
    id: &ContainerId,
    words: &[String],
    timeout: Duration,
) -> Result<(Ended, String), String> {
    let said = |error: Error| error.to_string();
    let exec = docker.exec_create(&id.0, words).map_err(said)?;
    let began = sys::now().mono;
    let mut output = Vec::new();
    let ran = docker.exec_start(&exec, timeout, &mut |piece| {
        let room = OUTPUT_BYTES_MAX.saturating_sub(output.len());
        output.extend(piece.iter().take(room));
    });
    let is_late = sys::now().mono.since(began) >= timeout;
    match ran {
        Ok(()) => Ok((Ended::Code(code(docker, &exec)?), log_text(&output))),
        Err(error) if is_late && error.kind() == Kind::Unavailable => {
            // It runs, so dockerd is well, and the command is what takes long.
            let state = docker.exec_inspect(&exec).map_err(said)?;
            if state.running {
                kill(state.pid, id);
            }
            Ok((Ended::Late, log_text(&output)))
        }
        // Newer engines say at once that there is no such program.
        Err(error) if error.kind() == Kind::Refused && error.said().contains("exec failed") => {
            Ok((Ended::Code(NOT_STARTED), error.said().to_owned()))
        }
        Err(error) => Err(error.to_string()),
    }
}

fn code(docker: &Docker, exec: &str) -> Result<i32, String> {
    let until = sys::now().mono.after(END_WAIT);
    loop {
        let state = docker.exec_inspect(exec).map_err(|e| e.to_string())?;
        match state.exit_code {
            Some(code) if !state.running => return Ok(code),
            // It closed its output and goes on: a command that leaves something behind is well (cri-dockerd).
            Some(_) | None if sys::now().mono >= until => return Ok(0),
            Some(_) | None => sys::pause(END_PAUSE),
        }
    }
}

/// Kills a command by its process id on this machine, if that is what dockerd's number means here: an agent in a
/// container of its own sees other numbers.
fn kill(pid: i32, container: &ContainerId) {
    let path = format!("/proc/{pid}/cgroup");
    let groups = files::read_bounded(std::path::Path::new(&path), 64 * 1024).unwrap_or_default();
    let ours = String::from_utf8_lossy(&groups).contains(&container.0);
    if pid > 1 && ours {
        // It may have ended by now, which is what was wanted.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
}
