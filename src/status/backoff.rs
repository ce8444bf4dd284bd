//! How long a container that exited, or a sandbox, has to wait; one rule for `decide` and for the words `status` shows.

use std::time::Duration;

use crate::state::{ContainerMemory, Exit, PodMemory};
use crate::sys::Now;

/// The kubelet forgets a back-off this long after the last start (twice its maximum of 300 s).
const FORGET: Duration = Duration::from_secs(600);

/// A civil clock that says more than this has passed is not believed: it may have jumped by years at boot.
const BELIEVED_MAX: Duration = Duration::from_secs(3600);

/// The rest of the crash-loop pause of a container whose newest exited instance is `exit`; `None` when it may start now.
///
/// The pause counts from the end of the container, and ends at the latest [`FORGET`] after its last start.
/// Source: kubelet `kuberuntime_manager.go` doBackOff and client-go `flowcontrol/backoff.go`.
pub fn crash_wait(memory: &ContainerMemory, exit: &Exit, now: Now) -> Option<Duration> {
    let crash = memory.crash?;
    let noticed = memory
        .dead
        .as_ref()
        .map_or(Duration::ZERO, |(_, seen)| now.mono.since(*seen));
    let by_clock = now.wall.since(exit.finished);
    let dead = if by_clock <= BELIEVED_MAX {
        noticed.max(by_clock)
    } else {
        noticed
    };
    let rest = Duration::from_millis(crash.wait_ms).checked_sub(dead)?;
    let forget = FORGET.checked_sub(now.mono.since(crash.started))?;
    Some(rest.min(forget)).filter(|rest| !rest.is_zero())
}

/// The rest of the pause between sandboxes that end one after the other; `None` when the next one may be made now.
pub fn sandbox_wait(memory: &PodMemory, now: Now) -> Option<Duration> {
    let crash = memory.sandbox?;
    let since = now.mono.since(crash.started);
    let rest = Duration::from_millis(crash.wait_ms).checked_sub(since)?;
    Some(rest).filter(|rest| !rest.is_zero())
}
