//! One file, from its name to a pod or a list of what is wrong with it.

use std::path::Path;
use std::time::Duration;

use crate::pod::{Problem, Reading};
use crate::sys::{Kind, Mono};

use super::scan::{self, Entry};
use super::settle::{self, Sight};
use super::survey::not_a_file;

/// The pause before a file that changed under the reader's eyes is read again.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// Reads a manifest.
pub type Reader<'a> = dyn Fn(&[u8]) -> Result<Reading, Vec<Problem>> + 'a;

/// What came of trying to read one file.
pub(super) enum Judgement {
    /// Not yet: try again after this time.
    Wait(Duration),
    /// It is a pod.
    Good(Box<Reading>, Vec<u8>),
    /// It is not, for these reasons.
    Bad(Vec<Problem>),
}

/// Reads one file, if that may be done now, and judges it; one that is not trusted is not even opened.
pub(super) fn judge(
    (path, entry, distrust): (&Path, &Entry, Option<&str>),
    sight: &Sight,
    now: Mono,
    reader: &Reader<'_>,
) -> Judgement {
    let refuse = |empty: bool, problems: Vec<Problem>| {
        let wait = settle::refuse_wait(empty, sight.quiet);
        if wait.is_zero() {
            Judgement::Bad(problems)
        } else {
            Judgement::Wait(wait)
        }
    };
    let one = |text: String| vec![Problem::new("", text)];
    if let Some(problem) = not_a_file(&entry.what) {
        return refuse(false, vec![problem]);
    }
    if let Some(why) = distrust {
        return refuse(false, one(why.to_owned()));
    }
    let wait = settle::read_wait(sight, now);
    if !wait.is_zero() {
        return Judgement::Wait(wait);
    }
    let bytes = match scan::read(path) {
        Ok((stamp, bytes)) if stamp == entry.stamp => bytes,
        // It is not the file of the listing any more, so nothing that was said of that one holds.
        Ok(_) => return Judgement::Wait(RETRY),
        Err(err) if matches!(err.kind(), Kind::Unavailable | Kind::Gone) => {
            return Judgement::Wait(RETRY);
        }
        Err(err) => return refuse(false, one(err.said().to_owned())),
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return refuse(true, one("the file is empty".to_owned()));
    }
    match reader(&bytes) {
        Ok(reading) => Judgement::Good(Box::new(reading), bytes),
        Err(problems) => refuse(false, problems),
    }
}
