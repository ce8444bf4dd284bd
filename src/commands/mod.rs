//! What can be typed: one file per command.
//!
//! IO. Each takes its flags and gives an [`Outcome`], which `main` maps to an exit code.

mod changed;
mod check;
mod config;
mod describe;
mod doctor;
mod fields;
mod find;
pub mod job;
mod logs;
pub mod pause;
mod place;
mod plan;
mod restart;
mod run;
pub mod serve;
mod status;
mod stop;
mod terminal;
mod wait;
mod watch;

pub use check::check;
pub use config::config;
pub use doctor::doctor;
pub use fields::fields;
pub use logs::logs;
pub use plan::plan;
pub use restart::restart;
pub use run::run;
pub use status::status;
pub use stop::stop;
pub use wait::wait;

/// How a command ended; the only place that knows the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Fine,
    /// It ran, and the answer is bad.
    Bad,
    /// Wrong use or settings: trying again does not help.
    Misuse,
    /// The system failed: trying again may help.
    Failed,
}

impl Outcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Fine => 0,
            Outcome::Bad => 1,
            Outcome::Misuse => 100,
            Outcome::Failed => 111,
        }
    }
}

impl From<crate::sys::Result<()>> for Outcome {
    /// Tells the error.
    fn from(result: crate::sys::Result<()>) -> Outcome {
        match result {
            Ok(()) => Outcome::Fine,
            Err(error) => {
                complain(&error.to_string());
                Outcome::Failed
            }
        }
    }
}

/// Why a command cannot do what it was asked to.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It was called wrongly, one line for each thing.
    Misuse(Vec<String>),
    /// The answer is bad.
    Bad(String),
    /// The system failed.
    Failed(crate::sys::Error),
}

impl From<crate::sys::Error> for Fault {
    fn from(error: crate::sys::Error) -> Fault {
        Fault::Failed(error)
    }
}

impl Fault {
    /// Tells it, as of this command.
    fn tell(self, command: &str) -> Outcome {
        let (lines, outcome) = self.said();
        for line in lines {
            complain(&format!("{command}: {line}"));
        }
        outcome
    }

    /// What there is to say, and what comes of it.
    fn said(self) -> (Vec<String>, Outcome) {
        match self {
            Fault::Misuse(problems) => (problems, Outcome::Misuse),
            Fault::Bad(text) => (vec![text], Outcome::Bad),
            Fault::Failed(error) => (vec![error.to_string()], Outcome::Failed),
        }
    }
}

/// Prints to standard error; one that is closed is no reason to fail.
pub(crate) fn complain(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "staticlet: {text}");
}

/// Prints to standard output; a reader that went away is no reason to fail.
pub fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Where dockerd is, by the environment.
#[allow(clippy::disallowed_methods)] // asked for once, at the start
pub(crate) fn docker_host() -> Option<String> {
    std::env::var("DOCKER_HOST").ok()
}

/// Prints what is wrong with the arguments.
pub fn misuse(problems: &[String]) -> Outcome {
    problems.iter().for_each(|problem| complain(problem));
    Outcome::Misuse
}
