//! Rules about affinity and spreading: they mean nothing on one node, and the API server refuses wrong ones all the same.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{
    LABEL_KEY, LABEL_VALUE, Out, invalid, label, list, name_part, one_of, qualified, required, text,
};

/// Checks `spec.affinity`.
pub(super) fn affinity(affinity: &Value, out: Out) {
    let node = &affinity["nodeAffinity"];
    let path = "spec.affinity.nodeAffinity";
    let needed = &node["requiredDuringSchedulingIgnoredDuringExecution"];
    if needed.is_object() {
        let path =
            format!("{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
        let terms = list(needed, "nodeSelectorTerms");
        if terms.is_empty() {
            let text = "Required value: must have at least one node selector term";
            out.push(Problem::new(path.as_str(), text));
        }
        for (at, term) in terms.iter().enumerate() {
            node_term(term, &format!("{path}[{at}]"), out);
        }
    }
    let wished = "preferredDuringSchedulingIgnoredDuringExecution";
    for (at, wish) in list(node, wished).iter().enumerate() {
        let path = format!("{path}.{wished}[{at}]");
        weight(wish, &path, out);
        node_term(&wish["preference"], &format!("{path}.preference"), out);
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let (pods, path) = (&affinity[kind], format!("spec.affinity.{kind}"));
        let needed = "requiredDuringSchedulingIgnoredDuringExecution";
        for (at, term) in list(pods, needed).iter().enumerate() {
            pod_term(term, &format!("{path}.{needed}[{at}]"), out);
        }
        for (at, wish) in list(pods, wished).iter().enumerate() {
            let path = format!("{path}.{wished}[{at}]");
            weight(wish, &path, out);
            pod_term(
                &wish["podAffinityTerm"],
                &format!("{path}.podAffinityTerm"),
                out,
            );
        }
    }
}

/// Checks `spec.topologySpreadConstraints`.
pub(super) fn spreading(spec: &Value, out: Out) {
    let mut seen = BTreeSet::new();
    for (at, one) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let path = format!("spec.topologySpreadConstraints[{at}]");
        let skew = one["maxSkew"].as_i64().unwrap_or(0);
        if skew <= 0 {
            positive(&format!("{path}.maxSkew"), skew, out);
        }
        let key = text(one, "topologyKey");
        if key.is_empty() {
            let text = "Required value: can not be empty";
            out.push(Problem::new(format!("{path}.topologyKey"), text));
        } else {
            label_key(key, &format!("{path}.topologyKey"), out);
        }
        let how = text(one, "whenUnsatisfiable");
        if how.is_empty() {
            required(format!("{path}.whenUnsatisfiable"), out);
        }
        one_of(
            one,
            "whenUnsatisfiable",
            &path,
            &["DoNotSchedule", "ScheduleAnyway"],
            out,
        );
        if !seen.insert((key, how)) {
            let text = format!("Duplicate value: \"{{{key}, {how}}}\"");
            out.push(Problem::new(
                format!("{path}.{{topologyKey, whenUnsatisfiable}}"),
                text,
            ));
        }
        if let Some(domains) = one["minDomains"].as_i64() {
            let path = format!("{path}.minDomains");
            if domains <= 0 {
                positive(&path, domains, out);
            }
            if how != "DoNotSchedule" {
                let why = "can only use minDomains if whenUnsatisfiable=DoNotSchedule";
                number(&path, domains, why, out);
            }
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            one_of(one, policy, &path, &["Honor", "Ignore"], out);
        }
        let selector = &one["labelSelector"];
        label_selector(selector, &format!("{path}.labelSelector"), out);
        keys(one, "matchLabelKeys", &path, out);
    }
}

fn number(path: &str, value: i64, why: &str, out: Out) {
    out.push(Problem::new(path, format!("Invalid value: {value}: {why}")));
}

fn positive(path: &str, value: i64, out: Out) {
    number(path, value, "must be greater than zero", out);
}

