//! `staticlet fields`: every field of a v1 Pod, and what becomes of it here.

use std::collections::BTreeSet;

use super::{Outcome, complain, print};
use crate::pod::field_table;
use crate::sys::{Gather, nearest};

/// Prints the fields whose paths begin with `prefix`; `Bad` when there are none.
pub fn fields(prefix: &str) -> Outcome {
    let wanted = bare(prefix);
    let table = field_table();
    let rows = || {
        table
            .iter()
            .filter(|row| bare(&row.path).starts_with(&wanted))
    };
    let width = rows().map(|row| row.path.len()).max();
    let Some(width) = width else {
        // Every part of every path may have been meant.
        let known: BTreeSet<String> = table
            .iter()
            .flat_map(|row| heads(&bare(&row.path)))
            .gather();
        let hint = nearest(&wanted, known.iter().map(String::as_str));
        let hint = hint.map_or(String::new(), |near| format!("; did you mean {near}?"));
        complain(&format!(
            "fields: no field of a v1 Pod begins with {prefix:?}{hint}"
        ));
        return Outcome::Bad;
    };
    let mut out = format!("{:<width$}  {:<8}  NOTE\n", "FIELD", "STATE");
    for row in rows() {
        let line = format!("{:<width$}  {:<8}  {}", row.path, row.state, row.note);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    print(&out);
    Outcome::Fine
}

/// A path without what stands in brackets: `spec.containers[0].image` is `spec.containers.image`.
fn bare(path: &str) -> String {
    let mut depth = 0_u32;
    let outside = path.chars().filter(|letter| match letter {
        '[' | '{' => {
            depth += 1;
            false
        }
        ']' | '}' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    });
    outside.collect()
}

/// `a.b.c` is `a`, `a.b` and `a.b.c`.
fn heads(path: &str) -> Vec<String> {
    let dots = path.match_indices('.').map(|(at, _)| at);
    let ends = dots.chain([path.len()]);
    ends.filter_map(|end| path.get(..end).map(str::to_owned))
        .collect()
}
