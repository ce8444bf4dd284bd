//! The table of all fields and what becomes of each, for people.

use super::fields::{Field, POD};
use super::states::{State, state_of};
use crate::sys::InOrder;

/// One field of a v1 Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRow {
    /// Its path: `spec.containers[].image`; `[]` marks a list, `{}` a map.
    pub path: String,
    /// `honoured`, `carried`, `refused`, or `dropped` for what a dumped object has and a manifest does not need.
    pub state: &'static str,
    /// What to use instead, and which value is fine; may be empty.
    pub note: String,
}

/// What a dumped object says of itself is dropped: it has nothing to do with what should run.
const OF_A_DUMP: &str = "what a dumped object says of itself";

/// Every leaf of a v1 Pod, by path.
pub fn field_table() -> Vec<FieldRow> {
    let mut rows = Vec::new();
    walk(&POD, "", &mut rows);
    let dumped = super::read::DUMPED
        .iter()
        .map(|name| format!("metadata.{name}"));
    rows.extend(dumped.chain(["status".to_owned()]).map(|path| FieldRow {
        path,
        state: "dropped",
        note: OF_A_DUMP.to_owned(),
    }));
    rows.order_by(|a, b| a.path.cmp(&b.path));
    rows
}

fn walk(field: &Field, path: &str, rows: &mut Vec<FieldRow>) {
    for (name, part) in &field.parts {
        let mark = match (part.list, part.map) {
            (true, _) => "[]",
            (_, true) => "{}",
            (false, false) => "",
        };
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}{mark}");
        if part.parts.is_empty() {
            rows.push(row(path));
        } else {
            walk(part, &path, rows);
        }
    }
}

fn row(path: String) -> FieldRow {
    let entry = state_of(&path);
    let state = match entry.as_ref().map(|entry| entry.state) {
        // What names a pod has no entry: it is always read.
        None | Some(State::Honoured) => "honoured",
        Some(State::Carried) => "carried",
        Some(State::Refused) => "refused",
    };
    let mut note = String::new();
    if let Some(entry) = entry {
        note.push_str(entry.note);
        if !entry.harmless.is_empty() && entry.harmless != "{}" {
            note.push_str(&format!("; {} is fine", entry.harmless));
        }
    }
    FieldRow { path, state, note }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_has_every_leaf_of_the_api_and_no_other() {
        let api = include_str!("../../tests/fixtures/podspec-fields.tsv");
        let api: BTreeSet<&str> = api.lines().filter_map(|l| l.split('\t').next()).collect();
        let table = field_table();
        let ours: BTreeSet<&str> = table
            .iter()
            .map(|row| row.path.as_str())
            .filter(|path| path.starts_with("spec."))
            .collect();
        let missing: Vec<_> = api.difference(&ours).collect();
        let extra: Vec<_> = ours.difference(&api).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{missing:?} {extra:?}"
        );
        assert_eq!(ours.len(), 806);
    }
}
