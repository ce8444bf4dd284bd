//! When to look again if nothing rings before.

use crate::sys::Mono;

/// The nearest deadline, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When.
    pub at: Mono,
    /// Whose, for the log.
    pub why: &'static str,
}

impl Wake {
    /// Moves `wake` forward to `at`, if that is earlier.
    pub(super) fn no_later_than(wake: &mut Option<Wake>, at: Mono, why: &'static str) {
        if wake.is_none_or(|wake| at < wake.at) {
            *wake = Some(Wake { at, why });
        }
    }
}
