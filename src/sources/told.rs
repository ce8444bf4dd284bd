//! Which reasons have been told: a server that is down for a week is one line, and one that flaps is a few an hour.

use std::time::Duration;

use crate::sys::Mono;

/// The same reason is told again after this long without it.
const AGAIN: Duration = Duration::from_secs(600);

/// Reasons that are remembered. A server that makes up more of them within [`AGAIN`] is told of less often.
const REASONS_MAX: usize = 8;

/// Reasons, each with when it was last given.
#[derive(Default)]
pub(super) struct Told {
    known: Vec<(String, Mono)>,
    /// Something was told and is not over.
    open: bool,
}

impl Told {
    /// Whether to tell this reason now.
    pub(super) fn is_news(&mut self, why: &str, now: Mono) -> bool {
        if let Some((_, last)) = self.known.iter_mut().find(|(known, _)| known == why) {
            let is_old = now.since(*last) >= AGAIN;
            *last = now;
            self.open |= is_old;
            return is_old;
        }
        self.known.retain(|(_, last)| now.since(*last) < AGAIN);
        if self.known.len() >= REASONS_MAX {
            return false;
        }
        self.known.push((why.to_owned(), now));
        self.open = true;
        true
    }

    /// All is well again; whether that is worth a line.
    pub(super) fn is_over(&mut self) -> bool {
        std::mem::take(&mut self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_of_one_reason_is_one_line() {
        let mut told = Told::default();
        let lines = (0..7 * 24 * 180).filter(|n| told.is_news("down", Mono(n * 20_000)));
        assert_eq!(lines.count(), 1);
        assert!(told.is_over());
        assert!(!told.is_over());
    }

    #[test]
    fn a_day_of_ever_new_reasons_is_some_lines_in_ten_minutes() {
        let mut told = Told::default();
        let lines = (0..24 * 180_u64).filter(|n| told.is_news(&format!("{n}"), Mono(n * 20_000)));
        let count = lines.count();
        assert!(count <= 8 * 6 * 24 + 8, "{count}");
    }
}
