//! What a shell runs to complete a line, made from the table of commands. It asks `staticlet status -o name` for pods.

use super::Shell;
use super::words::{COMMANDS, Flag, HELP, Words, agent_flags};

/// The pods, as `namespace/name` and as `name`.
const PODS: &str = "staticlet status -o name 2>/dev/null | sed 'p;s|.*/||'";

/// The text for this shell.
pub fn completion(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

/// What may be typed somewhere.
enum Kind {
    /// Nothing that could be known.
    Any,
    Files,
    Dirs,
    Pods,
    OneOf(Vec<&'static str>),
}

/// What the value of a flag may be; `None`: it takes none.
fn value(flag: &Flag) -> Option<Kind> {
    match flag.value {
        "" => None,
        "FILE" | "PATH" => Some(Kind::Files),
        "DIR" => Some(Kind::Dirs),
        _ => Some(match flag.choices() {
            choices if choices.is_empty() => Kind::Any,
            choices => Kind::OneOf(choices),
        }),
    }
}

/// What may follow beside flags.
fn operand(of: &Words) -> Kind {
    match of.takes.trim_matches(['[', ']', '.']) {
        "POD" => Kind::Pods,
        "PATH" => Kind::Files,
        takes if takes.contains('|') => Kind::OneOf(takes.split('|').collect()),
        _ => Kind::Any,
    }
}

/// The agent's flags, and what asks for help and version.
fn top_flags() -> Vec<Flag> {
    let mut flags = agent_flags();
    flags.extend([HELP, Flag::new("version", "", "print the version")]);
    flags
}

fn bash() -> String {
    let names: Vec<&str> = COMMANDS.iter().map(|of| of.name).collect();
    let mut cases = String::new();
    for of in COMMANDS {
        cases.push_str(&bash_case(of.name, &of.all_flags(), &operand(of)));
    }
    cases.push_str(&bash_case("*", &top_flags(), &Kind::OneOf(names)));
    format!(
        r#"# Completion of staticlet for bash, made by `staticlet completion bash`.
_staticlet_words() {{ COMPREPLY=($(compgen -W "$*" -- "$cur")); }}
_staticlet_files() {{ compopt -o filenames; COMPREPLY=($(compgen "$1" -- "$cur")); }}
_staticlet() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} command=
    COMPREPLY=()
    # --flag=value is three words here.
    [ "$cur" != = ] || cur=
    [ "$prev" != = ] || prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    [ "$COMP_CWORD" -lt 2 ] || command=${{COMP_WORDS[1]}}
    case $command in
{cases}    esac
}}
complete -F _staticlet staticlet
"#
    )
}

fn bash_case(pattern: &str, flags: &[Flag], operand: &Kind) -> String {
    let mut text = format!("    {pattern})\n        case $prev in\n");
    for flag in flags {
        if let Some(kind) = value(flag) {
            let names = flag.names().join(" | ");
            text.push_str(&format!("        {names}) {} ;;\n", bash_kind(&kind)));
        }
    }
    let names: Vec<String> = flags.iter().flat_map(Flag::names).collect();
    text.push_str(&format!(
        "        *)\n            case $cur in\n            -*) _staticlet_words {} ;;\n            *) {} ;;\n            esac ;;\n        esac ;;\n",
        names.join(" "),
        bash_kind(operand)
    ));
    text
}

fn bash_kind(kind: &Kind) -> String {
    match kind {
        Kind::Any => ":".to_owned(),
        Kind::Files => "_staticlet_files -f".to_owned(),
        Kind::Dirs => "_staticlet_files -d".to_owned(),
        Kind::Pods => format!("_staticlet_words $({PODS})"),
        Kind::OneOf(words) => format!("_staticlet_words {}", words.join(" ")),
    }
}

