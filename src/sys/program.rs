//! A program of somebody else's, run to its end by a job of its own.
//!
//! The job turns into the program, so that the program dies with its parent as every job does.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::child::{PARENT_ENV, command, never_wait};
use super::clock::now;
use super::error::{Error, Kind, Result};
use super::poll::poll;
use super::secret::Secret;

/// How often it is looked whether a program has ended whose output somebody else holds open.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is kept of the complaints: enough for a reason.
const COMPLAINT_BYTES_MAX: usize = 4096;

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// A path, or a name to be looked for in `PATH`.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables beside those of this process.
    pub env: Vec<(String, Secret)>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// Its standard output.
    pub output: Vec<u8>,
    /// The beginning of its standard error.
    pub complaint: String,
}

impl Program {
    /// Turns this process into the program, with nothing on its standard input. Comes back only where that does not work.
    pub fn take_over(&self) -> Error {
        let env = self.env.iter().map(|(name, value)| (name, &value.0));
        let error = Command::new(&self.command)
            .args(&self.args)
            .env_remove(PARENT_ENV)
            .envs(env)
            .stdin(Stdio::null())
            .exec();
        Error::io(format!("run {}", self.command), &error)
    }
}

/// Starts this binary with `args`; `request` is all that it finds on standard input. Past `within` it is killed with all
/// that it has started.
///
/// # Errors
/// No process was started; `Unavailable`: it did not end in time; `TooBig`: it said more than `bytes_max`.
pub fn run_to_end(
    args: &[&str],
    request: &[u8],
    within: Duration,
    bytes_max: usize,
) -> Result<Ended> {
    let doing = "start a job";
    let mut process = command(args, request)?
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|e| Error::io(doing, &e))?;
    let (Some(output), Some(complaint)) = (process.stdout.take(), process.stderr.take()) else {
        return Err(Error::new(doing, Kind::Refused, "it has no output"));
    };
    let result = listen(&mut process, output, complaint, (within, bytes_max));
    if result.is_err() {
        if let Ok(group) = i32::try_from(process.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        // It is gone, or about to be: killed processes do not make one wait.
        let _ = process.wait();
    }
    result
}

fn listen(
    process: &mut std::process::Child,
    output: std::process::ChildStdout,
    complaint: std::process::ChildStderr,
    (within, bytes_max): (Duration, usize),
) -> Result<Ended> {
    never_wait(&output)?;
    never_wait(&complaint)?;
    let (mut output, mut complaint) = (Stream::new(output), Stream::new(complaint));
    let deadline = now().mono.after(within);
    loop {
        // In this order: what it said before its end is there once the end has been seen.
        let status = process.try_wait();
        output.read(bytes_max + 1);
        complaint.read(COMPLAINT_BYTES_MAX);
        if output.bytes.len() > bytes_max {
            let said = format!("it said more than {bytes_max} bytes");
            return Err(Error::new("read what it says", Kind::TooBig, said));
        }
        if let Some(status) = status.map_err(|e| Error::io("wait for its end", &e))? {
            return Ok(Ended {
                status,
                output: output.bytes,
                complaint: String::from_utf8_lossy(&complaint.bytes).trim().to_owned(),
            });
        }
        let at = now().mono;
        if at >= deadline {
            let said = format!("no end within {} s; it was killed", within.as_secs());
            return Err(Error::new("wait for its end", Kind::Unavailable, said));
        }
        let open = [
            output.from.as_ref().map(AsFd::as_fd),
            complaint.from.as_ref().map(AsFd::as_fd),
        ];
        let open: Vec<_> = open.into_iter().flatten().collect();
        poll(&open, deadline.min(at.after(LOOK_EVERY)));
    }
}

/// One of its outputs, until it is closed.
struct Stream<R> {
    from: Option<R>,
    bytes: Vec<u8>,
}

impl<R: Read> Stream<R> {
    fn new(from: R) -> Stream<R> {
        Stream {
            from: Some(from),
            bytes: Vec::new(),
        }
    }

    /// Takes what is there; keeps the first `max` bytes of all.
    fn read(&mut self, max: usize) {
        let mut chunk = [0_u8; 4096];
        // A program that never stops talking shall not keep anybody from seeing that it is late.
        for _ in 0..64 {
            let Some(from) = &mut self.from else { return };
            match from.read(&mut chunk) {
                Ok(0) => self.from = None,
                Ok(count) => {
                    let count = count.min(max.saturating_sub(self.bytes.len()));
                    self.bytes
                        .extend_from_slice(chunk.get(..count).unwrap_or(&[]));
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.from = None,
            }
        }
    }
}
