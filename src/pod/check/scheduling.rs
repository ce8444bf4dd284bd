//! Rules about what only a scheduler reads: it means nothing on one node, and has its rules all the same.

use serde_json::Value;

use super::selectors;
use crate::pod::quantity;
use crate::pod::rules::{
    LABEL_KEY, LABEL_VALUE, Out, invalid, list, name_part, one_of, qualified, range, subdomain,
    text,
};

pub(super) fn check(spec: &Value, out: Out) {
    let class = text(spec, "priorityClassName");
    if !class.is_empty() {
        subdomain(class, "spec.priorityClassName", out);
    }
    let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
    range(spec, "priority", "spec", (low, high), out);
    let policies = ["Never", "PreemptLowerPriority"];
    one_of(spec, "preemptionPolicy", "spec", &policies, out);
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !qualified(key) {
            invalid("spec.nodeSelector", key, LABEL_KEY, out);
        }
        if !value.is_empty() && !name_part(value) {
            invalid("spec.nodeSelector", value, LABEL_VALUE, out);
        }
    }
    for (at, gate) in list(spec, "readinessGates").iter().enumerate() {
        let name = text(gate, "conditionType");
        if !qualified(name) {
            let why = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
            invalid(
                &format!("spec.readinessGates[{at}].conditionType"),
                name,
                why,
                out,
            );
        }
    }
    for (name, value) in spec["overhead"].as_object().into_iter().flatten() {
        let (path, value) = (
            format!("spec.overhead[{name}]"),
            value.as_str().unwrap_or_default(),
        );
        if !qualified(name) {
            invalid(&path, name, LABEL_KEY, out);
        }
        if quantity::parse(value).is_some_and(|amount| amount.milli < 0) {
            invalid(&path, value, "must be greater than or equal to 0", out);
        }
    }
    selectors::affinity(&spec["affinity"], out);
    selectors::spreading(spec, out);
    tolerations(spec, out);
}

fn tolerations(spec: &Value, out: Out) {
    for (at, toleration) in list(spec, "tolerations").iter().enumerate() {
        let path = format!("spec.tolerations[{at}]");
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        let place = format!("{path}.operator");
        if !key.is_empty() && !qualified(key) {
            invalid(&format!("{path}.key"), key, LABEL_KEY, out);
        }
        if key.is_empty() && operator != "Exists" {
            invalid(
                &place,
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
                out,
            );
        }
        if operator == "Exists" && !text(toleration, "value").is_empty() {
            invalid(
                &place,
                text(toleration, "value"),
                "value must be empty when `operator` is 'Exists'",
                out,
            );
        }
        one_of(toleration, "operator", &path, &["", "Equal", "Exists"], out);
        let effects = ["", "NoExecute", "NoSchedule", "PreferNoSchedule"];
        one_of(toleration, "effect", &path, &effects, out);
        if toleration["tolerationSeconds"].is_number() && text(toleration, "effect") != "NoExecute"
        {
            invalid(
                &format!("{path}.effect"),
                text(toleration, "effect"),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
                out,
            );
        }
    }
}