fn zsh() -> String {
    let quoted = |text: &str| text.replace('\'', r"'\''");
    let mut commands = String::new();
    let mut cases = String::new();
    for of in COMMANDS {
        commands.push_str(&format!("        '{}:{}'\n", of.name, quoted(of.what)));
        let mut specs: String = of.all_flags().iter().map(zsh_flag).collect();
        let many = if of.counts().1 > 1 { "*" } else { "" };
        let label = of.takes.trim_matches(['[', ']', '.']).to_lowercase();
        let label = if label.contains('|') { "word" } else { &label };
        match zsh_kind(&operand(of)) {
            action if action.is_empty() => {}
            action => specs.push_str(&format!(" '{many}:{label}:{action}'")),
        }
        cases.push_str(&format!("    {}) _arguments{specs} ;;\n", of.name));
    }
    let top: String = top_flags().iter().map(zsh_flag).collect();
    format!(
        r#"#compdef staticlet
# Completion of staticlet for zsh, made by `staticlet completion zsh`.
_staticlet_pods() {{
    local -a pods
    pods=(${{(f)"$({PODS})"}})
    compadd -a pods
}}
_staticlet() {{
    local -a commands
    commands=(
{commands}    )
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        _describe command commands
        return
    fi
    local command=$words[2]
    (( ! ${{commands[(I)$command:*]}} )) || {{ shift words; (( CURRENT-- )) }}
    case $command in
{cases}    *) _arguments{top} ;;
    esac
}}
if [[ $funcstack[1] == _staticlet ]]; then _staticlet "$@"; else compdef _staticlet staticlet; fi
"#
    )
}

fn zsh_flag(flag: &Flag) -> String {
    let mut what = String::new();
    for letter in flag.what.chars() {
        match letter {
            '\'' => what.push_str(r"'\''"),
            '[' | ']' | ':' | '\\' => what.extend(['\\', letter]),
            letter => what.push(letter),
        }
    }
    let action = value(flag).map(|kind| format!(":{}:{}", flag.long, zsh_kind(&kind)));
    // `-o+` takes its value in the same word or the next, `--output=` after the sign or in the next.
    let (short, long) = if action.is_some() {
        ("+", "=")
    } else {
        ("", "")
    };
    let action = action.unwrap_or_default();
    match flag.short {
        Some(letter) => {
            let names = format!(
                "'(-{letter} --{0})'{{-{letter}{short},--{0}{long}}}",
                flag.long
            );
            format!(" {names}'[{what}]{action}'")
        }
        None => format!(" '--{}{long}[{what}]{action}'", flag.long),
    }
}

fn zsh_kind(kind: &Kind) -> String {
    match kind {
        Kind::Any => String::new(),
        Kind::Files => "_files".to_owned(),
        Kind::Dirs => "_files -/".to_owned(),
        Kind::Pods => "_staticlet_pods".to_owned(),
        Kind::OneOf(words) => format!("({})", words.join(" ")),
    }
}

fn fish() -> String {
    let mut text = format!(
        "# Completion of staticlet for fish, made by `staticlet completion fish`.\nfunction __staticlet_pods\n    {PODS}\nend\ncomplete -c staticlet -f\n"
    );
    let mut line = |when: &str, rest: &str, what: &str| {
        let what = what.replace('\\', r"\\").replace('\'', r"\'");
        text.push_str(&format!(
            "complete -c staticlet -n '{when}' {rest} -d '{what}'\n"
        ));
    };
    let flag = |flag: &Flag| {
        let letter = flag.short.map(|letter| format!("-s {letter} "));
        let kind = value(flag).map_or(String::new(), |kind| match kind {
            Kind::Files => " -r -F".to_owned(),
            Kind::Dirs => " -x -a '(__fish_complete_directories)'".to_owned(),
            Kind::Any | Kind::Pods => " -x".to_owned(),
            Kind::OneOf(words) => format!(" -x -a '{}'", words.join(" ")),
        });
        format!("{}-l {}{kind}", letter.unwrap_or_default(), flag.long)
    };
    for of in COMMANDS {
        line("__fish_use_subcommand", &format!("-a {}", of.name), of.what);
        let when = format!("__fish_seen_subcommand_from {}", of.name);
        for one in of.all_flags() {
            line(&when, &flag(&one), one.what);
        }
        let label = of.takes.trim_matches(['[', ']', '.']).to_lowercase();
        match operand(of) {
            Kind::Any | Kind::Dirs => {}
            Kind::Files => line(&when, "-F", &label),
            Kind::Pods => line(&when, "-a '(__staticlet_pods)'", &label),
            Kind::OneOf(words) => line(&when, &format!("-a '{}'", words.join(" ")), "shell"),
        }
    }
    for one in top_flags() {
        line("__fish_use_subcommand", &flag(&one), one.what);
    }
    text
}
