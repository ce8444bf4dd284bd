//! What is typed after `completion` and `man`.

use super::typed::{Stop, Typed};
use super::{Command, words};

/// A shell that completes what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// bash 4 and later.
    Bash,
    /// zsh with compinit.
    Zsh,
    /// fish 3 and later.
    Fish,
}

pub(super) fn completion(typed: Typed) -> Result<Command, Stop> {
    let word = typed.texts()?.concat();
    match word.as_str() {
        "bash" => Ok(Command::Completion(Shell::Bash)),
        "zsh" => Ok(Command::Completion(Shell::Zsh)),
        "fish" => Ok(Command::Completion(Shell::Fish)),
        other => {
            let known = words::command("completion").map_or("", |of| of.takes);
            Err(typed.wrong(format!("{other} is none of {known}")))
        }
    }
}

pub(super) fn man(_: Typed) -> Result<Command, Stop> {
    Ok(Command::Man)
}
