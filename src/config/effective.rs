//! What each setting is, and where that was said. Pure.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::table::{Change, Row};

/// One setting as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The flag without its dashes; empty for one that only a file can set.
    pub flag: &'static str,
    /// The field of the file; empty for one that only a flag can set.
    pub field: &'static str,
    /// The value as it would be typed, without anything secret.
    pub value: String,
    /// Who said so.
    pub whence: Whence,
    pub(super) change: Change,
    /// Tells one value from another, with what is secret in it.
    mark: u64,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whence {
    /// Nobody said anything.
    Default,
    /// The command line.
    Flag,
    /// These files, the last one last.
    Files(Vec<PathBuf>),
    /// This variable.
    Environment(&'static str),
    /// The machine itself, and what of it.
    Machine(&'static str),
}

impl Effective {
    pub(super) fn new(row: &Row, text: &str, whence: Whence) -> Effective {
        let mut mark = DefaultHasher::new();
        text.hash(&mut mark);
        Effective {
            flag: row.flag,
            field: row.field,
            value: text.to_owned(),
            whence,
            change: row.change,
            mark: mark.finish(),
        }
    }

    /// `--flag`, or the field of one that has no flag.
    pub fn name(&self) -> String {
        match self.flag {
            "" => self.field.to_owned(),
            "v" => "-v".to_owned(),
            flag => format!("--{flag}"),
        }
    }

    /// Whether it says something else than `other`, also where the difference may not be shown.
    pub(super) fn differs(&self, other: &Effective) -> bool {
        self.value != other.value || self.mark != other.mark
    }

    /// Whether a change of it waits for the next start of the agent.
    pub fn needs_restart(&self) -> bool {
        self.change == Change::Restart
    }

    /// The change to `other`, in words.
    pub fn changed_to(&self, other: &Effective) -> String {
        let name = self.name();
        if self.value == other.value {
            return format!("{name}: it is another one now");
        }
        let (old, new) = (quoted(&self.value), quoted(&other.value));
        let until = match self.change {
            Change::NewContainers => ", for containers that are made from now on",
            Change::Reload | Change::Restart => "",
        };
        format!("{name}: {new} instead of {old}{until}")
    }
}

/// Nothing is shown as what is typed for it.
fn quoted(value: &str) -> &str {
    if value.is_empty() { "\"\"" } else { value }
}

impl fmt::Display for Whence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whence::Default => f.write_str("default"),
            Whence::Flag => f.write_str("flag"),
            Whence::Files(files) => {
                let files: Vec<String> = files.iter().map(|f| f.display().to_string()).collect();
                f.write_str(&files.join(", "))
            }
            Whence::Environment(name) => write!(f, "environment: {name}"),
            Whence::Machine(what) => write!(f, "machine: {what}"),
        }
    }
}

impl Serialize for Effective {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let (from, files): (&str, &[PathBuf]) = match &self.whence {
            Whence::Default => ("default", &[]),
            Whence::Flag => ("flag", &[]),
            Whence::Files(files) => ("file", files),
            Whence::Environment(_) => ("environment", &[]),
            Whence::Machine(_) => ("machine", &[]),
        };
        let change = match self.change {
            Change::Reload => "reload",
            Change::NewContainers => "reload, new containers",
            Change::Restart => "restart",
        };
        let mut one = out.serialize_struct("Effective", 6)?;
        one.serialize_field("flag", self.flag)?;
        one.serialize_field("field", self.field)?;
        one.serialize_field("value", &self.value)?;
        one.serialize_field("from", from)?;
        one.serialize_field("files", files)?;
        one.serialize_field("changeNeeds", change)?;
        one.end()
    }
}
