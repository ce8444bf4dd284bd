//! How long each call may take, and how large each answer may be.

use std::time::Duration;

/// What bounds one call in time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deadline {
    /// The whole of it, body included.
    Whole(Duration),
    /// Each pause between two pieces of the answer; the whole may take any time.
    Pause(Duration),
    /// The head of the answer; the body may take any time and pause for any time.
    Head(Duration),
}

impl Deadline {
    /// What to say when it was missed.
    pub(super) fn missed(self) -> String {
        match self {
            Deadline::Whole(time) | Deadline::Head(time) => {
                format!("no answer from dockerd within {} s", time.as_secs())
            }
            Deadline::Pause(time) => format!("nothing from dockerd for {} s", time.as_secs()),
        }
    }
}

/// `/_ping`, `/info`, list, inspect, tag. They answer in milliseconds, also with hundreds of containers; the loop makes
/// them itself, so longer means that probes and reports wait for a hung dockerd.
pub(super) const READ: Deadline = Deadline::Whole(Duration::from_secs(5));

/// Lists of everything on a dockerd, which no loop waits for: the sizes of hundreds of images take their time.
pub(super) const ALL: Deadline = Deadline::Whole(Duration::from_secs(60));

/// Create, start, kill, remove, import. On a loaded disk they take tens of seconds and go on inside dockerd after we
/// hang up; shorter means doing them twice. Kubelet: 2 min less a second for all of them.
pub(super) const CHANGE: Deadline = Deadline::Whole(Duration::from_secs(119));

/// What `stop` may take beyond the grace period: dockerd kills, waits 10 s for the kernel, kills again, then unmounts.
const STOP_SLACK: Duration = Duration::from_secs(60);

/// A stop with this grace period.
pub(super) fn stop(grace_seconds: u32) -> Deadline {
    Deadline::Whole(Duration::from_secs(u64::from(grace_seconds)) + STOP_SLACK)
}

/// A pull without a single line of progress. cri-dockerd: 1 min.
pub(super) const PULL: Deadline = Deadline::Pause(Duration::from_secs(60));

/// A load without a byte taken or a line of progress. dockerd unpacks the whole archive before the first line, on a card
/// that may take its time to sync; shorter means doing that over and over.
pub(super) const LOAD: Deadline = Deadline::Pause(Duration::from_secs(300));

/// Events: dockerd sends the head at once, and then nothing at all while nothing happens, not even a keep-alive.
pub(super) const EVENTS: Deadline = Deadline::Head(Duration::from_secs(5));

/// A log that grows: the same, whatever the container says.
pub(super) const FOLLOW: Deadline = Deadline::Head(Duration::from_secs(5));

/// A log as it is: dockerd reads gigabytes of JSON on a slow disk to find the first line that is wanted.
pub(super) const LOG: Deadline = Deadline::Pause(Duration::from_secs(60));

/// The largest list: some 2.5 KB a container, so 13,000 of them.
pub(super) const LIST_BYTES_MAX: usize = 32 << 20;

/// Any other single object. A container with every field filled takes 20 KB.
pub(super) const OBJECT_BYTES_MAX: usize = 4 << 20;

/// An error body; only its first 600 bytes are ever shown.
pub(super) const ERROR_BYTES_MAX: usize = 64 << 10;

/// One line of a stream. Events carry all labels of a container.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// What is read of a container's log; Docker splits lines at 16 KiB, so 500 of the longest.
pub(super) const LOG_BYTES_MAX: usize = 8 << 20;
