//! Arguments of a command, read by its entry in the table.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::words::{Flag, Words};

/// What was typed after a command.
pub(super) struct Typed {
    of: &'static Words,
    /// By name; of a flag given twice the last counts. A switch has `true` or `false`.
    flags: BTreeMap<&'static str, String>,
    /// What is no flag, in its order.
    pub(super) words: Vec<OsString>,
}

/// Why there is nothing to do.
pub(super) enum Stop {
    /// The help was asked for.
    Help,
    /// It is wrong, and this says how.
    Wrong(String),
}

/// Reads what was typed after the command `of`.
pub(super) fn typed(of: &'static Words, args: Vec<OsString>) -> Result<Typed, Stop> {
    let wrong = |text: String| Stop::Wrong(format!("{}: {text}", of.name));
    let see = format!("see staticlet {} --help", of.name);
    let mut typed = Typed {
        of,
        flags: BTreeMap::new(),
        words: Vec::new(),
    };
    let (least, most) = of.counts();
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(|error| wrong(error.to_string()))? {
        let flag = match &arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Err(Stop::Help),
            lexopt::Arg::Value(_) if typed.words.len() == most => {
                let takes = match of.takes {
                    "" => "it takes none".to_owned(),
                    takes => format!("it takes one {}", takes.trim_matches(['[', ']'])),
                };
                let problem = arg.unexpected();
                return Err(wrong(format!("{problem}; {takes} ({see})")));
            }
            lexopt::Arg::Value(word) => {
                typed.words.push(word.clone());
                continue;
            }
            lexopt::Arg::Short(letter) => of.letter(*letter),
            lexopt::Arg::Long(name) => of.flag(&name.replace('_', "-")),
        };
        let Some(flag) = flag else {
            let hint = match &arg {
                lexopt::Arg::Long(name) => {
                    crate::sys::nearest(name, of.flags.iter().map(|flag| flag.long))
                        .map(|near| format!("did you mean --{near}?"))
                }
                lexopt::Arg::Short(_) | lexopt::Arg::Value(_) => None,
            };
            let problem = arg.unexpected();
            return Err(wrong(format!("{problem}; {}", hint.unwrap_or(see))));
        };
        let is_long = matches!(arg, lexopt::Arg::Long(_));
        let value = value(flag, is_long, &mut parser).map_err(wrong)?;
        typed.flags.insert(flag.long, value);
    }
    if typed.words.len() < least {
        let takes = of.takes.trim_end_matches("...").to_lowercase();
        return Err(wrong(format!("no {takes} given; {see}")));
    }
    Ok(typed)
}

/// The value of a flag, or `true` of one that takes none. Letters may stand together: `-fp` is `-f -p`.
pub(super) fn value(
    flag: &Flag,
    is_long: bool,
    parser: &mut lexopt::Parser,
) -> Result<String, String> {
    let name = flag.typed();
    let given = if flag.value.is_empty() {
        let given = is_long.then(|| parser.optional_value()).flatten();
        given.unwrap_or_else(|| "true".into())
    } else {
        parser
            .value()
            .map_err(|_| format!("{name} needs a value, {}", flag.value))?
    };
    let given = given
        .into_string()
        .map_err(|_| format!("{name}: the value is not UTF-8"))?;
    let choices = if flag.value.is_empty() {
        vec!["true", "false"]
    } else {
        flag.choices()
    };
    match choices.as_slice() {
        [] => Ok(given),
        choices if choices.contains(&given.as_str()) => Ok(given),
        [one, other] => Err(format!("{name} {given} is neither {one} nor {other}")),
        choices => Err(format!("{name} {given} is none of {}", choices.join(", "))),
    }
}

impl Typed {
    /// The value of a flag that takes one, if it was given.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        self.flags.get(long).map(String::as_str)
    }

    /// Whether a flag without a value was given.
    pub(super) fn is_set(&self, long: &str) -> bool {
        self.value(long) == Some("true")
    }

    /// The value of a flag, read by `read`.
    pub(super) fn read<T>(
        &self,
        long: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Stop> {
        let Some(value) = self.value(long) else {
            return Ok(None);
        };
        read(value).map(Some).map_err(|why| {
            let name = self.of.flag(long).map_or(String::new(), Flag::typed);
            self.wrong(format!("{name} {value}: {why}"))
        })
    }

    /// The words as text.
    pub(super) fn texts(&self) -> Result<Vec<String>, Stop> {
        let text = |word: &OsString| match word.to_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(self.wrong(format!("{word:?} is not UTF-8"))),
        };
        self.words.iter().map(text).collect()
    }

    /// Something is wrong with it.
    pub(super) fn wrong(&self, text: String) -> Stop {
        Stop::Wrong(format!("{}: {text}", self.of.name))
    }
}
