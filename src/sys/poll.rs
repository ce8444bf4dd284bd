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
    // EINTR and the like only mean a turn with nothing to do.
    let _ = nix::poll::poll(&mut set, timeout(until));
}

/// Waits until `input` is readable, or `until` (for ever if `None`), or nobody reads what is written to `output`: it is a
/// pipe whose reader is gone, or a terminal that was closed. Says whether somebody does.
pub fn poll_while_read(input: BorrowedFd<'_>, output: BorrowedFd<'_>, until: Option<Mono>) -> bool {
    let mut set = [
        PollFd::new(input, PollFlags::POLLIN),
        PollFd::new(output, PollFlags::empty()),
    ];
    let wait = until.map_or(PollTimeout::NONE, timeout);
    let _ = nix::poll::poll(&mut set, wait);
    !set.get(1).is_some_and(is_lost)
}

/// Whether somebody reads what is written to `output`, as far as the kernel tells. Never waits.
pub fn is_read(output: BorrowedFd<'_>) -> bool {
    let mut set = [PollFd::new(output, PollFlags::empty())];
    let _ = nix::poll::poll(&mut set, PollTimeout::ZERO);
    !set.first().is_some_and(is_lost)
}

fn is_lost(output: &PollFd<'_>) -> bool {
    let seen = output.revents().unwrap_or(PollFlags::empty());
    seen.intersects(PollFlags::POLLERR | PollFlags::POLLHUP)
}

/// What is left until then.
fn timeout(until: Mono) -> PollTimeout {
    let left = until.since(now().mono);
    // Poll counts whole milliseconds and may come back a moment early: one more keeps a deadline from being met twice.
    let left = if left.is_zero() {
        left
    } else {
        left + std::time::Duration::from_millis(1)
    };
    PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
}

/// Waits, in a job; the loop never does.
pub fn pause(wait: std::time::Duration) {
    poll(&[], now().mono.after(wait));
}
