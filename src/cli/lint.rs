//! What is typed after `check` and `fields`.

use std::ffi::OsString;

use super::typed::{Stop, Typed};
use super::{Command, Output};

/// The flags of `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFlags {
    /// Text or JSON.
    pub output: Output,
    /// The node to check for; the machine's own when `None`.
    pub node_name: Option<String>,
    /// Unknown fields are a warning.
    pub allow_unknown_fields: bool,
    /// Files, directories and `-`.
    pub paths: Vec<OsString>,
}

pub(super) fn check(typed: Typed) -> Result<Command, Stop> {
    Ok(Command::Check(CheckFlags {
        output: match typed.value("output") {
            Some("json") => Output::Json,
            Some(_) | None => Output::Table,
        },
        node_name: typed.value("hostname-override").map(str::to_owned),
        allow_unknown_fields: typed.is_set("allow-unknown-fields"),
        paths: typed.words,
    }))
}

pub(super) fn fields(typed: Typed) -> Result<Command, Stop> {
    let prefix = typed.texts()?.into_iter().next();
    Ok(Command::Fields(prefix.unwrap_or_default()))
}
