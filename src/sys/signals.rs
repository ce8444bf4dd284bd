//! Signals as something to poll.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::error::{Error, Result};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: end.
    Terminate,
    /// SIGHUP: read everything again.
    Reload,
    /// SIGCHLD: a child has ended.
    Child,
}

/// The signals of this process, from now on only to be read here. Children start with none blocked: std resets the mask.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks the signals and opens the descriptor.
    ///
    /// # Errors
    /// When the kernel gives no descriptor.
    pub fn block() -> Result<Signals> {
        let mut set = SigSet::empty();
        for number in [
            Number::SIGTERM,
            Number::SIGINT,
            Number::SIGHUP,
            Number::SIGCHLD,
        ] {
            set.add(number);
        }
        set.thread_block()
            .map_err(|e| Error::errno("block signals", e))?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(|e| Error::errno("open a signal descriptor", e))?;
        Ok(Signals { fd })
    }

    /// What to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Everything that came since the last call. Never waits.
    pub fn read(&self) -> Vec<Signal> {
        let mut signals = Vec::new();
        while let Ok(Some(info)) = self.fd.read_signal() {
            let number = i32::try_from(info.ssi_signo)
                .ok()
                .and_then(|n| Number::try_from(n).ok());
            match number {
                Some(Number::SIGTERM | Number::SIGINT) => signals.push(Signal::Terminate),
                Some(Number::SIGHUP) => signals.push(Signal::Reload),
                Some(Number::SIGCHLD) => signals.push(Signal::Child),
                #[allow(clippy::wildcard_enum_match_arm)] // no other is in the set
                _ => {}
            }
        }
        signals
    }
}
