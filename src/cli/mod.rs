//! What was typed: argv becomes a [`Command`].
//!
//! Pure. Flags are the kubelet's, by name and by habit: `--flag value`, `--flag=value`, `_` for `-`, and a bool that is
//! switched off by `--flag=false`. [`flags`](self) known to a kubelet and pointless here become warnings, unknown ones an
//! error with the nearest known name. Deliberately absent: what the values mean (see `config`).

mod flags;
mod help;
mod lint;
mod run;

use std::collections::BTreeMap;
use std::ffi::OsString;

pub use help::help;
pub use lint::CheckFlags;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the agent.
    Run(RunFlags),
    /// Print the settings that these flags make.
    Config(RunFlags, Output),
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
        Some("config") => run::config(rest),
        Some("run") => run::run(rest),
        Some("help") => Ok(Command::Help),
        Some("version") => Ok(Command::Version),
        _ => run::run(args),
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
