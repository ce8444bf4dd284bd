//! Since when an image has been of no use. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::sys::Wall;

/// 2020-01-01. A clock that shows less has not been set: a machine without a battery for it boots in 1970.
const CLOCK_MIN: Wall = Wall(1_577_836_800_000_000);

/// What is remembered of an image that this agent brought, or that a pod of its ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The names that it was brought or wanted by.
    pub names: BTreeSet<String>,
    /// A container had it at the last look. While that is so nothing has to be written.
    pub busy: bool,
    /// When it was last of use, or brought; while it is busy, when that began.
    pub used: Wall,
}

impl Usage {
    /// One that is brought, or that a container is made from.
    pub fn new(busy: bool, now: Wall) -> Usage {
        Usage {
            names: BTreeSet::new(),
            busy,
            used: now,
        }
    }

    /// Takes in whether a container has it. An image that was in use when it was looked at last, and is not now, counts
    /// as used until now: what is in between is not known.
    pub fn seen(&mut self, busy: bool, now: Wall) {
        let clock_was_set = self.used < CLOCK_MIN && now >= CLOCK_MIN;
        if busy != self.busy || clock_was_set || self.used > now {
            self.used = now;
        }
        self.busy = busy;
    }
}
