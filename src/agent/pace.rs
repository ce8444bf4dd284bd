//! When to look at dockerd: at once after a bell, but not more often than its answers are worth, and at an interval.

use std::time::Duration;

use crate::sys::Mono;

/// A look may take this part of the time, one in so many: while twenty pods start, dockerd has better things to do than
/// to be asked. The first look after a quiet time is never held back.
const SHARE: u32 = 8;

/// The shortest and the longest pause between two looks that were rung for.
const GAP_MIN: Duration = Duration::from_millis(10);
const GAP_MAX: Duration = Duration::from_secs(1);

/// The pause after a look that failed: doubles from the first to the second. Longer: a dockerd that is back is noticed
/// late. Shorter: a hung one keeps the loop in its reads most of the time.
const FAIL_MIN: Duration = Duration::from_millis(500);
const FAIL_MAX: Duration = Duration::from_secs(5);

/// The pause before the event stream is opened again: doubles as that of a failed look.
const EVENTS_MIN: Duration = Duration::from_millis(200);

/// When the next look and the next event stream are due.
pub(super) struct Pace {
    interval: Duration,
    rung: bool,
    earliest: Mono,
    latest: Mono,
    failed: Option<Duration>,
    events: Mono,
    events_wait: Duration,
    events_since: Mono,
}

impl Pace {
    /// The first look is due at once.
    pub(super) fn new(interval: Duration) -> Pace {
        Pace {
            interval,
            rung: true,
            earliest: Mono(0),
            latest: Mono(0),
            failed: None,
            events: Mono(0),
            events_wait: EVENTS_MIN,
            events_since: Mono(0),
        }
    }

    /// Looks at least this often from now on.
    pub(super) fn set(&mut self, interval: Duration) {
        self.interval = interval;
    }

    /// Something happened.
    pub(super) fn ring(&mut self) {
        self.rung = true;
    }

    /// Something happened that must not wait for the end of a pause.
    pub(super) fn ring_at_once(&mut self) {
        self.rung = true;
        if self.failed.is_none() {
            self.earliest = Mono(0);
        }
    }

    /// When the next look is due.
    pub(super) fn due(&self) -> Mono {
        if self.rung {
            self.earliest
        } else {
            self.latest
        }
    }

    pub(super) fn is_due(&self, now: Mono) -> bool {
        self.due() <= now
    }

    /// A look was made from `began` to `ended`.
    pub(super) fn looked(&mut self, began: Mono, ended: Mono, well: bool) {
        self.rung = false;
        let gap = if well {
            self.failed = None;
            (ended.since(began) * SHARE).clamp(GAP_MIN, GAP_MAX)
        } else {
            let wait = self
                .failed
                .map_or(FAIL_MIN, |last| (last * 2).min(FAIL_MAX));
            self.failed = Some(wait);
            self.rung = true;
            wait
        };
        self.earliest = ended.after(gap);
        self.latest = ended.after(self.interval);
    }

    /// Something is to be asked for then.
    pub(super) fn no_later_than(&mut self, at: Mono) {
        self.latest = self.latest.min(at.max(self.earliest));
    }

    /// The event stream ended: the next one waits, longer each time unless this one lasted.
    pub(super) fn events_lost(&mut self, wait: bool, now: Mono) {
        if now.since(self.events_since) > FAIL_MAX * 4 {
            self.events_wait = EVENTS_MIN;
        }
        self.events = if wait {
            now.after(self.events_wait)
        } else {
            now
        };
        self.events_wait = (self.events_wait * 2).min(FAIL_MAX);
        self.events_since = self.events;
        self.ring();
    }

    pub(super) fn is_events_due(&self, now: Mono) -> bool {
        self.events <= now
    }
}
