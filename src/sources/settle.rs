//! When may a file be believed? Pure: what was seen goes in, a waiting time comes out.
//!
//! Nobody tells us that a manifest is complete. A rename into place is complete by nature, and a writer that closes the
//! file says so; everything else has to be quiet for a while. A half-written manifest may well parse, as a pod with
//! fewer containers, so waiting for a parse error is not enough.

use std::time::Duration;

use inotify::EventMask;

use crate::sys::{Mono, Now, Wall};

/// How long a file that somebody holds open for writing must be quiet before it is read all the same. Shorter: a
/// manifest typed or downloaded straight into the directory runs in halves. Longer: a forgotten open file (a log viewer,
/// a hung editor) hides an edit for longer.
pub(super) const OPEN_QUIET: Duration = Duration::from_secs(5);

/// How long a file must be quiet of which no event told whether its writer is done: at the first look, and after lost
/// events. Shorter: a writer that was at work before the watch was set is read in the middle. Longer: a pod placed right
/// before the agent starts comes up later.
pub(super) const FRESH_QUIET: Duration = Duration::from_millis(300);

/// The same where no watch works, so that no event can ever tell.
pub(super) const UNWATCHED_QUIET: Duration = Duration::from_secs(1);

/// How long a manifest that does not parse must be quiet before it is refused: writers that close the file twice, or that
/// truncate and write in two steps, would each time cause a message.
pub(super) const BAD_QUIET: Duration = Duration::from_secs(1);

/// The same for an empty file, which most often is one that has just been created.
pub(super) const EMPTY_QUIET: Duration = Duration::from_secs(2);

/// How long a name must be absent before its pod goes. Vim, git and scripts replace a file by removing it first; acting
/// in between costs a running pod. Longer: removing a manifest takes longer to act.
pub(super) const GONE_QUIET: Duration = Duration::from_millis(150);

/// How long a directory that took the place of another must be unchanged before files that are absent from it count as
/// removed. Shorter: `rm -r dir; cp -r backup dir` stops pods. Longer: switching to another directory takes longer to act.
pub(super) const REPLACED_QUIET: Duration = Duration::from_secs(5);

/// What the events said last about the writer of one file. Never believed, only waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The name is new. Ends by a write, a close, or `OPEN_QUIET`.
    Created(Mono),
    /// Somebody writes, last at this time. Ends by a close, or `OPEN_QUIET` later.
    Writing(Mono),
    /// The writer is done, or the file was renamed into place. Ends when it has been judged.
    Complete,
}

/// One file as it was just seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// The last event, if there was one.
    pub(super) hint: Option<Hint>,
    /// A second name of a file, symbolic or hard: complete elsewhere, no close event will come.
    pub(super) link: bool,
    /// How long it has not changed.
    pub(super) quiet: Duration,
    /// Events are to be had.
    pub(super) watched: bool,
}

/// What an event does to the hint of the file it names; `None` forgets it.
pub(super) fn hint_after(before: Option<Hint>, event: EventMask, at: Mono) -> Option<Hint> {
    if event.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
        None
    } else if event.intersects(EventMask::CLOSE_WRITE | EventMask::MOVED_TO) {
        Some(Hint::Complete)
    } else if event.contains(EventMask::MODIFY) {
        Some(Hint::Writing(at))
    } else if event.contains(EventMask::CREATE) {
        Some(Hint::Created(at))
    } else {
        before
    }
}

/// How long to wait before a file is read; zero: read it now.
pub(super) fn read_wait(sight: &Sight, now: Mono) -> Duration {
    match sight.hint {
        Some(Hint::Complete) => Duration::ZERO,
        Some(Hint::Created(_)) if sight.link => Duration::ZERO,
        Some(Hint::Created(last) | Hint::Writing(last)) => {
            OPEN_QUIET.saturating_sub(now.since(last))
        }
        None if sight.watched => FRESH_QUIET.saturating_sub(sight.quiet),
        None => UNWATCHED_QUIET.saturating_sub(sight.quiet),
    }
}

/// How long to wait before a file that cannot be used is refused; zero: refuse it now.
pub(super) fn refuse_wait(empty: bool, quiet: Duration) -> Duration {
    let limit = if empty { EMPTY_QUIET } else { BAD_QUIET };
    limit.saturating_sub(quiet)
}

/// A file whose name is not in the directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absence {
    /// It was last seen in another directory at the same path.
    pub(super) other_dir: bool,
    /// How long nothing has changed in this directory, if it holds any manifest that can be used.
    pub(super) replacing: Option<Duration>,
    /// Another file wants its pod.
    pub(super) renamed: bool,
    /// The same inode has another name now, and has not been read under it.
    pub(super) maybe_renamed: bool,
    /// Since when it has been absent.
    pub(super) absent: Duration,
}

/// What becomes of the pod of an absent file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing is known: it stays until something is.
    Keep,
    /// It stays for this long at least.
    Wait(Duration),
    /// It goes on under another name.
    Renamed,
    /// It goes.
    Gone,
}

