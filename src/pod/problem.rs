//! What is wrong with a manifest, as a value.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing wrong with a manifest, told so that its author can mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where: `spec.containers[0].image`; empty when the file as a whole is meant.
    pub path: String,
    /// The line in the file, counted from 1, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What is wrong, as the API server would say it.
    pub text: String,
    /// What to do instead; empty when `text` says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Problem {
    /// A problem at a field path (empty for the whole file).
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Problem {
        Problem {
            path: path.into(),
            line: None,
            text: text.into(),
            hint: String::new(),
        }
    }

    /// The same with an advice.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Problem {
        Problem {
            hint: hint.into(),
            ..self
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.text)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}
