//! The UID of a pod: a digest over its canonical form.
//!
//! Scheme `staticlet/1`. Two manifests that mean the same have one form, by four rules:
//! 1. A quantity is its value in thousandths: `1Gi` is `1024Mi`.
//! 2. A field that says what its absence means is dropped, also where that is `false`, `0`, `{}` or `[]`. `fields.txt`
//!    says beside the type of every field what its absence means, so no field can be forgotten.
//! 3. A field that has what an empty one would be given is dropped: the code that fills in the defaults is run once more
//!    and takes out what it would put in, so no default can be forgotten.
//! 4. What is overwritten anyway does not count: `spec.nodeName` and the `kubernetes.io/config.*` annotations.
//!
//! Keys are sorted; lists keep their order. What a later release learns to honour was refused before, so it can change no
//! UID that exists; pinned UIDs in the tests hold that. A release that has to change the form all the same adds a scheme
//! and keeps computing this one, to adopt what runs.

use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::fields::{Absent, Field, POD};
use super::{defaults, quantity};

/// 32 hex digits for a defaulted pod on a node.
pub(super) fn digest(pod: &Value, node: &str) -> String {
    let form = form(pod);
    let bytes = Md5::digest(format!("staticlet/1\0{node}\0{form}").as_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn form(pod: &Value) -> Value {
    let mut form = pod.clone();
    if let Some(spec) = form.get_mut("spec").and_then(Value::as_object_mut) {
        spec.remove("nodeName");
    }
    if let Some(Value::Object(map)) = form.pointer_mut("/metadata/annotations") {
        map.retain(|key, _| !key.starts_with("kubernetes.io/config."));
    }
    // Defaults are found by comparing, which needs canonical parts, and leave empty wholes behind.
    drop_absent(&mut form, &POD);
    defaults::strip(&mut form);
    drop_absent(&mut form, &POD);
    form
}

/// Makes quantities canonical and drops what means the same as its absence, from the leaves up.
fn drop_absent(value: &mut Value, field: &Field) {
    if let Value::Object(map) = value {
        map.retain(|name, part| match field.parts.get(name.as_str()) {
            None => true,
            Some(field) => {
                reduce(part, field);
                !means_absent(part, field)
            }
        });
    }
}

/// Reduces what is inside of a field. The items of a list and the values of a map all say something by being there.
fn reduce(value: &mut Value, field: &Field) {
    match value {
        Value::Array(list) if field.list => list.iter_mut().for_each(|item| single(item, field)),
        Value::Object(map) if field.map => map.values_mut().for_each(|item| single(item, field)),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => single(value, field),
    }
}

fn single(value: &mut Value, field: &Field) {
    if field.kind == Some('q') {
        if let Some(amount) = value.as_str().and_then(quantity::parse) {
            *value = Value::from(format!("{}m", amount.milli));
        }
    } else if field.kind.is_none() {
        drop_absent(value, field);
    }
}

fn means_absent(value: &Value, field: &Field) -> bool {
    let is_zero = match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty() || (field.kind == Some('q') && text == "0m"),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => Map::is_empty(map),
    };
    match (field.absent, value) {
        (Absent::Zero, _) => is_zero,
        // An empty text counts as absent in every Kubernetes type.
        (Absent::Same(same), Value::String(text)) if field.kind == Some('q') => {
            let default = quantity::parse(same).map(|amount| format!("{}m", amount.milli));
            is_zero || default.as_ref() == Some(text)
        }
        (Absent::Same(same), Value::String(text)) => text.is_empty() || text == same,
        (Absent::Same(same), Value::Bool(on)) => same.parse() == Ok(*on),
        (Absent::Same(_), _) => false,
        (Absent::Unlike, _) => false,
    }
}