/// Decides what the absence of a file means.
pub(super) fn absence(file: &Absence) -> Fate {
    if file.renamed {
        return Fate::Renamed;
    }
    if file.maybe_renamed {
        return Fate::Keep;
    }
    let wait = match (file.other_dir, file.replacing) {
        (true, None) => return Fate::Keep,
        (true, Some(quiet)) => REPLACED_QUIET.saturating_sub(quiet),
        (false, _) => GONE_QUIET.saturating_sub(file.absent),
    };
    if wait.is_zero() {
        Fate::Gone
    } else {
        Fate::Wait(wait)
    }
}

/// How long a file has not changed, by its own time stamps or by our watching it, whichever is longer. Its stamps alone
/// will not do: on a network mount, or before the clock is set, they may lie in the future.
pub(super) fn quiet(stamped: Wall, seen_since: Mono, now: Now) -> Duration {
    now.wall.since(stamped).max(now.mono.since(seen_since))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(100_000);

    fn sight(hint: Option<Hint>) -> Sight {
        Sight {
            hint,
            link: false,
            quiet: Duration::ZERO,
            watched: true,
        }
    }

    #[test]
    fn reading_waits_for_the_writer() {
        let ms = Duration::from_millis;
        let fresh = sight(None);
        let rows = [
            ("renamed into place", sight(Some(Hint::Complete)), ms(0)),
            ("just created", sight(Some(Hint::Created(NOW))), ms(5000)),
            (
                "created as a link",
                Sight {
                    link: true,
                    ..sight(Some(Hint::Created(NOW)))
                },
                ms(0),
            ),
            (
                "written 2 s ago",
                sight(Some(Hint::Writing(Mono(98_000)))),
                ms(3000),
            ),
            (
                "written 6 s ago",
                sight(Some(Hint::Writing(Mono(94_000)))),
                ms(0),
            ),
            ("found fresh", fresh, ms(300)),
            (
                "found old",
                Sight {
                    quiet: ms(300),
                    ..fresh
                },
                ms(0),
            ),
            (
                "found half a second old, unwatched",
                Sight {
                    quiet: ms(500),
                    watched: false,
                    ..fresh
                },
                ms(500),
            ),
        ];
        for (what, sight, wait) in rows {
            assert_eq!(read_wait(&sight, NOW), wait, "{what}");
        }
    }

    #[test]
    fn events_only_set_and_clear_a_wait() {
        let writing = Some(Hint::Writing(Mono(1)));
        let rows = [
            (None, EventMask::CREATE, Some(Hint::Created(NOW))),
            (
                Some(Hint::Created(Mono(1))),
                EventMask::MODIFY,
                Some(Hint::Writing(NOW)),
            ),
            (writing, EventMask::MODIFY, Some(Hint::Writing(NOW))),
            (writing, EventMask::CLOSE_WRITE, Some(Hint::Complete)),
            (writing, EventMask::ATTRIB, writing),
            (writing, EventMask::MOVED_TO, Some(Hint::Complete)),
            (writing, EventMask::DELETE, None),
            (writing, EventMask::MOVED_FROM, None),
        ];
        for (before, event, after) in rows {
            assert_eq!(
                hint_after(before, event, NOW),
                after,
                "{before:?} {event:?}"
            );
        }
    }

    #[test]
    fn absence_is_believed_where_the_file_was() {
        let ms = Duration::from_millis;
        let gone = Absence {
            other_dir: false,
            replacing: None,
            renamed: false,
            maybe_renamed: false,
            absent: Duration::from_secs(60),
        };
        let other = Absence {
            other_dir: true,
            ..gone
        };
        let rows = [
            ("removed", gone, Fate::Gone),
            (
                "just removed",
                Absence {
                    absent: ms(50),
                    ..gone
                },
                Fate::Wait(ms(100)),
            ),
            (
                "renamed",
                Absence {
                    renamed: true,
                    absent: ms(0),
                    ..gone
                },
                Fate::Renamed,
            ),
            (
                "renamed to a file that is not read yet",
                Absence {
                    maybe_renamed: true,
                    ..gone
                },
                Fate::Keep,
            ),
            (
                "from a directory that an empty one replaced",
                other,
                Fate::Keep,
            ),
            (
                "from a directory that is being filled again",
                Absence {
                    replacing: Some(ms(2000)),
                    ..other
                },
                Fate::Wait(ms(3000)),
            ),
            (
                "from a directory that another one replaced",
                Absence {
                    replacing: Some(ms(5000)),
                    ..other
                },
                Fate::Gone,
            ),
        ];
        for (what, file, fate) in rows {
            assert_eq!(absence(&file), fate, "{what}");
        }
    }

    #[test]
    fn quiet_time_survives_a_wrong_clock() {
        let now = Now {
            wall: Wall(10_000_000),
            mono: Mono(9_000),
        };
        let rows = [
            (Wall(4_000_000), Mono(9_000), 6),
            (Wall(99_000_000), Mono(9_000), 0),
            (Wall(99_000_000), Mono(7_000), 2),
        ];
        for (stamped, since, seconds) in rows {
            assert_eq!(quiet(stamped, since, now), Duration::from_secs(seconds));
        }
    }
}
