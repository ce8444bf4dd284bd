//! Patches, as the API server applies them.

use serde_json::{Map, Value, json};

/// A strategic merge patch of what a node writes: lists with a key are merged by it, others replaced.
pub fn strategic(into: &mut Value, patch: &Value) {
    merge(into, patch, &|field| match field {
        "conditions" | "addresses" => "type",
        "podIPs" | "hostIPs" => "ip",
        "ownerReferences" => "uid",
        _ => "",
    });
}

/// A merge patch of RFC 7386, which `kubectl label` and `kubectl annotate` send.
pub fn plain(into: &mut Value, patch: &Value) {
    merge(into, patch, &|_| "");
}

fn merge(into: &mut Value, patch: &Value, key_of: &dyn Fn(&str) -> &'static str) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let map = into.as_object_mut().unwrap();
    for (field, part) in patch {
        let by = key_of(field);
        match part {
            Value::Null => drop(map.remove(field)),
            Value::Array(list) if !by.is_empty() => {
                let old = map.entry(field.clone()).or_insert(json!([]));
                merge_list(old, list, (by, key_of));
            }
            Value::Object(_) => merge(
                map.entry(field.clone()).or_insert(Value::Null),
                part,
                key_of,
            ),
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                drop(map.insert(field.clone(), part.clone()));
            }
        }
    }
}

fn merge_list(into: &mut Value, list: &[Value], by: (&str, &dyn Fn(&str) -> &'static str)) {
    let (by, key_of) = by;
    let is_whole = list.iter().any(|item| item["$patch"] == "replace");
    let mut out = if is_whole {
        Vec::new()
    } else {
        into.as_array().cloned().unwrap_or_default()
    };
    for item in list.iter().filter(|item| item["$patch"] != "replace") {
        if item["$patch"] == "delete" {
            out.retain(|old| old[by] != item[by]);
            continue;
        }
        match out.iter_mut().find(|old| old[by] == item[by]) {
            Some(old) => merge(old, item, key_of),
            None => {
                let mut new = Value::Null;
                merge(&mut new, item, key_of);
                out.push(new);
            }
        }
    }
    *into = Value::Array(out);
}
