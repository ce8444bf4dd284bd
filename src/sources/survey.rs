//! One reading of a manifest path, as the directory source would read it, and without waiting for anybody.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::pod::{Problem, Reading};
use crate::state::Source;
use crate::sys::Result;

use super::conflict::{self, Candidate};
use super::conflict_problem;
use super::judge::Reader;
use super::scan::{self, Entry, What, is_manifest};

/// What is at a path.
#[derive(Debug, Default)]
pub struct Survey {
    /// Every manifest, in the order of the directory source.
    pub manifests: Vec<(PathBuf, std::result::Result<Reading, Vec<Problem>>)>,
    /// Names that are no manifests, each with the reason.
    pub ignored: Vec<(PathBuf, &'static str)>,
}

/// Reads a directory, or a single file whatever its name.
///
/// # Errors
/// Those of the path itself; what is wrong with one file in a directory is among its problems.
pub fn survey(path: &Path, reader: &Reader<'_>) -> Result<Survey> {
    let listing = scan::list(path, None)?;
    let mut survey = Survey::default();
    for (name, entry) in &listing.entries {
        let path = if listing.single {
            path.to_owned()
        } else {
            path.join(name)
        };
        if listing.single || is_manifest(name) {
            let read = read(&path, entry, reader);
            survey.manifests.push((path, read));
        } else {
            survey.ignored.push((path, stranger(entry)));
        }
    }
    Ok(survey)
}

/// Why a name is no manifest.
pub(super) fn stranger(entry: &Entry) -> &'static str {
    if entry.what == What::Directory {
        "sub-directories are not read"
    } else {
        "only names that end in .yaml, .yml or .json (lower case) are manifests"
    }
}

/// What a name stands for, if it is not a file.
pub(super) fn not_a_file(what: &What) -> Option<Problem> {
    let text = match what {
        What::Regular => return None,
        What::Directory => "it is a directory, not a file".to_owned(),
        What::Strange(what) => format!("it is {what}, not a file"),
        What::Broken(why) => format!("it cannot be read: {why}"),
    };
    Some(Problem::new("", text))
}

fn read(
    path: &Path,
    entry: &Entry,
    reader: &Reader<'_>,
) -> std::result::Result<Reading, Vec<Problem>> {
    if let Some(problem) = not_a_file(&entry.what) {
        return Err(vec![problem]);
    }
    match scan::read(path) {
        Ok((_, bytes)) => reader(&bytes),
        Err(err) => Err(vec![Problem::new("", err.said().to_owned())]),
    }
}

/// Which of these manifests are not followed because another one is, each with the problem that tells it.
pub fn conflicts<'a>(
    readings: impl IntoIterator<Item = (&'a Path, &'a Reading)>,
) -> Vec<(PathBuf, Problem)> {
    let candidates = readings.into_iter().map(|(path, reading)| Candidate {
        pod: Rc::new(reading.pod.clone()),
        source: Source::File(path.display().to_string()),
        leaving: false,
    });
    let outcome = conflict::resolve(candidates.collect(), &Default::default(), &|_| None);
    let losers = outcome.losers.iter();
    losers
        .map(|loser| (PathBuf::from(loser.source.place()), conflict_problem(loser)))
        .collect()
}
