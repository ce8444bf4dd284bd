//! `staticlet status`: watched, and on a terminal.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;

use super::{Site, told, wanted};

fn publish(site: &Site, ready: bool) {
    let pods: serde_json::Map<_, _> = [wanted("web-n")].into_iter().collect();
    site.publish(json!({"items": [told("web-n", "Running", ready)], "pods": pods}));
}

#[test]
fn a_watched_state_is_printed_when_it_changes_until_nobody_reads() {
    let site = Site::new("watch");
    let agent = site.agent();
    publish(&site, false);
    let mut child = site
        .typing("status --watch")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = || {
        let mut text = String::new();
        out.read_line(&mut text).unwrap();
        text.split_whitespace()
            .take(4)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(line(), "NAMESPACE NAME READY STATUS");
    assert_eq!(line(), "default web-n 0/1 Running");
    publish(&site, true);
    let next = [(); 3].map(|()| line());
    assert_eq!(
        next,
        [
            "",
            "NAMESPACE NAME READY STATUS",
            "default web-n 1/1 Running"
        ]
    );
    drop(agent);
    let next = [(); 5].map(|()| line());
    assert_eq!(next[1], "staticlet: the agent is");
    assert_eq!(next[4], "default web-n 1/1 Running");
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let site = Site::new("colours");
    let _agent = site.agent();
    publish(&site, true);
    // As on a terminal, with these variables.
    let on_terminal = |variables: &[(&str, &str)]| {
        let typed = format!(
            "{} status --run-dir={}/run",
            env!("CARGO_BIN_EXE_staticlet"),
            site.0.display()
        );
        let out = Command::new("script")
            .args(["-qec", &typed, "/dev/null"])
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    };
    let green = "   \u{1b}[32mRunning\u{1b}[0m   0 ";
    let seen = on_terminal(&[]);
    assert!(seen.contains(green), "{seen:?}");
    assert!(on_terminal(&[("NO_COLOR", "")]).contains(green));
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let seen = on_terminal(&[variable]);
        assert!(
            seen.contains("   Running   0 ") && !seen.contains('\u{1b}'),
            "{seen:?}"
        );
    }
    let (text, code) = site.typed("status");
    assert!(text.contains("   Running   0 ") && code == 0, "{text:?}");
}
