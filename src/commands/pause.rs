//! PID 1 of a sandbox: holds the pod's namespaces open, and buries what the pod leaves behind.
//!
//! Everything here has to go on working in an otherwise empty image, with no privilege and read-only.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::sys::{Error, Result};

/// Sleeps until SIGTERM or SIGINT, and buries orphans meanwhile.
///
/// The signals are blocked and waited for: PID 1 never gets one that is neither blocked nor handled, so that without
/// this every stop would last the whole grace period.
///
/// # Errors
/// When the kernel refuses to wait for signals.
pub fn run() -> Result<()> {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        set.add(signal);
    }
    set.thread_block()
        .map_err(|errno| Error::errno("block signals", errno))?;
    loop {
        // What died before the signals were blocked rings no more, hence first.
        bury();
        match set.wait() {
            Ok(Signal::SIGTERM | Signal::SIGINT) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::errno("wait for a signal", errno)),
        }
    }
}

/// Waits for every child that is dead already. Several deaths may share one SIGCHLD.
fn bury() {
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
            // EINVAL comes from nix, not the kernel: one buried that was killed by a real-time signal.
            Ok(_) | Err(Errno::EINTR | Errno::EINVAL) => {}
            Err(_) => return,
        }
    }
}
