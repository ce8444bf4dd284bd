//! What the API server says, read with suspicion: a field of the wrong type spoils the one object, never the list.

use serde::Deserialize;
use serde_json::Value;

use crate::pod::PodKey;

/// The mark of a mirror pod; its value is the hash of the version it shows.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// Where the pods of a node are listed and watched.
pub fn pods_path(node: &str) -> String {
    format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")
}

/// Where the Node is watched.
pub fn node_watch_path(node: &str) -> String {
    format!("/api/v1/nodes?fieldSelector=metadata.name%3D{node}")
}

/// The UID of the Node of this name; `None` for anything else, and for a UID that is none.
pub fn node_uid(object: &Value, node: &str) -> Option<String> {
    let meta = meta(object).filter(|meta| meta.name == node)?;
    (1..100).contains(&meta.uid.len()).then_some(meta.uid)
}

/// A pod as listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Namespace and name.
    pub key: PodKey,
    /// Given by the API server; not that of the static pod.
    pub uid: String,
    /// Changes with every write.
    pub version: String,
    /// The mark; `None` for a pod that is no mirror.
    pub hash: Option<String>,
    /// Somebody has asked for its deletion.
    pub is_deleting: bool,
    /// The UID of the Node that it goes with; `None` when nobody says so.
    pub owner: Option<String>,
    /// Its status.
    pub status: Value,
}

#[derive(Deserialize)]
struct PodList {
    items: Vec<Value>,
}

/// The metadata that counts, of any object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta {
    /// Empty for what has no namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Changes with every write.
    pub resource_version: String,
    /// Set when somebody has asked for its deletion.
    pub deletion_timestamp: Option<String>,
    /// Annotations.
    pub annotations: Option<std::collections::BTreeMap<String, String>>,
}

/// The metadata of an object; `None` when it has none that can be read.
pub fn meta(object: &Value) -> Option<Meta> {
    Meta::deserialize(object.get("metadata")?).ok()
}

/// One pod of this node; `None` for anything else, whatever the selector asked for.
pub fn listed(pod: &Value, node: &str) -> Option<Listed> {
    let meta = meta(pod)?;
    let is_here = pod.pointer("/spec/nodeName").and_then(Value::as_str) == Some(node);
    let is_sound = is_name(&meta.name) && is_name(&meta.namespace) && !meta.uid.is_empty();
    if !is_here || !is_sound {
        return None;
    }
    Some(Listed {
        key: PodKey {
            namespace: meta.namespace,
            name: meta.name,
        },
        uid: meta.uid,
        version: meta.resource_version,
        hash: meta.annotations.and_then(|mut map| map.remove(MIRROR)),
        is_deleting: meta.deletion_timestamp.is_some(),
        owner: owner(pod, node),
        status: pod.get("status").cloned().unwrap_or(Value::Null),
    })
}

fn owner(pod: &Value, node: &str) -> Option<String> {
    let all = pod.pointer("/metadata/ownerReferences")?.as_array()?;
    let is_node = |one: &&Value| one["kind"] == "Node" && one["name"] == node;
    let uid = all.iter().find(is_node)?["uid"].as_str()?;
    Some(uid.to_owned())
}

/// Whether this can stand in a path: a hostile server shall not choose what is called.
fn is_name(text: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'.';
    (1..=253).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(good)
}

/// The pods of this node in a list; `None` when it is none.
pub fn pods(list: &Value, node: &str) -> Option<Vec<Listed>> {
    if list.get("kind").and_then(Value::as_str) != Some("PodList") {
        return None;
    }
    let list = PodList::deserialize(list).ok()?;
    Some(
        list.items
            .iter()
            .filter_map(|pod| listed(pod, node))
            .collect(),
    )
}

/// One line of a watch.
#[derive(Clone, Debug, Deserialize)]
pub struct WatchLine {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The object, or a Status.
    pub object: Value,
}

/// The words of a Status, the API server's way to refuse; empty when there are none.
pub fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    serde_json::from_slice::<Status>(body).map_or_else(
        |_| String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned(),
        |status| status.message,
    )
}
