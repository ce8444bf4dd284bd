//! Standard output as a terminal: whether it is one, and colours for it.

use std::io::IsTerminal;

use crate::status::Tone;

/// What standard output can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    /// The cursor may be moved about.
    pub(super) is_terminal: bool,
    /// Colours may be used.
    colours: bool,
}

impl Screen {
    /// A terminal has colours unless `NO_COLOR` is set to anything (no-color.org); one that is dumb is none.
    #[allow(clippy::disallowed_methods)] // what a terminal can do stands in the environment
    pub(super) fn of_stdout() -> Screen {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_terminal = std::io::stdout().is_terminal() && !is_dumb;
        Screen {
            is_terminal,
            colours: is_terminal && !is_plain,
        }
    }

    /// A word in the colour of its meaning; the blanks behind it have none.
    pub(super) fn paint(self, tone: Tone, word: &str) -> String {
        let code = match tone {
            _ if !self.colours => return word.to_owned(),
            Tone::Well => 32,
            Tone::Busy => 33,
            Tone::Ill => 31,
        };
        let bare = word.trim_end();
        let blanks = word.get(bare.len()..).unwrap_or_default();
        format!("\u{1b}[{code}m{bare}\u{1b}[0m{blanks}")
    }

    /// The text from the top of the screen on, over what is there. Line by line, so that nothing flickers.
    pub(super) fn redrawn(text: &str) -> String {
        let text = text.replace('\n', "\u{1b}[K\n");
        format!("\u{1b}[H{text}\u{1b}[J")
    }
}
