//! What the API server says, read with suspicion: a field of the wrong type spoils the one object, never the list.

use serde::Deserialize;
use serde_json::Value;

use super::tree::{TREE_BYTES_MAX, Walk, weight};
use crate::pod::PodKey;
use crate::sys::{Error, Kind, Result};

/// The mark of a mirror pod; its value is the hash of the version it shows.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// UIDs and versions of an API server are much shorter.
const WORD_BYTES_MAX: usize = 100;

/// Pods of one node. A kubelet has 110 at most; more are a server that fills the memory.
const PODS_MAX: usize = 5000;

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
    (1..WORD_BYTES_MAX)
        .contains(&meta.uid.len())
        .then_some(meta.uid)
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
    /// Its status as JSON, whose tree would be ten times as large; empty for a pod that is no mirror.
    pub status: String,
}

impl Listed {
    /// Its status; `Null` when it has none.
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.status).unwrap_or(Value::Null)
    }
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
    let is_short = |text: &str| text.len() < WORD_BYTES_MAX;
    let is_known = !meta.uid.is_empty() && is_short(&meta.uid) && is_short(&meta.resource_version);
    if !is_here || !is_known || !is_name(&meta.name) || !is_name(&meta.namespace) {
        return None;
    }
    let hash = meta.annotations.and_then(|mut map| map.remove(MIRROR));
    let status = pod.get("status").filter(|_| hash.is_some());
    Some(Listed {
        key: PodKey {
            namespace: meta.namespace,
            name: meta.name,
        },
        uid: meta.uid,
        version: meta.resource_version,
        hash,
        is_deleting: meta.deletion_timestamp.is_some(),
        owner: owner(pod, node),
        status: status.map(Value::to_string).unwrap_or_default(),
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

/// The pods of this node in the text of a list, each read by itself: one that nobody can read spoils no other.
///
/// # Errors
/// `Garbled`: it is no list of pods. `TooBig`: it has more pods of this node than any node has.
pub fn pods(text: &[u8], node: &str) -> Result<Vec<Listed>> {
    let wrong = |kind, said: &str| Err(Error::new("list the pods of this node", kind, said));
    let mut list = PodList {
        node,
        is_pods: false,
        pods: Vec::new(),
    };
    let is_whole = list.fill(&mut Walk::new(text)).is_some();
    if list.pods.len() > PODS_MAX {
        return wrong(Kind::TooBig, "there are more than 5000");
    }
    if !is_whole {
        return wrong(Kind::Garbled, "the answer is no JSON of a list");
    }
    if !list.is_pods {
        return wrong(Kind::Garbled, "the answer is no list of pods");
    }
    Ok(list.pods)
}

struct PodList<'a> {
    node: &'a str,
    is_pods: bool,
    pods: Vec<Listed>,
}

impl PodList<'_> {
    /// `None` when it is no JSON, or has too many.
    fn fill(&mut self, walk: &mut Walk<'_>) -> Option<()> {
        if !walk.passes(b'{') {
            return None;
        }
        let mut is_first = true;
        while !walk.passes(b'}') {
            if !std::mem::take(&mut is_first) && !walk.passes(b',') {
                return None;
            }
            let name = walk.value()?;
            if !walk.passes(b':') {
                return None;
            }
            match name {
                br#""kind""# => self.is_pods = walk.value()? == br#""PodList""#,
                br#""items""# => walk.list(&mut |item| self.takes(item))?,
                _ => drop(walk.value()?),
            }
        }
        walk.is_over().then_some(())
    }

    fn takes(&mut self, item: &[u8]) -> bool {
        let pod = tree(item).ok();
        self.pods
            .extend(pod.and_then(|pod| listed(&pod, self.node)));
        self.pods.len() <= PODS_MAX
    }
}

/// The tree of an answer.
///
/// # Errors
/// `Garbled`: it is no JSON. `TooBig`: its tree would fill the memory.
pub fn tree(text: &[u8]) -> Result<Value> {
    let doing = "read the answer";
    if weight(text) > TREE_BYTES_MAX {
        let said = format!(
            "its {} bytes would take more than {TREE_BYTES_MAX} of memory",
            text.len()
        );
        return Err(Error::new(doing, Kind::TooBig, said));
    }
    serde_json::from_slice(text).map_err(|e| Error::new(doing, Kind::Garbled, e))
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

impl WatchLine {
    /// # Errors
    /// As [`tree`]; also when it is no line of a watch.
    pub fn read(text: &[u8]) -> Result<WatchLine> {
        let said = "it has no type or no object";
        WatchLine::deserialize(tree(text)?)
            .map_err(|_| Error::new("read an event", Kind::Garbled, said))
    }
}

/// The words of a Status, the API server's way to refuse; empty when there are none.
pub fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let mut said = serde_json::from_slice::<Status>(body).map_or_else(
        |_| String::from_utf8_lossy(body.get(..200).unwrap_or(body)).into_owned(),
        |status| status.message,
    );
    if let Some((at, _)) = said.char_indices().nth(500) {
        said.truncate(at);
    }
    said
}