fn weight(wish: &Value, path: &str, out: Out) {
    let weight = wish["weight"].as_i64().unwrap_or(0);
    if !(1..=100).contains(&weight) {
        let why = "must be in the range 1-100";
        number(&format!("{path}.weight"), weight, why, out);
    }
}

fn label_key(key: &str, path: &str, out: Out) {
    if !qualified(key) {
        invalid(path, key, LABEL_KEY, out);
    }
}

fn keys(of: &Value, name: &str, path: &str, out: Out) {
    for (at, key) in list(of, name).iter().enumerate() {
        let key = key.as_str().unwrap_or_default();
        label_key(key, &format!("{path}.{name}[{at}]"), out);
    }
    if !list(of, name).is_empty() && of["labelSelector"].is_null() {
        let text = "Forbidden: must not be specified when labelSelector is not set";
        out.push(Problem::new(format!("{path}.{name}"), text));
    }
}

fn node_term(term: &Value, path: &str, out: Out) {
    for (at, one) in list(term, "matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{at}]");
        let count = list(one, "values").len();
        match text(one, "operator") {
            "Gt" | "Lt" if count != 1 => {
                let text = "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'";
                out.push(Problem::new(format!("{path}.values"), text));
            }
            "Gt" | "Lt" => {}
            _ => requirement(one, &path, out),
        }
        label_key(text(one, "key"), &format!("{path}.key"), out);
    }
    for (at, one) in list(term, "matchFields").iter().enumerate() {
        let path = format!("{path}.matchFields[{at}]");
        one_of(one, "operator", &path, &["In", "NotIn"], out);
        if list(one, "values").len() != 1 {
            let text = "Required value: must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
            out.push(Problem::new(format!("{path}.values"), text));
        }
        one_of(one, "key", &path, &["metadata.name"], out);
    }
}

fn pod_term(term: &Value, path: &str, out: Out) {
    for selector in ["labelSelector", "namespaceSelector"] {
        label_selector(&term[selector], &format!("{path}.{selector}"), out);
    }
    for (at, name) in list(term, "namespaces").iter().enumerate() {
        let name = name.as_str().unwrap_or_default();
        label(name, &format!("{path}.namespaces[{at}]"), out);
    }
    let key = text(term, "topologyKey");
    if key.is_empty() {
        let text = "Required value: can not be empty";
        out.push(Problem::new(format!("{path}.topologyKey"), text));
    } else {
        label_key(key, &format!("{path}.topologyKey"), out);
    }
    keys(term, "matchLabelKeys", path, out);
    keys(term, "mismatchLabelKeys", path, out);
}

fn label_selector(selector: &Value, path: &str, out: Out) {
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        label_key(key, &format!("{path}.matchLabels"), out);
        label_value(value, &format!("{path}.matchLabels"), out);
    }
    for (at, one) in list(selector, "matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{at}]");
        requirement(one, &path, out);
        label_key(text(one, "key"), &format!("{path}.key"), out);
        for (at, value) in list(one, "values").iter().enumerate() {
            label_value(value, &format!("{path}.values[{at}]"), out);
        }
    }
}

/// `In` and `NotIn` need values, `Exists` and `DoesNotExist` take none.
fn requirement(one: &Value, path: &str, out: Out) {
    let has_values = !list(one, "values").is_empty();
    match text(one, "operator") {
        "In" | "NotIn" if !has_values => {
            let text = "Required value: must be specified when `operator` is 'In' or 'NotIn'";
            out.push(Problem::new(format!("{path}.values"), text));
        }
        "Exists" | "DoesNotExist" if has_values => {
            let text =
                "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            out.push(Problem::new(format!("{path}.values"), text));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        other => invalid(
            &format!("{path}.operator"),
            other,
            "not a valid selector operator",
            out,
        ),
    }
}

fn label_value(value: &Value, path: &str, out: Out) {
    let value = value.as_str().unwrap_or_default();
    if !value.is_empty() && !name_part(value) {
        invalid(path, value, LABEL_VALUE, out);
    }
}
