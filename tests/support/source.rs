//! Reads our own source text, for the tests that hold the project's rules.

use std::fs;
use std::path::{Path, PathBuf};

/// One source file, as the rules see it.
pub struct Source {
    /// Path relative to the crate, `src/decide/mod.rs`.
    pub path: String,
    /// Its text as it is.
    pub text: String,
    /// The same with comments, literals and `#[cfg(test)]` items blanked; lines stay where they are.
    pub code: String,
}

impl Source {
    /// The room a file belongs to: `decide` for `src/decide/mod.rs`, `agent` for `src/agent.rs`.
    pub fn room(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split(['/', '.']).next().unwrap_or("")
    }
}

/// Every Rust file under `folder` (relative to the crate), sorted by path.
pub fn files(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    walk(&root.join(folder), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root).unwrap().display().to_string();
            let code = without_tests(&blank(&text));
            Source { path, text, code }
        })
        .collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Blanks comments, strings and character literals.
pub fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        for b in &mut out[at..end.max(at)] {
            if *b != b'\n' {
                *b = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `at` itself when none begins there.
fn literal_end(b: &[u8], at: usize) -> usize {
    let rest = &b[at..];
    let find = |from: usize, what: &[u8]| {
        b.get(from..)
            .and_then(|r| r.windows(what.len()).position(|w| w == what))
            .map_or(b.len(), |n| from + n + what.len())
    };
    if rest.starts_with(b"//") {
        return find(at, b"\n") - 1;
    }
    if rest.starts_with(b"/*") {
        return find(at + 2, b"*/");
    }
    let word_before = at > 0 && (b[at - 1].is_ascii_alphanumeric() || b[at - 1] == b'_');
    if rest[0] == b'r' && !word_before {
        let hashes = rest[1..].iter().take_while(|c| **c == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            return find(at + 2 + hashes, &close);
        }
    }
    if rest[0] == b'"' {
        let mut end = at + 1;
        while end < b.len() && b[end] != b'"' {
            end += if b[end] == b'\\' { 2 } else { 1 };
        }
        return (end + 1).min(b.len());
    }
    if rest[0] == b'\'' && rest.len() > 2 {
        if rest[1] == b'\\' {
            return find(at + 3, b"'");
        }
        let width = std::str::from_utf8(&rest[1..rest.len().min(5)])
            .or_else(|e| std::str::from_utf8(&rest[1..1 + e.valid_up_to()]))
            .ok()
            .and_then(|s| s.chars().next())
            .map_or(1, char::len_utf8);
        if rest.get(1 + width) == Some(&b'\'') {
            return at + width + 2;
        }
    }
    at
}

/// Blanks what follows `#[cfg(test)]`, up to the end of that item.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(at) = out[from..].find("#[cfg(test)]").map(|n| from + n) {
        let end = item_end(&out, at + "#[cfg(test)]".len());
        let blanked: String = out[at..end]
            .chars()
            .map(|c| if c == '\n' { '\n' } else { ' ' })
            .collect();
        out.replace_range(at..end, &blanked);
        from = at;
    }
    out
}

fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0;
    for (n, c) in code[from..].char_indices() {
        match c {
            ';' if depth == 0 => return from + n + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return from + n + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Every path in blanked code with the line it stands on; `use a::{b, c::d}` gives `a::b` and `a::c::d`.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut prefixes: Vec<String> = Vec::new();
    let mut path = String::new();
    let mut line = 1;
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\n' {
            line += 1;
        }
        if c.is_alphanumeric() || c == '_' {
            path.push(c);
        } else if c == ':' && chars.peek() == Some(&':') {
            chars.next();
            path.push_str("::");
        } else if c == '{' && path.ends_with("::") {
            prefixes.push(join(&prefixes, &std::mem::take(&mut path)));
        } else {
            if !path.is_empty() {
                found.push((line, join(&prefixes, &std::mem::take(&mut path))));
            }
            if c == '}' {
                prefixes.pop();
            }
        }
    }
    found.retain(|(_, p)| p.contains("::"));
    found
}

/// A brace of ordinary code can only follow a path that does not end in `::`, so prefixes are `use` groups alone.
fn join(prefixes: &[String], path: &str) -> String {
    format!("{}{path}", prefixes.last().map_or("", String::as_str))
}
