//! Rules about what a container may use.

use serde_json::Value;

use crate::pod::rules::{Out, invalid};
use crate::pod::{Problem, quantity};

pub(super) fn check(resources: &Value, path: &str, out: Out) {
    for kind in ["limits", "requests"] {
        for (name, value) in resources[kind].as_object().into_iter().flatten() {
            let (path, value) = (
                format!("{path}.{kind}[{name}]"),
                value.as_str().unwrap_or_default(),
            );
            let amount = quantity::parse(value).map_or(0, |a| a.milli);
            if !["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()) {
                out.push(
                    Problem::new(path, "not supported here")
                        .hint("cpu, memory and ephemeral-storage are"),
                );
            } else if amount < 0 {
                invalid(&path, value, "must be greater than or equal to 0", out);
            } else if kind == "requests"
                && let Some(limit) = resources["limits"][name].as_str()
                && quantity::parse(limit).is_some_and(|limit| limit.milli < amount)
            {
                invalid(
                    &path,
                    value,
                    &format!("must be less than or equal to {name} limit of {limit}"),
                    out,
                );
            }
        }
    }
}
