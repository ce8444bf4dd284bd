//! Help, completion and manual page say what may be typed.

use std::fs;
use std::process::{Command, Stdio};

use staticlet::cli::{self, Shell, completion, help, man, parse};

use crate::support::scratch::Scratch;

/// The commands, as the whole help lists them.
fn commands() -> Vec<String> {
    let text = help(None);
    let lines = text
        .lines()
        .skip_while(|line| !line.starts_with("Commands;"));
    let lines = lines.skip(1).take_while(|line| !line.is_empty());
    let words = lines.filter_map(|line| line.split_whitespace().next());
    words.map(str::to_owned).collect()
}

/// What a program made of an input; it has to like it.
fn made(program: &str, args: &[&str], input: &str) -> String {
    let dir = Scratch::new();
    let file = dir.put("input", input);
    let out = Command::new(program)
        .args(args)
        .stdin(fs::File::open(file).unwrap())
        .stderr(Stdio::piped())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    let said = String::from_utf8_lossy(&out.stderr);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        out.status.success() && said.is_empty(),
        "{program}: {said}{text}"
    );
    text
}

#[test]
fn each_command_teaches_by_an_example_that_can_be_typed() {
    let names = commands();
    assert!(
        names.len() > 10 && names.contains(&"logs".to_owned()),
        "{names:?}"
    );
    for name in &names {
        let line = [name, "--help"].map(Into::into);
        let Ok(cli::Command::Help(Some(of))) = parse(line) else {
            panic!("{name} --help is no help");
        };
        let text = help(Some(of));
        assert!(text.starts_with(&format!("staticlet {name}")), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 110),
            "{text}"
        );
        let examples = text.split("For example:\n").nth(1).unwrap();
        let examples = examples.split("\n\n").next().unwrap();
        let calls = examples
            .split(['\n', '|', '&', '(', ')'])
            .filter_map(|part| part.trim().strip_prefix("staticlet ").map(str::to_owned));
        let calls: Vec<String> = calls.collect();
        assert!(
            calls.iter().any(|call| call.starts_with(name)),
            "{name}: {examples}"
        );
        for call in calls {
            let words = call.split_whitespace().map(Into::into);
            let read = parse(words);
            assert!(
                !matches!(read, Err(_) | Ok(cli::Command::Help(_))),
                "{call}: {read:?}"
            );
        }
    }
}

#[test]
fn bash_completes_commands_flags_values_and_pods() {
    // What bash does when TAB is pressed, and an agent that has one pod.
    let mut script = completion(Shell::Bash);
    script.push_str(
        "compopt() { :; }\nstaticlet() { [ \"$*\" = 'status -o name' ] && echo default/web-n; }\n\
         try() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _staticlet; echo \"${COMPREPLY[*]}\"; }\n",
    );
    let rows = [
        ("staticlet lo", "logs"),
        ("staticlet --cluster-do", "--cluster-domain"),
        ("staticlet logs --ta", "--tail"),
        ("staticlet logs ''", "default/web-n web-n"),
        ("staticlet logs --tail ''", ""),
        ("staticlet wait other w", "web-n"),
        ("staticlet status -o js", "json"),
        ("staticlet status --output = js", "json"),
        ("staticlet status --output = ''", "table wide json name"),
        ("staticlet completion ''", "bash zsh fish"),
        ("staticlet config --cluster-do", "--cluster-domain"),
        ("staticlet check /etc/hostn", "/etc/hostname"),
        ("staticlet logs --run-dir /us", "/usr"),
    ];
    for (typed, _) in rows {
        script.push_str(&format!("try {typed}\n"));
    }
    let text = made("bash", &["--norc"], &script);
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(found.len(), rows.len(), "{text}");
    for ((typed, wanted), found) in rows.into_iter().zip(found) {
        assert_eq!(found, wanted, "{typed}");
    }
    let all = commands().join(" ");
    let script = script.split("try staticlet").next().unwrap().to_owned() + "try staticlet ''\n";
    assert_eq!(made("bash", &["--norc"], &script).trim(), all);
}

#[test]
fn fish_and_zsh_take_what_they_are_given() {
    let mut script = completion(Shell::Fish);
    script.push_str("function staticlet; echo default/web-n; end\n");
    for typed in [
        "lo",
        "status -o js",
        "logs w",
        "config --cluster-do",
        "completion z",
    ] {
        script.push_str(&format!(
            "complete -C 'staticlet {typed}' | string split -f 1 \\t\n"
        ));
    }
    let text = made("fish", &["--no-config"], &script);
    assert_eq!(text, "logs\njson\nweb-n\n--cluster-domain\nzsh\n");
    // Its completion needs a terminal; whether the words are right for _arguments is seen without one.
    let stub = "autoload -U is-at-least; compdef() { :; }; compadd() { :; }; _describe() { :; }\n_arguments() { local w; for w; do print -r -- \"$w\"; done }\n";
    let mut script = stub.to_owned() + &completion(Shell::Zsh);
    script.push_str("CURRENT=3; words=(staticlet logs ''); _staticlet\n");
    let text = made("zsh", &["-f"], &script);
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines.contains(&"(-f --follow)-f[go on as the log grows]"),
        "{text}"
    );
    assert!(
        lines.contains(&"(-f --follow)--follow[go on as the log grows]"),
        "{text}"
    );
    assert!(
        lines.contains(&"--tail=[the last N lines; default\\: all]:tail:"),
        "{text}"
    );
    assert_eq!(lines.last(), Some(&":pod:_staticlet_pods"));
}

#[test]
fn the_manual_page_is_whole_and_well_formed() {
    let page = man("1.2.3");
    // Long lines are a matter of style, and a date would change with each build.
    let dated = page.replacen("\"\"", "\"2026-01-01\"", 1);
    made("mandoc", &["-Tlint", "-Wwarning"], &dated);
    let text = made("mandoc", &["-Tutf8", "-Owidth=100"], &page);
    // Fat letters are struck twice.
    let fat: Vec<char> = text.chars().collect();
    let thin = (0..fat.len()).filter(|at| fat[*at] != '\u{8}' && fat.get(at + 1) != Some(&'\u{8}'));
    let text: String = thin.map(|at| fat[at]).collect();
    for name in commands() {
        let usage = help(Some(
            match parse([name.as_str(), "--help"].map(Into::into)) {
                Ok(cli::Command::Help(Some(of))) => of,
                other => panic!("{other:?}"),
            },
        ));
        let usage = usage.lines().next().unwrap();
        assert!(text.contains(usage), "{usage} is not in\n{text}");
    }
    for wanted in [
        "--pod-manifest-path PATH",
        "-c, --container NAME",
        "EXIT STATUS",
        "staticlet stop --all --timeout 1m && poweroff",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in\n{text}");
    }
}
