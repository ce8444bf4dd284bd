//! Every field of a v1 Pod, its type, and whether it is honoured, carried or refused.
//!
//! `fields.txt` holds the tree, one field a line, indented by depth: `[]` marks a list, `{}` a map, and the letter of a
//! leaf its type: string, integer, boolean, quantity, `x` for integer or string, `a` for anything. `states.rs` says for
//! which part of the tree what is true; the longest matching entry counts. Then comes what a field means when it is left
//! out, for the identity: nothing is written where that is its zero (false, 0, an empty text, list or mapping), `=value`
//! where it is that value, `!` where leaving it out is unlike every value.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::states::{State, state_of};
use super::{Problem, quantity, scalar};
use crate::sys::nearest;

/// What it means to leave a field out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Absent {
    /// The same as its zero.
    #[default]
    Zero,
    /// The same as this value.
    Same(&'static str),
    /// Unlike every value.
    Unlike,
}

/// One field of a pod.
#[derive(Default)]
pub(super) struct Field {
    pub(super) list: bool,
    pub(super) map: bool,
    pub(super) kind: Option<char>,
    pub(super) absent: Absent,
    pub(super) parts: BTreeMap<&'static str, Field>,
}

/// The fields of a pod.
pub(super) static POD: LazyLock<Field> = LazyLock::new(|| {
    let mut lines = include_str!("fields.txt").lines().peekable();
    let mut pod = Field::default();
    fill(&mut pod, 0, &mut lines);
    pod
});

fn fill(into: &mut Field, depth: usize, lines: &mut std::iter::Peekable<std::str::Lines<'static>>) {
    while let Some(line) = lines.next_if(|l| l.len() - l.trim_start().len() == depth) {
        let mut words = line.trim_start().split(' ');
        let name = words.next().unwrap_or_default();
        let (mut kind, mut absent) = (None, Absent::Zero);
        for word in words {
            match word.strip_prefix('=') {
                Some(value) => absent = Absent::Same(value),
                None if word == "!" => absent = Absent::Unlike,
                None => kind = word.chars().next(),
            }
        }
        let mut field = Field {
            list: name.ends_with("[]"),
            map: name.ends_with("{}"),
            kind,
            absent,
            parts: BTreeMap::new(),
        };
        fill(&mut field, depth + 1, lines);
        into.parts
            .insert(name.trim_end_matches(['[', ']', '{', '}']), field);
    }
}

/// What was found while the tree was walked.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<Problem>,
    pub(super) unknown: Vec<Problem>,
    /// How many more there are.
    pub(super) more: usize,
}

/// More problems of one manifest than this are counted and not told: nobody reads them, and a file that is not a manifest
/// at all may have as many as it has lines.
pub(super) const PROBLEMS_MAX: usize = 100;

impl Findings {
    fn problem(&mut self, problem: impl FnOnce() -> Problem) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem());
        } else {
            self.more += 1;
        }
    }

    fn unknown(&mut self, problem: impl FnOnce() -> Problem) {
        if self.unknown.len() < PROBLEMS_MAX {
            self.unknown.push(problem());
        } else {
            self.more += 1;
        }
    }
}

/// Gives every value the type its field wants; drops nulls, unknown fields and harmless values of refused fields.
pub(super) fn fit(pod: Value, found: &mut Findings) -> Value {
    object(pod, &POD, ("", ""), found).unwrap_or(Value::Null)
}

fn shown(value: &Value) -> String {
    let text: String = value.to_string().chars().take(60).collect();
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) => format!("the boolean {text}"),
        Value::Number(_) => format!("the number {text}"),
        Value::String(_) => format!("the text {text}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn wrong(value: &Value, wanted: &str, path: &str, found: &mut Findings) -> Option<Value> {
    let problem = Problem::new(path, format!("must be {wanted}, not {}", shown(value)));
    let is_scalar = value.is_boolean() || value.is_number();
    let plain = value.as_str().map(scalar::plain);
    // What was written is not known here: 0644 is 420 by now, so no value is proposed.
    let hint = match plain {
        None if is_scalar && wanted == "a string" => "put it in quotes",
        Some(Ok(plain)) if !plain.is_string() => "leave the quotes away",
        Some(_) | None => "",
    };
    found.problem(|| problem.hint(hint));
    None
}

/// A path as a person reads it, and as the tables have it.
type Path<'a> = (&'a str, &'a str);

fn object(value: Value, field: &Field, path: Path, found: &mut Findings) -> Option<Value> {
    let Value::Object(map) = value else {
        return wrong(&value, "a mapping", path.0, found);
    };
    let mut out = Map::new();
    for (name, value) in map {
        let dot = if path.0.is_empty() { "" } else { "." };
        let place = format!("{}{dot}{name}", path.0);
        let Some(part) = field.parts.get(name.as_str()) else {
            found.unknown(|| unknown(&name, &place, field));
            continue;
        };
        let suffix = match (part.list, part.map) {
            (true, _) => "[]",
            (_, true) => "{}",
            _ => "",
        };
        let table = format!("{}{dot}{name}{suffix}", path.1);
        if value.is_null() {
            continue;
        }
        if let Some((entry, note)) = refused(&table, &value) {
            if !entry {
                found.problem(|| Problem::new(place, "not supported here").hint(note));
            }
            continue;
        }
        if let Some(value) = value_of(value, part, (&place, &table), found) {
            out.insert(name, value);
        }
    }
    Some(Value::Object(out))
}

