//! Waiting for any of several descriptors, until a point in time.

use std::os::fd::BorrowedFd;

use nix::poll::{PollFd, PollFlags, PollTimeout};

use super::clock::{Mono, now};

/// Waits until one of `fds` is readable (or hung up), or `until`. What rang is not told: everything is looked at.
pub fn poll(fds: &[BorrowedFd<'_>], until: Mono) {
    let mut set: Vec<PollFd<'_>> = fds
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    let left = until.since(now().mono);
    // Poll counts whole milliseconds and may come back a moment early: one more keeps a deadline from being met twice.
    let left = if left.is_zero() {
        left
    } else {
        left + std::time::Duration::from_millis(1)
    };
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
    // EINTR and the like only mean a turn with nothing to do.
    let _ = nix::poll::poll(&mut set, timeout);
}

/// Waits, in a job; the loop never does.
pub fn pause(wait: std::time::Duration) {
    poll(&[], now().mono.after(wait));
}
