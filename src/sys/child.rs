//! This same binary started again as a job: a request on its standard input, lines on its standard output.
//!
//! The request lies in a memory file, so that giving it never blocks. The output is a pipe that is read without
//! waiting. The child dies with its parent, see [`die_with_parent`].

use std::io::{Read, Seek, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, geteuid, getppid, setgroups, setresgid, setresuid};

use super::error::{Error, Result};

/// A line beyond this is cut: our jobs say short things, and a broken one must not fill the parent's memory.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// What is read in one turn; the rest waits in the pipe.
const TURN_BYTES_MAX: usize = 256 * 1024;

/// Tells the child who its parent is, so that it can see whether that is gone already.
pub(super) const PARENT_ENV: &str = "STATICLET_PARENT";

/// Tells a guest all that it needs besides its connection.
const TOLD_ENV: &str = "STATICLET_TOLD";

/// A running child.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    output: std::process::ChildStdout,
    part: Vec<u8>,
    over: bool,
}

impl Child {
    /// Starts this binary with `args`; `request` is all that it finds on standard input.
    ///
    /// # Errors
    /// No process was started.
    pub fn start(args: &[&str], request: &[u8]) -> Result<Child> {
        let mut process = command(args, request)?
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| Error::io(format!("start {}", program().display()), &e))?;
        let Some(output) = process.stdout.take() else {
            return Err(Error::new(
                "start a job",
                super::Kind::Refused,
                "it has no output",
            ));
        };
        never_wait(&output)?;
        Ok(Child {
            process,
            output,
            part: Vec::new(),
            over: false,
        })
    }

    /// What to poll: readable when there are lines, or the child is gone.
    pub fn output(&self) -> BorrowedFd<'_> {
        self.output.as_fd()
    }

    /// The lines that are complete. Never waits; bounded, the rest comes at the next call.
    pub fn read_lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut chunk = [0_u8; 16 * 1024];
        let mut taken = 0;
        while !self.over && taken < TURN_BYTES_MAX {
            match self.output.read(&mut chunk) {
                Ok(0) => self.over = true,
                Ok(count) => {
                    taken += count;
                    self.split(chunk.get(..count).unwrap_or(&[]), &mut lines);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        lines
    }

    fn split(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for byte in bytes {
            if *byte == b'\n' {
                lines.push(String::from_utf8_lossy(&self.part).into_owned());
                self.part.clear();
            } else if self.part.len() < LINE_BYTES_MAX {
                self.part.push(*byte);
            }
        }
    }

    /// Its end, once it has ended. What it said before is still to be read.
    pub fn try_wait(&mut self) -> Option<Result<ExitStatus>> {
        match self.process.try_wait() {
            Ok(status) => status.map(Ok),
            Err(error) => Some(Err(Error::io("wait for a job", &error))),
        }
    }

    /// Ends it at once; the end is still to be waited for.
    pub fn kill(&mut self) {
        // It may be gone already, which is what was wanted.
        let _ = self.process.kill();
    }
}

/// This binary with `args` and a request, not started yet.
pub(super) fn command(args: &[&str], request: &[u8]) -> Result<Command> {
    let memory = memfd_create(c"request", MFdFlags::MFD_CLOEXEC)
        .map_err(|e| Error::errno("make a memory file for a request", e))?;
    let mut input = std::fs::File::from(memory);
    input
        .write_all(request)
        .and_then(|()| input.rewind())
        .map_err(|e| Error::io("write a request to a memory file", &e))?;
    let mut command = Command::new(program());
    command
        .arg0("staticlet")
        .args(args)
        .env(PARENT_ENV, std::process::id().to_string())
        .stdin(Stdio::from(input));
    Ok(command)
}

/// Reading from it gives what is there.
pub(super) fn never_wait(output: &impl AsFd) -> Result<()> {
    fcntl(output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
        .map(|_| ())
        .map_err(|e| Error::errno("set up the output of a job", e))
}

/// A child whose standard input and output are one connection.
#[derive(Debug)]
pub struct Guest(std::process::Child);

impl Guest {
    /// Starts this binary with `args` on a connection; what it is told besides stands in its environment, which only its
    /// own user can read.
    ///
    /// # Errors
    /// No process was started; the connection is closed.
    pub fn start(args: &[&str], told: &str, stream: TcpStream) -> Result<Guest> {
        let doing = "hand over a connection";
        let io = |e: std::io::Error| Error::io(doing, &e);
        // One that is accepted from a listener that never waits may be the same.
        stream.set_nonblocking(false).map_err(io)?;
        let output = stream.try_clone().map_err(io)?;
        let process = Command::new(program())
            .arg0("staticlet")
            .args(args)
            .env(PARENT_ENV, std::process::id().to_string())
            .env(TOLD_ENV, told)
            .stdin(Stdio::from(OwnedFd::from(stream)))
            .stdout(Stdio::from(OwnedFd::from(output)))
            .spawn()
            .map_err(io)?;
        Ok(Guest(process))
    }

    /// Whether it has ended; buries it.
    pub fn is_gone(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
    }
}

/// On the guest's side: what it was told.
#[allow(clippy::disallowed_methods)] // the other word that a child is told
pub fn told() -> String {
    std::env::var(TOLD_ENV).unwrap_or_default()
}

/// Whether it was killed by a signal, which one.
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// The running program: the link stays right when the file was replaced by an upgrade. Where /proc is not mounted the
/// path it was called by has to do.
fn program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() {
        return link;
    }
    std::env::current_exe()
        .ok()
        .or_else(|| std::env::args_os().next().map(PathBuf::from))
        .unwrap_or(link)
}

/// The user of jobs that read what strangers send: nobody, on every Linux.
const NOBODY: u32 = 65534;

/// On the job's side: gives up root for good, where there is any, and asks once more to be killed with the parent, which
/// the kernel forgets at a change of user. Says whether the parent is still there. In a container that may not change
/// users the job goes on as it is.
pub fn drop_privileges() -> bool {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    if geteuid().is_root() {
        let dropped = setgroups(&[])
            .and_then(|()| setresgid(group, group, group))
            .and_then(|()| setresuid(user, user, user));
        if let Err(errno) = dropped {
            log::debug!(err:% = errno; "privileges cannot be dropped");
        }
    }
    // Nothing that it could start gets any back.
    let _ = prctl::set_no_new_privs();
    die_with_parent()
}

/// On the job's side: asks to be killed when the parent dies, and says whether the parent is still there.
#[allow(clippy::disallowed_methods)] // the one word a job is told besides its request
pub fn die_with_parent() -> bool {
    if prctl::set_pdeathsig(Signal::SIGKILL).is_err() {
        return false;
    }
    match std::env::var(PARENT_ENV) {
        Ok(parent) => getppid().to_string() == parent,
        // Started by hand.
        Err(_) => true,
    }
}
