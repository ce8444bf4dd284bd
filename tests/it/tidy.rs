//! The rules that no compiler holds: file length, purity, no panics, heads, no stray notes.

use crate::support::source::{self, Source};

const LINES_MAX: usize = 500;

/// Rooms that think and do not touch.
const PURE_ROOMS: [&str; 6] = ["pod", "state", "translate", "status", "decide", "cli"];

/// What a pure room may name of a barred module: addresses are plain values.
const PURE: [&str; 3] = [
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
];

/// What a pure room may not name.
const IMPURE: [&str; 16] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net",
    "std::os",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "Timestamp::now",
    "Zoned::now",
    "crate::sys::now",
    "log",
    "nix",
    "ureq",
    "inotify",
];

fn is_pure(file: &Source) -> bool {
    PURE_ROOMS.contains(&file.room()) || file.path.ends_with("/wire.rs")
}

fn is_test(file: &Source) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let wrong: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(source::files)
        .filter(|f| f.text.lines().count() > LINES_MAX)
        .map(|f| format!("{}: {} lines", f.path, f.text.lines().count()))
        .collect();
    none(&wrong);
}

#[test]
fn pure_rooms_touch_nothing() {
    let mut wrong = Vec::new();
    for file in source::files("src")
        .iter()
        .filter(|f| is_pure(f) && !is_test(f))
    {
        for (line, path) in source::paths(&file.code) {
            let is_in = |item: &str| path == item || path.starts_with(&format!("{item}::"));
            let is_pure = PURE.iter().any(|good| is_in(good));
            let hit = IMPURE.iter().find(|bad| is_in(bad) && !is_pure);
            if let Some(bad) = hit {
                wrong.push(format!(
                    "{}:{line}: a pure room names `{bad}`: `{path}`",
                    file.path
                ));
            }
        }
    }
    none(&wrong);
}

#[test]
fn nothing_in_src_can_panic_on_purpose() {
    const BARRED: [&str; 7] = [
        ".unwrap()",
        ".expect(",
        "panic!",
        "unreachable!",
        "todo!",
        "unimplemented!",
        "unsafe ",
    ];
    let mut wrong = Vec::new();
    for file in source::files("src").iter().filter(|f| !is_test(f)) {
        for (n, line) in file.code.lines().enumerate() {
            if let Some(bad) = BARRED.iter().find(|bad| line.contains(**bad)) {
                wrong.push(format!("{}:{}: `{bad}`", file.path, n + 1));
            }
        }
    }
    none(&wrong);
}

#[test]
fn a_note_names_its_issue() {
    // Put together, so that this file does not find itself.
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|p| p.concat());
    let mut wrong = Vec::new();
    for file in ["src", "tests"].into_iter().flat_map(source::files) {
        for (n, line) in file.text.lines().enumerate() {
            let marked = line
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| marks.iter().any(|m| m == word));
            if marked && !line.contains('#') {
                wrong.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_file_says_what_it_is() {
    let mut wrong = Vec::new();
    for file in source::files("src") {
        let head: Vec<&str> = file
            .text
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .collect();
        if head.is_empty() {
            wrong.push(format!("{}: does not begin with //!", file.path));
        }
        let is_room = file.path.ends_with("/mod.rs");
        let text = head.join(" ");
        if is_room
            && file.text.lines().count() > 20
            && !text.contains("Pure")
            && !text.contains("IO")
        {
            wrong.push(format!(
                "{}: the room's head says neither Pure nor IO",
                file.path
            ));
        }
    }
    none(&wrong);
}
