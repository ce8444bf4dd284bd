//! The agent's flags, and the commands that take the same.

use std::ffi::OsString;

use super::flags::{self, Takes, Use};
use super::typed::value;
use super::words::{Words, command};
use super::{Command, Output, RunFlags, unknown};

/// The agent's flags.
pub(super) fn run(args: Vec<OsString>) -> Result<Command, Vec<String>> {
    Ok(match read(args, None)? {
        Ok(typed) => Command::Run(typed.flags),
        Err(other) => other,
    })
}

/// The agent's flags, and `-o`.
pub(super) fn config(args: Vec<OsString>) -> Result<Command, Vec<String>> {
    printing(args, "config", Command::Config)
}

/// The same, for another command.
pub(super) fn doctor(args: Vec<OsString>) -> Result<Command, Vec<String>> {
    printing(args, "doctor", Command::Doctor)
}

fn printing(
    args: Vec<OsString>,
    name: &str,
    of: fn(RunFlags, Output) -> Command,
) -> Result<Command, Vec<String>> {
    Ok(match read(args, command(name))? {
        Ok(typed) => of(typed.flags, typed.output),
        Err(other) => other,
    })
}

/// The agent's flags, `-o`, and the path that takes the place of the manifest path.
pub(super) fn plan(args: Vec<OsString>) -> Result<Command, Vec<String>> {
    let mut typed = match read(args, command("plan"))? {
        Ok(typed) => typed,
        Err(other) => return Ok(other),
    };
    let wrong = |text: &str| Err(vec![format!("plan: {text}; see staticlet plan --help")]);
    let path = match typed.paths.as_slice() {
        [one] => one.to_str().map(str::to_owned),
        [] => return wrong("no path given"),
        _ => return wrong("more than one path given"),
    };
    let Some(path) = path else {
        return wrong("the path is not UTF-8");
    };
    typed
        .flags
        .values
        .insert("pod-manifest-path".to_owned(), path);
    Ok(Command::Plan(typed.flags, typed.output))
}

/// What was typed.
struct Typed {
    flags: RunFlags,
    output: Output,
    paths: Vec<OsString>,
}

/// Reads the agent's flags; with `command` its own ones as well. What asks for help is another command.
fn read(
    args: Vec<OsString>,
    command: Option<&'static Words>,
) -> Result<Result<Typed, Command>, Vec<String>> {
    let mut flags = RunFlags::default();
    let (mut output, mut paths) = (Output::Table, Vec::new());
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
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => {
                return Ok(Err(Command::Help(command.map(|of| of.name))));
            }
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => {
                return Ok(Err(Command::Version));
            }
            lexopt::Arg::Short('v') | lexopt::Arg::Long("v") => {
                let level = parser.value().ok().and_then(|v| v.into_string().ok());
                match level {
                    Some(level) => drop(flags.values.insert("v".to_owned(), level)),
                    None => problems.push("-v needs a level from 0 to 10".to_owned()),
                }
            }
            lexopt::Arg::Short('o') | lexopt::Arg::Long("output") if command.is_some() => {
                let flag = command.and_then(|of| of.flag("output"));
                match flag.map(|flag| value(flag, false, &mut parser)) {
                    Some(Ok(told)) if told == "json" => output = Output::Json,
                    Some(Ok(_)) | None => output = Output::Table,
                    Some(Err(problem)) => {
                        let name = command.map_or("", |of| of.name);
                        problems.push(format!("{name}: {problem}"));
                    }
                }
            }
            lexopt::Arg::Long(name) => {
                let name = name.replace('_', "-");
                if let Err(problem) = flag(&mut flags, &mut parser, &name) {
                    problems.push(problem);
                }
            }
            lexopt::Arg::Value(path) if command.is_some_and(|of| of.takes == "PATH") => {
                paths.push(path);
            }
            lexopt::Arg::Value(word) => problems.push(unknown(&word.to_string_lossy())),
            lexopt::Arg::Short(letter) => {
                problems.push(format!("unknown flag -{letter} (see --help)"));
            }
        }
    }
    if problems.is_empty() {
        Ok(Ok(Typed {
            flags,
            output,
            paths,
        }))
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
