//! What was typed: argv becomes a [`Command`].
//!
//! Pure. Flags are the kubelet's, by name and by habit: `--flag value`, `--flag=value`, `_` for `-`, and a bool that is
//! switched off by `--flag=false`. [`flags`](self) known to a kubelet and pointless here become warnings, unknown ones an
//! error with the nearest known name. Deliberately absent: what the values mean (see `config`).

mod completion;
mod flags;
mod help;
mod lint;
mod man;
mod pods;
mod run;
mod shell;
mod typed;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;

pub use completion::completion;
pub use help::help;
pub use lint::CheckFlags;
pub use man::man;
pub use pods::{Goal, LogsFlags, PlaceFlags, RestartFlags, StatusFlags, StopFlags, WaitFlags};
pub use shell::Shell;
use typed::Stop;
use words::{Read, Words};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the agent.
    Run(RunFlags),
    /// Print the settings that these flags make.
    Config(RunFlags, Output),
    /// Print what these flags would change; the manifest path is the one to plan for.
    Plan(RunFlags, Output),
    /// Look for what would keep an agent with these flags from its work.
    Doctor(RunFlags, Output),
    /// Print the state of the pods.
    Status(StatusFlags),
    /// Print a container's log.
    Logs(LogsFlags),
    /// Wait for pods.
    Wait(WaitFlags),
    /// End every pod.
    Stop(StopFlags),
    /// Restart containers.
    Restart(RestartFlags),
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
    /// Print the completion for a shell.
    Completion(Shell),
    /// Print the manual page.
    Man,
    /// Print the version.
    Version,
    /// Print how to use it, or one of its commands.
    Help(Option<&'static str>),
}

/// The flags of the agent, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFlags {
    /// Honoured flags by name, `v` among them; of one given twice the last counts.
    pub values: BTreeMap<String, String>,
    /// What to say once.
    pub warnings: Vec<String>,
}

/// How `status` and `check` print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Table,
    /// A v1 PodList.
    Json,
    /// A name a line.
    Name,
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
        Some("job") => Ok(Command::Job),
        Some("serve") => Ok(Command::Serve {
            read_only: rest.first().is_some_and(|page| page == "read-only"),
        }),
        Some("pause") => Ok(Command::Pause),
        Some("run") => run::run(rest),
        Some("help") => {
            let word = rest.first().and_then(|word| word.to_str());
            Ok(Command::Help(
                word.and_then(words::command).map(|of| of.name),
            ))
        }
        Some("version") => Ok(Command::Version),
        Some(word) => match words::command(word) {
            Some(of) => command(of, rest),
            None => run::run(args),
        },
        None => run::run(args),
    }
}

/// One of the commands in the table.
fn command(of: &'static Words, args: Vec<OsString>) -> Result<Command, Vec<String>> {
    let read = match of.read {
        Read::Own(read) => read,
        Read::Agent(read) => return read(args),
    };
    match typed::typed(of, args).and_then(read) {
        Ok(command) => Ok(command),
        Err(Stop::Help) => Ok(Command::Help(Some(of.name))),
        Err(Stop::Wrong(problem)) => Err(vec![problem]),
    }
}

/// What to say to a word that is no command.
fn unknown(word: &str) -> String {
    let names = || words::COMMANDS.iter().map(|of| of.name);
    let hint = match crate::sys::nearest(word, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!(
            "there are {}, and none at all to run the agent (see --help)",
            names().collect::<Vec<_>>().join(", ")
        ),
    };
    format!("unknown command {word:?}; {hint}")
}
