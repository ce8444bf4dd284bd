//! A static pod as the API server is to show it: the mirror pod, and the patch of its status.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use serde_json::{Map, Value, json};

use crate::sys::json;

/// The marks that the API server, kubectl and log shippers look for.
const HASH: &str = "kubernetes.io/config.hash";
const MIRROR: &str = "kubernetes.io/config.mirror";
const SEEN: &str = "kubernetes.io/config.seen";

/// The Node that owns the mirror.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its UID, which the API server checks.
    pub uid: &'a str,
}

/// The version that a pod is of: its hash.
pub fn hash_of(pod: &Pod) -> Option<&str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(HASH).map(String::as_str)
}

/// The mirror pod as it is posted; `None` for a pod of which the manifest is gone.
///
/// Source: kubelet 1.36 `pod/mirror_client.go` CreateMirrorPod. What the API server gives itself (uid, status) is left
/// out, and so is whatever would make it refuse the object (resourceVersion, finalizers of others).
pub fn mirror(pod: &Pod, owner: Owner<'_>) -> Option<Value> {
    let hash = hash_of(pod)?.to_owned();
    let spec = json::tree(pod.spec.as_ref()?).ok()?;
    let mut annotations: BTreeMap<String, String> =
        pod.metadata.annotations.clone().unwrap_or_default();
    annotations.insert(MIRROR.to_owned(), hash);
    let started = pod
        .status
        .as_ref()
        .and_then(|status| status.start_time.as_ref());
    if let Some(started) = started {
        annotations.insert(SEEN.to_owned(), started.0.to_string());
    }
    let mut metadata = json!({
        "name": pod.metadata.name,
        "namespace": pod.metadata.namespace,
        "annotations": annotations,
        "ownerReferences": [{
            "apiVersion": "v1", "kind": "Node", "name": owner.name, "uid": owner.uid, "controller": true,
        }],
    });
    if let (Some(labels), Some(map)) = (&pod.metadata.labels, metadata.as_object_mut()) {
        map.insert("labels".to_owned(), json!(labels));
    }
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

/// Fields of a status that are ours alone; what is not among the wanted ones is taken away.
const OWN: [&str; 11] = [
    "phase",
    "reason",
    "message",
    "startTime",
    "hostIP",
    "hostIPs",
    "podIP",
    "podIPs",
    "initContainerStatuses",
    "containerStatuses",
    "ephemeralContainerStatuses",
];

/// The patch that makes `shown` say what `wanted` says; `None` when it does. The UID in it makes the API server refuse it
/// when the mirror is another one by now. Conditions of others stay.
pub fn status_patch(wanted: &PodStatus, shown: &Value, uid: &str) -> Option<Value> {
    let wanted = json::tree(wanted).ok()?;
    let mut patch = Map::new();
    for field in OWN {
        let (wanted, shown) = (part(&wanted, field), part(shown, field));
        if normal(&wanted) == normal(&shown) {
            continue;
        }
        let mut value = wanted;
        // The API server merges these by address: without this word an old one would stay.
        if let (true, Value::Array(list)) = (field.ends_with("IPs"), &mut value) {
            list.insert(0, json!({"$patch": "replace"}));
        }
        patch.insert(field.to_owned(), value);
    }
    let conditions = changed_conditions(&part(&wanted, "conditions"), &part(shown, "conditions"));
    if !conditions.is_empty() {
        patch.insert("conditions".to_owned(), Value::Array(conditions));
    }
    (!patch.is_empty()).then(|| json!({"metadata": {"uid": uid}, "status": patch}))
}

fn part(of: &Value, field: &str) -> Value {
    of.get(field).cloned().unwrap_or(Value::Null)
}

/// The conditions that the other side does not show, or shows otherwise. They are merged by type.
fn changed_conditions(wanted: &Value, shown: &Value) -> Vec<Value> {
    let shown = shown.as_array().map_or(&[][..], Vec::as_slice);
    let same_type = |one: &Value, other: &Value| one.get("type") == other.get("type");
    let wanted = wanted.as_array().into_iter().flatten();
    let changed = wanted.filter_map(|condition| {
        let there = shown.iter().find(|other| same_type(condition, other));
        match there {
            Some(there) if normal(condition) == normal(there) => None,
            // What it no longer says has to be taken away by name.
            Some(_) => {
                let mut condition = condition.clone();
                let map = condition.as_object_mut()?;
                for field in ["reason", "message"] {
                    map.entry(field).or_insert(Value::Null);
                }
                Some(condition)
            }
            None => Some(condition.clone()),
        }
    });
    changed.collect()
}

/// Without what means nothing: nulls and empty objects, lists and texts, at any depth.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let parts = map.iter().map(|(key, part)| (key.clone(), normal(part)));
            let parts: Map<String, Value> = parts.filter(|(_, part)| !part.is_null()).collect();
            if parts.is_empty() {
                Value::Null
            } else {
                Value::Object(parts)
            }
        }
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Array(list) => Value::Array(list.iter().map(normal).collect()),
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
