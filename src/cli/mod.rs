//! What was typed: argv becomes a [`Command`].
//!
//! Pure. Flags are the kubelet's, by name and by habit: `--flag value`, `--flag=value`, `_` for `-`, and a bool that is
//! switched off by `--flag=false`. [`flags`](self) known to a kubelet and pointless here become warnings, unknown ones an
//! error with the nearest known name. Deliberately absent: what the values mean (see `config`).

mod flags;
mod help;
mod lint;

use std::collections::BTreeMap;
use std::ffi::OsString;

use flags::{Takes, Use};
pub use help::help;
pub use lint::CheckFlags;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the agent.
    Run(RunFlags),
    /// Print the state of the pods.
    Status(StatusFlags),
    /// Check manifests.
    Check(CheckFlags),
    /// Print the fields whose paths begin like this.
    Fields(String),
    /// Do one job, told on standard input.
    Job,
    /// Answer one connection: standard input and output.
    Serve {
        /// It came to the read-only port.
        read_only: bool,
    },
    /// Be the first process of a sandbox.
    Pause,
    /// Print the version.
    Version,
    /// Print how to use it.
    Help,
}

/// The flags of the agent, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFlags {
    /// Honoured flags by name, `v` among them; of one given twice the last counts.
    pub values: BTreeMap<String, String>,
    /// What to say once.
    pub warnings: Vec<String>,
}

/// The flags of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusFlags {
    /// Table or JSON.
    pub output: Output,
    /// Where the agent publishes.
    pub run_dir: String,
}

/// How `status` and `check` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Table,
    /// A v1 PodList.
    Json,
}

/// Where the agent publishes when nothing else is said.
pub const RUN_DIR: &str = "/run/staticlet";

/// Reads the arguments, without the program's name.
///
/// # Errors
/// Every problem found, one line each.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Vec<String>> {
    let args: Vec<OsString> = args.into_iter().collect();
    let word = args.first().and_then(|first| first.to_str());
    let rest = args.get(1..).unwrap_or_default().to_vec();
    match word {
        Some("status") => status(rest).map_err(|problem| vec![problem]),
        Some("check") => lint::check(rest).map_err(|problem| vec![problem]),
        Some("fields") => lint::fields(rest).map_err(|problem| vec![problem]),
        Some("job") => Ok(Command::Job),
        Some("serve") => Ok(Command::Serve {
            read_only: rest.first().is_some_and(|page| page == "read-only"),
        }),
        Some("pause") => Ok(Command::Pause),
        Some("run") => run(rest),
        Some("help") => Ok(Command::Help),
        Some("version") => Ok(Command::Version),
        _ => run(args),
    }
}

fn status(args: Vec<OsString>) -> Result<Command, String> {
    let mut flags = StatusFlags {
        output: Output::Table,
        run_dir: RUN_DIR.to_owned(),
    };
    let mut parser = lexopt::Parser::from_args(args);
    let text = |error: lexopt::Error| format!("status: {error}");
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Command::Help),
            lexopt::Arg::Short('o') | lexopt::Arg::Long("output") => {
                let value = parser.value().map_err(text)?;
                flags.output = match value.to_str() {
                    Some("json") => Output::Json,
                    Some("table" | "wide") => Output::Table,
                    _ => {
                        return Err(format!(
                            "status: -o {} is neither table nor json",
                            value.to_string_lossy()
                        ));
                    }
                };
            }
            lexopt::Arg::Long("run-dir" | "run_dir") => {
                let value = parser.value().map_err(text)?;
                flags.run_dir = value.to_string_lossy().into_owned();
            }
            lexopt::Arg::Short(_) | lexopt::Arg::Long(_) | lexopt::Arg::Value(_) => {
                return Err(format!(
                    "status: {}; it takes -o table|json and --run-dir DIR",
                    arg.unexpected()
                ));
            }
        }
    }
    Ok(Command::Status(flags))
}

fn run(args: Vec<OsString>) -> Result<Command, Vec<String>> {
    let mut flags = RunFlags::default();
    let mut problems = Vec::new();
    let mut parser = lexopt::Parser::from_args(args);
    loop {
        let arg = match parser.next() {
            Ok(Some(arg)) => arg,
            Ok(None) => break,
            Err(error) => {
                problems.push(error.to_string());
                break;
            }
        };
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Command::Help),
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => return Ok(Command::Version),
            lexopt::Arg::Short('v') | lexopt::Arg::Long("v") => {
                let level = parser.value().ok().and_then(|v| v.into_string().ok());
                match level {
                    Some(level) => drop(flags.values.insert("v".to_owned(), level)),
                    None => problems.push("-v needs a level from 0 to 10".to_owned()),
                }
            }
            lexopt::Arg::Long(name) => {
                let name = name.replace('_', "-");
                if let Err(problem) = flag(&mut flags, &mut parser, &name) {
                    problems.push(problem);
                }
            }
            lexopt::Arg::Value(word) => problems.push(format!(
                "unknown command {:?}; there are status, check and fields, and none at all to run the agent (see --help)",
                word.to_string_lossy()
            )),
            lexopt::Arg::Short(letter) => {
                problems.push(format!("unknown flag -{letter} (see --help)"));
            }
        }
    }
    if problems.is_empty() {
        Ok(Command::Run(flags))
    } else {
        Err(problems)
    }
}

/// Takes in one long flag with its value.
fn flag(flags: &mut RunFlags, parser: &mut lexopt::Parser, name: &str) -> Result<(), String> {
    let Some((meaning, takes)) = flags::known(name) else {
        let _ = parser.optional_value();
        let hint = match flags::nearest(name) {
            Some(near) => format!("; did you mean --{near}?"),
            None => " (see --help)".to_owned(),
        };
        return Err(format!("unknown flag --{name}{hint}"));
    };
    let value = match takes {
        Takes::Value => parser
            .value()
            .map_err(|_| format!("--{name} needs a value"))?,
        Takes::Bool => parser.optional_value().unwrap_or_else(|| "true".into()),
    };
    let value = value
        .into_string()
        .map_err(|_| format!("--{name}: the value is not UTF-8"))?;
    if takes == Takes::Bool && !matches!(value.as_str(), "true" | "false") {
        return Err(format!("--{name}={value} is neither true nor false"));
    }
    match meaning {
        Use::Honoured => {
            if matches!(name, "cluster-dns" | "manifest-url-header")
                && let Some(before) = flags.values.get_mut(name)
            {
                before.push(',');
                before.push_str(&value);
            } else {
                flags.values.insert(name.to_owned(), value);
            }
        }
        Use::Pointless => flags
            .warnings
            .push(format!("--{name} has no effect in staticlet")),
        Use::NotYet if matches!(value.as_str(), "" | "0" | "false") => {}
        Use::NotYet => {
            return Err(format!(
                "--{name}={value} is not in this version yet; leave the flag away"
            ));
        }
    }
    Ok(())
}
