//! Rules about what only a scheduler reads: it means nothing on one node, and has its rules all the same.

use serde_json::Value;

use crate::pod::rules::{Out, invalid, list, name_part, one_of, qualified, range, subdomain, text};

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
            invalid(
                "spec.nodeSelector",
                key,
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'",
                out,
            );
        }
        if !value.is_empty() && !name_part(value) {
            invalid(
                "spec.nodeSelector",
                value,
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
                out,
            );
        }
    }
    for (at, toleration) in list(spec, "tolerations").iter().enumerate() {
        let path = format!("spec.tolerations[{at}]");
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        let place = format!("{path}.operator");
        if !key.is_empty() && !qualified(key) {
            invalid(
                &format!("{path}.key"),
                key,
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'",
                out,
            );
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