/// Whether a field is refused; then also whether this value of it means nothing, and what to use instead.
fn refused(table: &str, value: &Value) -> Option<(bool, &'static str)> {
    let entry = state_of(table)?;
    if entry.state != State::Refused || table.ends_with("volumes[]") {
        return None;
    }
    let empty = match value {
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty() || text == entry.harmless,
        Value::Object(map) => {
            (map.is_empty() && entry.harmless == "{}") || shown_is(value, entry.harmless)
        }
        Value::Bool(_) | Value::Number(_) => shown_is(value, entry.harmless),
        Value::Null => true,
    };
    Some((empty, entry.note))
}

/// Whether a value is written like this in JSON.
fn shown_is(value: &Value, json: &str) -> bool {
    let text = value.to_string();
    text == json
}

fn value_of(value: Value, field: &Field, path: Path, found: &mut Findings) -> Option<Value> {
    if field.list {
        let Value::Array(list) = value else {
            return wrong(&value, "a list", path.0, found);
        };
        let items = list.into_iter().enumerate().filter_map(|(at, item)| {
            let item = filled(item, field);
            single(item, field, (&format!("{}[{at}]", path.0), path.1), found)
        });
        return Some(Value::Array(items.collect()));
    }
    if field.map {
        let Value::Object(map) = value else {
            return wrong(&value, "a mapping", path.0, found);
        };
        let items = map.into_iter().filter_map(|(key, item)| {
            let place = format!("{}[{key}]", path.0);
            let item = filled(item, field);
            single(item, field, (&place, path.1), found).map(|item| (key, item))
        });
        return Some(Value::Object(items.collect()));
    }
    single(value, field, path, found)
}

/// An item or an entry that is null is the zero of its type to Kubernetes.
fn filled(item: Value, field: &Field) -> Value {
    match (&item, field.kind) {
        (Value::Null, None) => Value::Object(Map::new()),
        (Value::Null, Some('s')) => Value::from(""),
        (Value::Null, Some('b')) => Value::from(false),
        (Value::Null, Some('i' | 'x' | 'q')) => Value::from(0),
        _ => item,
    }
}

fn single(value: Value, field: &Field, path: Path, found: &mut Findings) -> Option<Value> {
    let Some(kind) = field.kind else {
        return object(value, field, path, found);
    };
    let scalar = matches!(value, Value::String(_) | Value::Number(_));
    match (kind, &value) {
        ('s', Value::String(_)) | ('b', Value::Bool(_)) | ('a', _) => Some(value),
        ('s', _) => wrong(&value, "a string", path.0, found),
        ('b', _) => wrong(&value, "true or false", path.0, found),
        ('i', Value::Number(number)) if number.as_i64().is_some_and(|n| fits(n, path.1)) => {
            Some(value)
        }
        ('i', Value::Number(number)) if number.is_i64() => {
            wrong(&value, "an integer of 32 bits", path.0, found)
        }
        ('i', _) => wrong(&value, "an integer", path.0, found),
        ('x', _) if scalar => Some(value),
        ('x', _) => wrong(&value, "an integer or a string", path.0, found),
        ('q', _) if scalar => {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            match quantity::parse(&text) {
                Some(amount) => Some(Value::from(quantity::canonical(amount))),
                None => wrong(&value, "a quantity such as 500m, 64Mi or 2", path.0, found),
            }
        }
        _ => wrong(&value, "a quantity such as 500m, 64Mi or 2", path.0, found),
    }
}

/// The fields that have 64 bits; all others have 32.
const WIDE: [&str; 9] = [
    "activeDeadlineSeconds",
    "expirationSeconds",
    "fsGroup",
    "runAsGroup",
    "runAsUser",
    "seconds",
    "supplementalGroups[]",
    "terminationGracePeriodSeconds",
    "tolerationSeconds",
];

fn fits(number: i64, table: &str) -> bool {
    let name = table.rsplit('.').next().unwrap_or_default();
    i32::try_from(number).is_ok() || WIDE.contains(&name)
}

fn unknown(name: &str, place: &str, field: &Field) -> Problem {
    let place: String = place.chars().take(200).collect();
    let problem = Problem::new(place, "unknown field");
    match nearest(name, field.parts.keys().copied()) {
        Some(known) => problem.hint(format!("did you mean {known}?")),
        // Most often the line is indented too little or too much.
        None => match home_of(name) {
            Some(home) => problem.hint(format!("it belongs in {home}")),
            None => problem,
        },
    }
}

/// Where a field of this name stands, nearest to the root.
fn home_of(name: &str) -> Option<String> {
    let mut level = vec![(String::new(), &*POD)];
    while !level.is_empty() {
        if let Some((path, _)) = level
            .iter()
            .find(|(_, field)| field.parts.contains_key(name))
        {
            let whole = if path.is_empty() {
                "the manifest itself"
            } else {
                path
            };
            return Some(whole.to_owned());
        }
        let below = level.into_iter().flat_map(|(path, field)| {
            field.parts.iter().map(move |(name, part)| {
                let dot = if path.is_empty() { "" } else { "." };
                let mark = if part.list { "[]" } else { "" };
                (format!("{path}{dot}{name}{mark}"), part)
            })
        });
        level = below.collect();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_pod_is_in_one_state() {
        let table = include_str!("../../tests/fixtures/podspec-fields.tsv");
        let mut leaves = 0;
        for line in table.lines() {
            let path = line.split('\t').next().unwrap();
            assert!(state_of(path).is_some(), "{path} is in no state");
            leaves += 1;
        }
        assert_eq!(leaves, 806);
    }
}
