//! `staticlet status --watch`: the state again and again.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use super::status::see;
use super::terminal::Screen;
use super::{Outcome, print};
use crate::cli::{Output, StatusFlags};
use crate::{publish, sys};

/// The pause between two looks at whether the file was replaced, which it is when something has changed.
const PAUSE: Duration = Duration::from_millis(250);

/// What else there is to see, the agent itself and ages, is looked at once in so many times.
const SHARE: u32 = 4;

/// Prints the state whenever it has changed, until it is interrupted or nobody reads any more. A terminal is drawn anew, as
/// ages grow as well; elsewhere each state is printed below the one before.
pub(super) fn watch(flags: &StatusFlags, screen: Screen) -> Outcome {
    let path = publish::path(&flags.run_dir);
    let mut last = Last::default();
    if screen.is_terminal {
        print("\u{1b}[2J");
    }
    for turn in 0_u32.. {
        // Seconds of the file will not do: it is replaced many times in one while pods start.
        let stamp = std::fs::metadata(&path).ok();
        let stamp = stamp.map(|file| (file.ino(), file.mtime(), file.mtime_nsec()));
        if stamp != last.stamp || turn % SHARE == 0 {
            let (text, runs) = look(flags, screen);
            // Of ages alone a reader that is no terminal is not told.
            let is_new = screen.is_terminal || stamp != last.stamp || runs != last.runs;
            if text != last.text && (is_new || turn == 0) {
                let is_first = last.text.is_empty() || flags.output != Output::Table;
                if screen.is_terminal {
                    print(&Screen::redrawn(&text));
                } else if is_first {
                    print(&text);
                } else {
                    print(&format!("\n{text}"));
                }
                last.text = text;
            }
            (last.stamp, last.runs) = (stamp, runs);
        }
        if !sys::is_read(std::io::stdout().as_fd()) {
            break;
        }
        sys::pause(PAUSE);
    }
    Outcome::Fine
}

/// What was seen and shown last.
#[derive(Default)]
struct Last {
    stamp: Option<(u64, i64, i64)>,
    runs: bool,
    text: String,
}

/// What is to be seen, with what stands on standard error otherwise; and whether the agent runs.
fn look(flags: &StatusFlags, screen: Screen) -> (String, bool) {
    let now = sys::now();
    let seen = match see(&flags.run_dir) {
        Ok(seen) => seen,
        Err(text) => return (format!("staticlet: {text}\n"), false),
    };
    let dead = seen.dead(now).filter(|_| flags.output == Output::Table);
    let dead = dead.map_or(String::new(), |text| format!("staticlet: {text}\n\n"));
    let text = match seen.told(flags, (screen, now)) {
        Ok(told) => told.text,
        Err(fault) => fault.said().0.join("\n") + "\n",
    };
    (dead + &text, seen.runs)
}
