//! What is typed after `check` and `fields`.

use std::ffi::OsString;

use super::run::output_of;
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

const CHECK_TAKES: &str =
    "it takes -o text|json, --hostname-override NAME, --allow-unknown-fields and paths";

pub(super) fn check(args: Vec<OsString>) -> Result<Command, String> {
    let mut flags = CheckFlags {
        output: Output::Table,
        node_name: None,
        allow_unknown_fields: false,
        paths: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_args(args);
    let text = |error: lexopt::Error| format!("check: {error}");
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Command::Help),
            lexopt::Arg::Short('o') | lexopt::Arg::Long("output") => {
                flags.output = output_of("check", &parser.value().map_err(text)?)?;
            }
            lexopt::Arg::Long("hostname-override" | "hostname_override") => {
                let value = parser.value().map_err(text)?;
                flags.node_name = Some(value.to_string_lossy().into_owned());
            }
            lexopt::Arg::Long("allow-unknown-fields" | "allow_unknown_fields") => {
                let value = parser.optional_value();
                flags.allow_unknown_fields = match value.as_ref().map(|v| v.to_str()) {
                    None | Some(Some("true")) => true,
                    Some(Some("false")) => false,
                    Some(_) => {
                        return Err(
                            "check: --allow-unknown-fields is neither true nor false".to_owned()
                        );
                    }
                };
            }
            lexopt::Arg::Value(path) => flags.paths.push(path),
            lexopt::Arg::Short(_) | lexopt::Arg::Long(_) => {
                return Err(format!("check: {}; {CHECK_TAKES}", arg.unexpected()));
            }
        }
    }
    if flags.paths.is_empty() {
        return Err(
            "check: no path given; it takes manifests, directories of them, and - for standard input"
                .to_owned(),
        );
    }
    Ok(Command::Check(flags))
}

pub(super) fn fields(args: Vec<OsString>) -> Result<Command, String> {
    let mut prefix = None;
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(|e| format!("fields: {e}"))? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Command::Help),
            lexopt::Arg::Value(path) if prefix.is_none() => {
                prefix = Some(path.to_string_lossy().into_owned());
            }
            lexopt::Arg::Value(_) | lexopt::Arg::Short(_) | lexopt::Arg::Long(_) => {
                let problem = arg.unexpected();
                return Err(format!(
                    "fields: {problem}; it takes one field path, such as spec.containers"
                ));
            }
        }
    }
    Ok(Command::Fields(prefix.unwrap_or_default()))
}
