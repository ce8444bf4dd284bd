//! Which fields of two versions of a pod differ. Pure. Values are left out: they may be secret.

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Map, Value};

use crate::sys::json;

/// Fields that are named; more of them are counted.
const NAMED_MAX: usize = 5;

/// The paths of fields that differ in what a manifest says.
pub(super) fn changed_fields(old: &Pod, new: &Pod) -> Vec<String> {
    let (old, new) = (of_manifest(old), of_manifest(new));
    let mut found = Vec::new();
    compare("", &old, &new, &mut found);
    let more = found.len().saturating_sub(NAMED_MAX);
    found.truncate(NAMED_MAX);
    if more > 0 {
        found.push(format!("{more} more"));
    }
    found
}

/// Labels, annotations and spec, without what is made of them here.
fn of_manifest(pod: &Pod) -> Value {
    let meta = &pod.metadata;
    let annotations = meta.annotations.iter().flatten();
    let ours = |name: &str| name.starts_with("kubernetes.io/config.");
    let annotations: Map<String, Value> = annotations
        .filter(|(name, _)| !ours(name))
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    serde_json::json!({
        "metadata": {"labels": meta.labels.clone().unwrap_or_default(), "annotations": annotations},
        "spec": json::tree(&pod.spec).unwrap_or_default(),
    })
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<String>) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            let names = old
                .keys()
                .chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                let dot = if path.is_empty() { "" } else { "." };
                let plain = !name.contains(['.', '/']);
                let path = match plain {
                    true => format!("{path}{dot}{name}"),
                    false => format!("{path}[{name}]"),
                };
                let of = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                compare(&path, &of(old), &of(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for at in 0..old.len().max(new.len()) {
                let of = |list: &[Value]| list.get(at).cloned().unwrap_or_default();
                compare(&format!("{path}[{at}]"), &of(old), &of(new), found);
            }
        }
        (_, _) => found.push(path.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn paths_are_named_and_values_are_not() {
        let pair = |env: &str, image: &str| {
            pod(serde_json::json!({
                "metadata": {"name": "a", "labels": {"a.b/c": image}, "annotations": {"kubernetes.io/config.hash": image}},
                "spec": {"containers": [{"name": "c", "image": image, "env": [{"name": "A", "value": env}]}]},
            }))
        };
        let old = pair("x", "one");
        assert!(changed_fields(&old, &old).is_empty());
        let path = "spec.containers[0].env[0].value";
        assert_eq!(changed_fields(&old, &pair("y", "one")), [path]);
        let wanted = ["metadata.labels[a.b/c]", path, "spec.containers[0].image"];
        assert_eq!(changed_fields(&old, &pair("y", "two")), wanted);
        let mut more = old.clone();
        let containers = &mut more.spec.as_mut().unwrap().containers;
        *containers = vec![containers[0].clone(); 9];
        let found = changed_fields(&old, &more);
        assert_eq!(found.first().unwrap(), "spec.containers[1]");
        assert_eq!(found.last().unwrap(), "3 more");
    }
}
