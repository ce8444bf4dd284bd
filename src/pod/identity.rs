//! The UID of a pod: a digest over its canonical form.
//!
//! Scheme `staticlet/1`: the defaulted pod without every value that equals its default and without what is empty, keys
//! sorted, lists in order, quantities canonical. So a release that learns a new default changes no UID. A release that
//! has to change the form adds a scheme and keeps computing this one, to adopt what runs.

use md5::{Digest, Md5};
use serde_json::Value;

use super::defaults;

/// 32 hex digits for a pod on a node.
pub(super) fn digest(pod: &Value, node: &str) -> String {
    let mut form = pod.clone();
    defaults::strip(&mut form);
    prune(&mut form, "");
    let bytes = Md5::digest(format!("staticlet/1\0{node}\0{form}").as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes what is empty. An empty volume source stays: it says which kind; so do an empty list item and map values.
fn prune(value: &mut Value, name: &str) {
    match value {
        Value::Object(map) => {
            map.iter_mut().for_each(|(key, part)| prune(part, key));
            if !matches!(name, "labels" | "annotations") {
                map.retain(|key, part| !is_empty(part) && !is_zero(key, part));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|part| prune(part, "")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Switches that are off unless they are on, and the like: written out they mean the same as left out. Not among them:
/// `runAsNonRoot` and `allowPrivilegeEscalation`, where `false` overrides something.
const OFF: &[&str] = &[
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "shareProcessNamespace",
    "setHostnameAsFQDN",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
    "privileged",
    "readOnlyRootFilesystem",
];

fn is_zero(key: &str, part: &Value) -> bool {
    match key {
        "hostPort" => *part == 0,
        "mountPropagation" => *part == "None",
        "procMount" => *part == "Default",
        _ => *part == false && OFF.contains(&key),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
