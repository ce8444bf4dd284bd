//! Bytes to a JSON tree, and where everything stands in them: the only file here that names a YAML reader.
//!
//! The YAML reader tells neither positions nor whether a scalar was in quotes. But it lends texts out of the input, and
//! so their place in it is known, and what stands around them. It lends numbers only to those who ask for a text, and
//! who asks for a text must know that there is one: therefore a document is read twice, first for its shape alone.

use serde::de::DeserializeSeed;
use serde_json::Value;

use super::build::Build;
use super::marks::{Mark, line_of};
use super::shape::{NODES_MAX, Shape};
use super::{MANIFEST_BYTES_MAX, Problem};

/// Empty documents that are skipped; a file of nothing but `---` would otherwise be read for long.
const DOCUMENTS_MAX: usize = 16;

/// One document.
#[derive(Debug, Default)]
pub struct Document<'a> {
    pub(super) value: Value,
    mark: Mark,
    text: &'a str,
}

impl Document<'_> {
    /// Takes the tree out.
    pub fn take(&mut self) -> Value {
        std::mem::take(&mut self.value)
    }

    /// The line of a field, or of the nearest above it that is there.
    pub fn line(&self, path: &str) -> Option<u32> {
        let at = self.mark.find(path)?;
        Some(line_of(self.text, at))
    }
}

/// The one document of a file. JSON when it begins with `{`, else YAML.
///
/// # Errors
/// It is too large, cannot be read, or is several.
pub fn read(bytes: &[u8]) -> Result<Document<'_>, Problem> {
    let text = text(bytes)?;
    let mut documents = parse(text, DOCUMENTS_MAX, 2)?;
    if documents.len() > 1 {
        let problem = Problem::new("", "a second document begins here");
        let problem = problem.hint("one file holds one pod: split the file");
        return Err(at_line(problem, second_document(text)));
    }
    Ok(documents.pop().unwrap_or_default())
}

/// Every document that is not empty, of at most so many.
pub(super) fn read_all(bytes: &[u8], max: usize) -> Result<Vec<Document<'_>>, Problem> {
    parse(text(bytes)?, max, max)
}

fn text(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() > MANIFEST_BYTES_MAX {
        let text = format!(
            "the file has {} bytes; a manifest has at most {MANIFEST_BYTES_MAX}",
            bytes.len()
        );
        return Err(Problem::new("", text));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|b| **b == b'\n').count();
        at_line(
            Problem::new("", "the file is not text in UTF-8")
                .hint("is it a compressed or binary file?"),
            line,
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The documents that are not empty: of at most `max`, until there are `enough`.
fn parse(text: &str, max: usize, enough: usize) -> Result<Vec<Document<'_>>, Problem> {
    let read = if text.trim_start().starts_with('{') {
        json(text).map(|document| vec![document])
    } else {
        yaml(text, max, enough)
    };
    read.map_err(|problem| {
        if text.contains("{{") && problem.hint.is_empty() {
            problem.hint("\"{{\" looks like a template that was not filled in")
        } else {
            problem
        }
    })
}

fn at_line(problem: Problem, line: usize) -> Problem {
    Problem {
        line: u32::try_from(line).ok().filter(|line| *line > 0),
        ..problem
    }
}

fn json(text: &str) -> Result<Document<'_>, Problem> {
    let build = Build::new(text, None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let tree = build.deserialize(&mut reader);
    let tree = tree.and_then(|tree| reader.end().map(|()| tree));
    let (value, mark) = tree.map_err(|e| {
        let line = build.line().unwrap_or(e.line());
        at_line(Problem::new("", format!("not valid JSON: {e}")), line)
    })?;
    Ok(Document { value, mark, text })
}

/// Characters of what the YAML reader says that are passed on.
const SAID_MAX: usize = 300;

/// Lists and mappings in brackets that are open at once. The reader takes far fewer in the end, but only after it has
/// looked at all of them for each word: a file of nothing but brackets would hold the agent up for minutes. Brackets in
/// texts count as well, where they are closed again.
const OPEN_MAX: usize = 256;

/// The line where too many brackets are open.
fn too_deep(text: &str) -> Option<usize> {
    let (mut open, mut line) = (0_usize, 1);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            b'\n' => line += 1,
            _ => {}
        }
        if open > OPEN_MAX {
            return Some(line);
        }
    }
    None
}

fn yaml(text: &str, max: usize, enough: usize) -> Result<Vec<Document<'_>>, Problem> {
    let invalid = |e: serde_yaml::Error, line: Option<usize>| {
        let line = line.or(e.location().map(|place| place.line()));
        // The reader puts the whole path of a deep value before its words.
        let said = e.to_string();
        let left_out = said.chars().count().saturating_sub(SAID_MAX);
        let said: String = said.chars().skip(left_out).collect();
        let problem = Problem::new("", format!("not valid YAML: {said}"));
        at_line(problem, line.unwrap_or_default())
    };
    let documents = || serde_yaml::Deserializer::from_str(text);
    if let Some(line) = too_deep(text) {
        let problem = format!("not valid YAML: more than {OPEN_MAX} brackets are open");
        return Err(at_line(Problem::new("", problem), line));
    }
    let (mut found, mut nodes) = (Vec::new(), 0);
    let mut again = documents();
    for (count, document) in documents().enumerate() {
        if count >= max {
            return Err(
                Problem::new("", "too many documents in one file").hint("one file holds one pod")
            );
        }
        let shape = Shape::default();
        shape.deserialize(document).map_err(|e| invalid(e, None))?;
        // Only now, so that there is one document at a time in memory.
        let Some(second) = again.next().filter(|_| !shape.is_null()) else {
            continue;
        };
        nodes += shape.len();
        if nodes > NODES_MAX {
            let text = format!("more than {NODES_MAX} values in all documents");
            return Err(Problem::new("", text));
        }
        let build = Build::new(text, Some(&shape));
        let tree = build.deserialize(second);
        let (value, mark) = tree.map_err(|e| invalid(e, build.line()))?;
        found.push(Document { value, mark, text });
        if found.len() >= enough {
            break;
        }
    }
    Ok(found)
}

/// The line of the last `---` before the second document with content; 0 when unsure.
fn second_document(text: &str) -> usize {
    let (mut documents, mut open, mut marker) = (0, false, 0);
    for (at, line) in text.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") || line.starts_with("---\t") {
            (open, marker) = (false, at + 1);
        }
        let bare = line.strip_prefix("---").unwrap_or(line).trim();
        let content = !bare.is_empty() && !bare.starts_with(['#', '%']) && bare != "...";
        if content && !open {
            open = true;
            documents += 1;
            if documents == 2 {
                return marker;
            }
        }
    }
    0
}
