//! What was given for each setting: the flag, else the files, else the default.

use std::path::PathBuf;
use std::time::Duration;

use super::dropins::Files;
use super::effective::{Effective, Whence};
use super::table::{ROWS, Row};
use super::values;
use crate::cli::RunFlags;
use crate::sys::InOrder;

/// Everything that was given, and what has been asked for of it.
pub(super) struct Given<'a> {
    flags: &'a RunFlags,
    files: Files,
    pub(super) effective: Vec<Effective>,
    pub(super) problems: Vec<String>,
}

/// What holds for one setting, unchecked.
pub(super) struct Looked {
    /// `--flag`, or the file, the line and the field: what a message begins with.
    pub(super) name: String,
    /// As it would be typed.
    pub(super) text: String,
    /// It is a flag.
    pub(super) is_flag: bool,
}

impl<'a> Given<'a> {
    pub(super) fn new(flags: &'a RunFlags, mut files: Files) -> Given<'a> {
        Given {
            flags,
            problems: std::mem::take(&mut files.problems),
            files,
            effective: Vec::new(),
        }
    }

    /// What holds for a setting: its flag, or the field of one that has none.
    pub(super) fn look(&mut self, id: &str) -> Looked {
        let Some(row) = ROWS.iter().find(|row| is_of(row, id)) else {
            // A test holds that there is a row for each name.
            return looked(id.to_owned(), "", false);
        };
        let flag = self.flags.values.get(row.flag);
        let file = self.files.get(row.field);
        let (looked, whence) = match (flag, file) {
            (Some(text), _) => {
                let name = match row.flag {
                    "v" => "-v".to_owned(),
                    flag => format!("--{flag}"),
                };
                (looked(name, text, true), Whence::Flag)
            }
            (None, Some(found)) => {
                let file = found.files.last().map(|file| file.display().to_string());
                let line = found.line.map_or(String::new(), |line| format!(":{line}"));
                let name = format!("{}{line}: {}", file.unwrap_or_default(), row.field);
                (
                    looked(name, &found.text, false),
                    Whence::Files(found.files.clone()),
                )
            }
            (None, None) => (
                looked(row.flag.to_owned(), row.default, false),
                Whence::Default,
            ),
        };
        self.effective
            .push(Effective::new(row, &looked.text, whence));
        looked
    }

    /// The same, where an empty value is none.
    pub(super) fn text(&mut self, id: &str) -> Option<String> {
        Some(self.look(id).text).filter(|text| !text.is_empty())
    }

    /// The same, checked. What is wrong is noted, and the value of no use.
    pub(super) fn checked<T: Default>(
        &mut self,
        id: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let looked = self.look(id);
        check(&looked.text).unwrap_or_else(|why| {
            let Looked { name, text, .. } = looked;
            self.problems.push(format!("{name}={text}: {why}"));
            T::default()
        })
    }

    /// A path, as it is from everywhere.
    pub(super) fn path(&mut self, id: &str) -> Option<PathBuf> {
        let looked = self.look(id);
        if looked.text.is_empty() {
            return None;
        }
        match std::path::absolute(&looked.text) {
            Ok(path) => {
                self.shows(id, &path.to_string_lossy(), None);
                Some(path)
            }
            Err(error) => {
                let Looked { name, text, .. } = looked;
                self.problems.push(format!("{name}={text}: {error}"));
                None
            }
        }
    }

    /// What the files say of a field, whatever the flags say.
    pub(super) fn in_files(&self, field: &str) -> Option<String> {
        self.files.get(field).map(|found| found.text.clone())
    }

    /// How often something is done. As in the kubelet, zero is the default.
    pub(super) fn frequency(&mut self, id: &str) -> Duration {
        let default = ROWS.iter().find(|row| is_of(row, id));
        let default = default.map_or("", |row| row.default);
        // Below a tenth of a second it would do nothing else.
        let time = self.checked(id, |text| match values::duration(text)? {
            time if time.is_zero() => Ok(None),
            time if time < Duration::from_millis(100) => Err("the least is 100ms".to_owned()),
            time => Ok(Some(time)),
        });
        time.unwrap_or_else(|| {
            self.shows(id, default, Some(Whence::Default));
            values::duration(default).unwrap_or_default()
        })
    }

    /// What is shown of a setting that has been asked for, where that is something else than what was given.
    pub(super) fn shows(&mut self, id: &str, value: &str, whence: Option<Whence>) {
        let mut known = self.effective.iter_mut();
        let known = known.find(|one| one.flag == id || (one.flag.is_empty() && one.field == id));
        if let Some(known) = known {
            value.clone_into(&mut known.value);
            if let Some(whence) = whence {
                known.whence = whence;
            }
        }
    }

    /// Everything that is wrong, and everything that was asked for in the order of the table.
    pub(super) fn end(mut self) -> (Vec<Effective>, Vec<String>, Vec<String>) {
        let place = |one: &Effective| {
            ROWS.iter()
                .position(|row| row.flag == one.flag && row.field == one.field)
        };
        self.effective.order_by_key(place);
        (self.effective, self.files.warnings, self.problems)
    }
}

fn is_of(row: &Row, id: &str) -> bool {
    row.flag == id || (row.flag.is_empty() && row.field == id)
}

fn looked(name: String, text: &str, is_flag: bool) -> Looked {
    Looked {
        name,
        text: text.to_owned(),
        is_flag,
    }
}
