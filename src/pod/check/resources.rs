//! Rules about what a container may use, and a pod as a whole.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::pod::hugepages::is_whole;
use crate::pod::rules::{Out, invalid, list};
use crate::pod::{HUGEPAGES, Problem, quantity};
use crate::sys::Gather;

/// What containers can ask for here.
const NAMES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What a pod can ask for as a whole.
const POD_NAMES: [&str; 2] = ["cpu", "memory"];

pub(super) fn check(resources: &Value, path: &str, out: Out) {
    amounts(resources, path, &NAMES, out);
}

/// What a pod asks for as a whole, beside what its containers do.
///
/// Source: Kubernetes 1.36 `pkg/apis/core/validation` validatePodResources.
pub(super) fn pod(spec: &Value, out: Out) {
    let (whole, path) = (&spec["resources"], "spec.resources");
    if !list(whole, "claims").is_empty() {
        let text = "Forbidden: claims may not be set for Resources at pod-level";
        out.push(Problem::new(format!("{path}.claims"), text));
    }
    amounts(whole, path, &POD_NAMES, out);
    let milli = |value: &Value| quantity::milli(value.as_str()?);
    let amounts = [&whole["requests"], &whole["limits"]];
    let names = amounts.into_iter().filter_map(Value::as_object);
    let names: BTreeSet<&str> = names.flat_map(Map::keys).map(String::as_str).gather();
    for name in names.into_iter().filter(|name| is_known(name, &POD_NAMES)) {
        let of = |list: &'static str| {
            let each = self::list(spec, "containers").iter();
            each.map(move |container| &container["resources"][list][name])
        };
        let asked = of("requests").filter_map(milli).sum();
        let request = &whole["requests"][name];
        if milli(request).is_some_and(|request| request < asked) {
            let why = "must be greater than or equal to aggregate container requests";
            let path = format!("{path}.requests[{name}]");
            invalid(&path, request.as_str().unwrap_or_default(), why, out);
        }
        let limit = &whole["limits"][name];
        for (at, own) in of("limits").enumerate() {
            if let (Some(most), Some(amount)) = (milli(limit), milli(own))
                && amount > most
            {
                let limit = limit.as_str().unwrap_or_default();
                let why = format!("must be less than or equal to pod limits of {limit}");
                let path = format!("spec.containers[{at}].resources.limits[{name}]");
                invalid(&path, own.as_str().unwrap_or_default(), &why, out);
            }
        }
    }
}

/// Source: Kubernetes 1.36 `validation.go` validateResourceRequirements.
fn amounts(resources: &Value, path: &str, names: &[&str], out: Out) {
    let entries = |kind: &'static str| resources[kind].as_object().into_iter().flatten();
    for kind in ["limits", "requests"] {
        for (name, value) in entries(kind) {
            let is_huge = name.starts_with(HUGEPAGES);
            let (whole, value) = (path, value.as_str().unwrap_or_default());
            let path = format!("{whole}.{kind}[{name}]");
            let amount = quantity::milli(value).unwrap_or(0);
            let limit = resources["limits"][name].as_str();
            if !is_known(name, names) {
                let problem = Problem::new(path, "not supported here");
                let known = names.join(", ");
                out.push(problem.hint(format!("what is: {known}, hugepages-<size>")));
            } else if amount < 0 {
                invalid(&path, value, "must be greater than or equal to 0", out);
            } else if kind == "requests"
                && limit.is_some_and(|limit| exceeds(amount, limit, is_huge))
            {
                let relation = if is_huge {
                    "equal to"
                } else {
                    "less than or equal to"
                };
                let limit = limit.unwrap_or_default();
                let why = format!("must be {relation} {name} limit of {limit}");
                invalid(&path, value, &why, out);
            } else if is_huge && !is_whole(name, value) && (kind == "limits" || limit.is_none()) {
                let why = format!("{value} is not positive integer multiple of {name}");
                invalid(&path, value, &why, out);
            }
            if is_huge && limit.is_none() {
                let text = "Required value: Limit must be set for non overcommitable resources";
                out.push(Problem::new(format!("{whole}.limits"), text));
            }
        }
    }
    let all = || entries("limits").chain(entries("requests"));
    let has_huge = all().any(|(name, _)| name.starts_with(HUGEPAGES));
    if has_huge && !all().any(|(name, _)| POD_NAMES.contains(&name.as_str())) {
        let text = "Forbidden: HugePages require cpu or memory";
        out.push(Problem::new(path, text));
    }
}

fn is_known(name: &str, names: &[&str]) -> bool {
    names.contains(&name) || name.starts_with(HUGEPAGES)
}

/// Whether a request is not one that goes with this limit; huge pages are not overcommitted.
fn exceeds(request: i128, limit: &str, is_huge: bool) -> bool {
    quantity::milli(limit).is_some_and(|limit| limit < request || (is_huge && limit != request))
}
