//! The restart policy and the restart rules of a container.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{Out, list, one_of, required, text};

const RULES_MAX: usize = 20;
const VALUES_MAX: usize = 255;

pub(super) fn check(container: &Value, path: &str, out: Out) {
    let policies = ["Always", "Never", "OnFailure"];
    one_of(container, "restartPolicy", path, &policies, out);
    resizes(container, path, out);
    let rules = list(container, "restartPolicyRules");
    if rules.is_empty() {
        return;
    }
    if text(container, "restartPolicy").is_empty() {
        let text = "Required value: must specify restartPolicy when restart rules are used";
        out.push(Problem::new(format!("{path}.restartPolicy"), text));
    }
    let path = format!("{path}.restartPolicyRules");
    if rules.len() > RULES_MAX {
        let text = format!(
            "Too many: {}: must have at most {RULES_MAX} items",
            rules.len()
        );
        out.push(Problem::new(path.as_str(), text));
    }
    for (at, rule) in rules.iter().enumerate() {
        self::rule(rule, &format!("{path}[{at}]"), out);
    }
}

/// What a resize would do to the container; nothing is ever resized here.
fn resizes(container: &Value, path: &str, out: Out) {
    let mut seen = BTreeSet::new();
    for (at, resize) in list(container, "resizePolicy").iter().enumerate() {
        let path = format!("{path}.resizePolicy[{at}]");
        let name = text(resize, "resourceName");
        for field in ["resourceName", "restartPolicy"] {
            if text(resize, field).is_empty() {
                required(format!("{path}.{field}"), out);
            }
        }
        one_of(resize, "resourceName", &path, &["", "cpu", "memory"], out);
        let policies = ["", "NotRequired", "RestartContainer"];
        one_of(resize, "restartPolicy", &path, &policies, out);
        if !seen.insert(name) {
            out.push(Problem::new(path, format!("Duplicate value: {name:?}")));
        }
    }
}

fn rule(rule: &Value, path: &str, out: Out) {
    if text(rule, "action").is_empty() {
        required(format!("{path}.action"), out);
    }
    let actions = ["", "Restart", "RestartAllContainers"];
    one_of(rule, "action", path, &actions, out);
    let path = format!("{path}.exitCodes");
    let codes = &rule["exitCodes"];
    if !codes.is_object() {
        return required(path, out);
    }
    if text(codes, "operator").is_empty() {
        required(format!("{path}.operator"), out);
    }
    one_of(codes, "operator", &path, &["", "In", "NotIn"], out);
    let values = list(codes, "values").len();
    if !(1..=VALUES_MAX).contains(&values) {
        let text = format!("Invalid value: {values} exit codes: must be 1 to {VALUES_MAX}");
        out.push(Problem::new(format!("{path}.values"), text));
    }
}
