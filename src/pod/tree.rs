//! Bytes to a JSON tree: the only file here that names a YAML reader.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{MANIFEST_BYTES_MAX, Problem};

/// More values than this in one manifest are refused: a bomb of aliases would fill the memory. The largest manifests
/// that people write have some thousands.
const NODES_MAX: u32 = 200_000;
/// Empty documents that are skipped; a file of nothing but `---` would otherwise be read for long.
const DOCUMENTS_MAX: usize = 16;

/// The one document of a manifest. JSON when it begins with `{`, else YAML.
pub(super) fn read(bytes: &[u8]) -> Result<Value, Problem> {
    let text = text(bytes)?;
    let (mut documents, mut second) = (Vec::new(), false);
    parse(text, DOCUMENTS_MAX, &mut |tree| {
        second |= !documents.is_empty();
        documents.push(tree);
        !second
    })?;
    if second {
        let problem = Problem::new("", "a second document begins here");
        let problem = problem.hint("one file holds one pod: split the file");
        return Err(at_line(problem, second_document(text)));
    }
    Ok(documents.pop().unwrap_or(Value::Null))
}

/// Every document that is not empty, of at most so many.
pub(super) fn read_all(bytes: &[u8], max: usize) -> Result<Vec<Value>, Problem> {
    let mut documents = Vec::new();
    parse(text(bytes)?, max, &mut |tree| {
        documents.push(tree);
        true
    })?;
    Ok(documents)
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

/// Gives each document that is not empty to `take`, until that has enough.
fn parse(text: &str, max: usize, take: &mut dyn FnMut(Value) -> bool) -> Result<(), Problem> {
    let read = if text.trim_start().starts_with('{') {
        json(text).map(|tree| {
            take(tree);
        })
    } else {
        yaml(text, max, take)
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

fn json(text: &str) -> Result<Value, Problem> {
    let nodes = Cell::new(0);
    let mut reader = serde_json::Deserializer::from_str(text);
    let tree = Tree { nodes: &nodes }.deserialize(&mut reader);
    let tree = tree.and_then(|tree| reader.end().map(|()| tree));
    tree.map_err(|e| {
        let line = e.line();
        at_line(Problem::new("", format!("not valid JSON: {e}")), line)
    })
}

fn yaml(text: &str, max: usize, take: &mut dyn FnMut(Value) -> bool) -> Result<(), Problem> {
    let nodes = Cell::new(0);
    for (count, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        if count >= max {
            return Err(
                Problem::new("", "too many documents in one file").hint("one file holds one pod")
            );
        }
        let tree = Tree { nodes: &nodes }.deserialize(document).map_err(|e| {
            let line = e.location().map_or(0, |place| place.line());
            at_line(Problem::new("", format!("not valid YAML: {e}")), line)
        })?;
        if !tree.is_null() && !take(tree) {
            break;
        }
    }
    Ok(())
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

/// Builds the tree and counts its nodes. Repeated keys are refused: the kubelet takes the last one in silence.
#[derive(Clone, Copy)]
struct Tree<'a> {
    nodes: &'a Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > NODES_MAX {
            return Err(D::Error::custom(format!("more than {NODES_MAX} values")));
        }
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        self.deserialize(reader)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.is_finite() {
            Ok(Value::from(value))
        } else {
            Err(E::custom("a number that is not finite"))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let key = match key {
                Value::String(key) => key,
                Value::Bool(_) | Value::Number(_) => key.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(A::Error::custom("a key that is not a plain value"));
                }
            };
            let value = entries.next_value_seed(self)?;
            if map.contains_key(&key) {
                let key: String = key.chars().take(100).collect();
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
            map.insert(key, value);
        }
        merge(map).map(Value::Object).map_err(A::Error::custom)
    }
}

/// Resolves `<<`: the mapping's own keys win, then those of the earlier merged mapping.
fn merge(mut map: Map<String, Value>) -> Result<Map<String, Value>, &'static str> {
    let merged = match map.remove("<<") {
        None => return Ok(map),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    for part in merged {
        let Value::Object(part) = part else {
            return Err("\"<<\" merges something that is not a mapping");
        };
        for (key, value) in part {
            map.entry(key).or_insert(value);
        }
    }
    Ok(map)
}
