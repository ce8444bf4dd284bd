//! What `--help` prints.

use super::words::{COMMANDS, Flag, HELP, Words, agent_flags, command};

const HEAD: &str = "\
staticlet runs Kubernetes static pods on Docker Engine, without a kubelet.

  staticlet --pod-manifest-path=/etc/kubelet.d     run the pods of that directory, for ever
  staticlet --config=FILE                          the same, told by a KubeletConfiguration

Try it:
  mkdir -p /etc/kubelet.d
  staticlet --pod-manifest-path=/etc/kubelet.d &
  cp pod.yaml /etc/kubelet.d/      a v1 Pod, as `kubectl apply` takes it: it starts
  staticlet status                 what runs, and why something does not
  rm /etc/kubelet.d/pod.yaml       it stops

Only names that end in .yaml, .yml or .json are manifests. Stopping the agent leaves the pods alone.
";

pub(super) const OTHERS: &str =
    "Other flags of a kubelet are accepted with a warning where they mean nothing here.";

/// How the program ends.
pub(super) const EXIT_CODES: &[(u8, &str)] = &[
    (0, "fine"),
    (
        1,
        "the answer is no: something is not well, not so in time, or not there",
    ),
    (100, "wrong use or settings"),
    (111, "the system failed, try again"),
];

/// Columns of a line at most, so that it stands on any terminal.
const WIDTH: usize = 100;

/// How to use the program, or the command of this name.
pub fn help(name: Option<&str>) -> String {
    name.and_then(command).map_or_else(whole, of_command)
}

fn of_command(of: &Words) -> String {
    let mut text = format!("{}\n\n{}\n", usage(of), folded(&capital(of.what)));
    if !of.more.is_empty() {
        text.push_str(&folded(of.more));
    }
    text.push_str("\nFor example:\n  ");
    text.push_str(&of.example.replace('\n', "\n  "));
    text.push_str("\n\nFlags:\n");
    let mut flags: Vec<(String, &str)> = of.flags.iter().map(|f| (name(f), f.what)).collect();
    flags.push((name(&HELP), HELP.what));
    let width = flags.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, what) in flags {
        text.push_str(&format!("  {name:<width$}  {what}\n"));
    }
    text
}

/// A flag with its letter and what its value is.
fn name(flag: &Flag) -> String {
    let letter = flag.short.map(|letter| format!("-{letter}, "));
    let letter = letter.unwrap_or_else(|| "    ".to_owned());
    format!("{letter}--{} {}", flag.long, flag.value)
        .trim_end()
        .to_owned()
}

/// How a command is typed.
pub(super) fn usage(of: &Words) -> String {
    let flags = if of.flags.is_empty() { "" } else { " [FLAGS]" };
    format!("staticlet {}{flags} {}", of.name, of.takes)
        .trim_end()
        .to_owned()
}

/// The text in lines of at most [`WIDTH`] columns.
fn folded(text: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

/// A sentence of words.
pub(super) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

fn whole() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\nCommands; each has a --help of its own:\n");
    for of in COMMANDS {
        let name = format!("{} {}", of.name, of.takes);
        text.push_str(&format!("  {name:<20} {}\n", of.what));
    }
    text.push_str("\nFlags of the agent:\n");
    let mut line = |flag: String, what: &str| text.push_str(&format!("  {flag:<38} {what}\n"));
    for flag in agent_flags() {
        let letter = flag
            .short
            .map(|letter| format!("-{letter} {}, ", flag.value));
        let value = if flag.value.is_empty() { "" } else { "=" };
        let letter = letter.unwrap_or_default();
        line(
            format!("{letter}--{}{value}{}", flag.long, flag.value),
            flag.what,
        );
    }
    line("--version".to_owned(), "print the version");
    text.push_str(&format!("\n{OTHERS}\n\nExit codes: "));
    let codes = EXIT_CODES.iter();
    let codes: Vec<String> = codes.map(|(code, what)| format!("{code} {what}")).collect();
    text.push_str(&codes.join("; "));
    text.push_str(".\n");
    text
}
