//! Rules about what a container may use, and a pod as a whole.

use serde_json::Value;

use crate::pod::rules::{Out, invalid, list};
use crate::pod::{Problem, quantity};

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
    let milli = |value: &Value| Some(quantity::parse(value.as_str()?)?.milli);
    for name in POD_NAMES {
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

fn amounts(resources: &Value, path: &str, names: &[&str], out: Out) {
    for kind in ["limits", "requests"] {
        for (name, value) in resources[kind].as_object().into_iter().flatten() {
            let (path, value) = (
                format!("{path}.{kind}[{name}]"),
                value.as_str().unwrap_or_default(),
            );
            let amount = quantity::parse(value).map_or(0, |a| a.milli);
            if !names.contains(&name.as_str()) {
                let problem = Problem::new(path, "not supported here");
                out.push(problem.hint(format!("what is: {}", names.join(", "))));
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
