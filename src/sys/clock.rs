//! Two kinds of time that never mix: [`Wall`] for labels, logs and the API, [`Mono`] for deadlines.
//!
//! Only [`now`] reads a clock. Both are plain numbers, so that a test can write one down. A machine without a battery
//! clock boots in 1970 and jumps by decades: nothing may wait for a `Wall`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in civil time: microseconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Wall(pub i64);

/// A point on a clock that never jumps and goes on while the machine sleeps: milliseconds since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mono(pub u64);

/// Both clocks, read together once per tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Civil time.
    pub wall: Wall,
    /// Time for deadlines.
    pub mono: Mono,
}

/// Reads both clocks.
#[allow(clippy::disallowed_methods)] // the one place that may
pub fn now() -> Now {
    use nix::time::{ClockId, clock_gettime};
    let wall = jiff::Timestamp::now().as_microsecond();
    let mono = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |t| {
        t.tv_sec() as u64 * 1000 + t.tv_nsec() as u64 / 1_000_000
    });
    Now {
        wall: Wall(wall),
        mono: Mono(mono),
    }
}

impl Wall {
    /// Reads RFC 3339 as Docker and Kubernetes write it. `None` for anything else and for Docker's zero time (year 1).
    pub fn parse(text: &str) -> Option<Wall> {
        let at: jiff::Timestamp = text.parse().ok()?;
        (at.as_second() > -62_000_000_000).then(|| Wall(at.as_microsecond()))
    }

    /// The time since `earlier`; zero when the clock went back in between.
    pub fn since(self, earlier: Wall) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same point as a timestamp of the Kubernetes types; the epoch where it is out of their range.
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Wall {
    /// RFC 3339 with whole seconds, as the Kubernetes API prints times.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.div_euclid(1_000_000);
        let at = jiff::Timestamp::from_second(whole).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        write!(f, "{at}")
    }
}

impl Mono {
    /// The point `wait` later.
    #[must_use]
    pub fn after(self, wait: Duration) -> Mono {
        Mono(
            self.0
                .saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// The time since `earlier`, zero if that is not earlier.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
