//! What is stored, and the rules for changing it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staticlet::sys::{self, Wall};

use super::restrict::{Asked, Who, refuses};
use super::select::Query;
use super::{patch, pods, show};

/// Something that happened to an object.
pub struct Change {
    pub version: u64,
    pub kind: &'static str,
    /// Of the object.
    pub path: String,
    pub object: Value,
}

/// Objects by their path, and everything that happened to them.
pub struct Store {
    pub objects: BTreeMap<String, Value>,
    pub log: Vec<Change>,
    pub version: u64,
    /// Versions up to this one are not remembered: watches that start there are told 410.
    pub forgotten: u64,
    /// How often everything was lost.
    pub lives: u32,
    /// A controller manager runs beside it: what is owned by nobody goes.
    pub collects: bool,
    /// Those that there are besides the ones of Kubernetes' own.
    pub namespaces: BTreeSet<String>,
    /// Since when it stores what it does; the namespaces of Kubernetes' own are made a little later.
    pub begun: Option<Instant>,
    /// Nodes that came and went: when, whose, and the UID of the one that is there since.
    nodes: Vec<(Instant, String, Value)>,
}

/// What admission knows of Nodes comes to it by a watch of its own.
const NODES_LATE: Duration = Duration::from_millis(300);

/// Between the first answer of an API server without a store and its namespaces.
const NAMESPACES_LATE: Duration = Duration::from_secs(2);

/// One request.
pub struct Request<'a> {
    pub method: &'a str,
    /// With the query.
    pub path: &'a str,
    /// The `Content-Type` of the body.
    pub kind: &'a str,
    pub body: &'a Value,
    pub who: &'a Who,
}

pub const MIRROR: &str = "kubernetes.io/config.mirror";
const NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-node-lease"];

pub fn status(code: u16, message: &str) -> (u16, Value) {
    let reason = match code {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        _ => "",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code,
    });
    (code, body)
}

fn missing(path: &str) -> (u16, Value) {
    let mut parts = path.rsplit('/');
    let (name, kind) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    status(404, &format!("{kind} \"{name}\" not found"))
}

impl Default for Store {
    fn default() -> Store {
        Store {
            objects: BTreeMap::new(),
            log: Vec::new(),
            version: 0,
            forgotten: 0,
            lives: 0,
            collects: true,
            namespaces: BTreeSet::new(),
            begun: None,
            nodes: Vec::new(),
        }
    }
}

impl Store {
    /// One request, watches excepted.
    pub fn answer(&mut self, request: &Request<'_>) -> (u16, Value) {
        let (path, _) = request.path.split_once('?').unwrap_or((request.path, ""));
        let query = Query::of(request.path);
        if request.method == "GET"
            && let Some(answer) = show::discovery(path)
        {
            return (200, answer);
        }
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let is_core = parts.first() == Some(&"api");
        let rest = parts.get(if is_core { 2 } else { 3 }..).unwrap_or_default();
        let at = path.strip_suffix("/status").unwrap_or(path);
        if let Some(why) = self.refuses(request, (rest, &query), at) {
            return status(403, &why);
        }
        match (request.method, rest) {
            ("GET", [_] | ["namespaces", _, _]) => self.list(path, &query),
            ("POST", ["nodes"] | ["namespaces", _, _]) => self.create(path, rest, request.body),
            ("GET", _) => match self.objects.get(at) {
                Some(object) => (200, object.clone()),
                None => missing(path),
            },
            ("PATCH", ["nodes", ..] | ["namespaces", _, "leases" | "events" | "pods", ..]) => {
                self.patch(at, at != path, request)
            }
            ("DELETE", ["namespaces", _, "pods", _]) => self.delete_pod(path, request.body),
            ("DELETE", ["nodes", _]) => self.delete_node(path, request.body),
            _ => status(
                405,
                "the server does not allow this method on the requested resource",
            ),
        }
    }

    /// Why the caller may not; also asked before a watch.
    pub fn refuses(
        &self,
        request: &Request<'_>,
        (rest, query): (&[&str], &Query),
        at: &str,
    ) -> Option<String> {
        let Who::Node(node) = request.who else {
            return None;
        };
        let own = self
            .nodes
            .iter()
            .rev()
            .find(|(at, name, _)| name == node && at.elapsed() >= NODES_LATE);
        let asked = Asked {
            method: request.method,
            rest,
            query,
            body: request.body,
            old: self.objects.get(at).unwrap_or(&Value::Null),
            node_uid: own.map_or(&Value::Null, |(_, _, uid)| uid),
        };
        refuses(node, &asked)
    }

    fn list(&self, path: &str, query: &Query) -> (u16, Value) {
        let mut items = Vec::new();
        for (at, object) in &self.objects {
            match is_below(at, path).then(|| query.selects(object)) {
                Some(Ok(true)) => items.push(object),
                Some(Err(why)) => return status(400, &why),
                Some(Ok(false)) | None => {}
            }
        }
        let kind = match path.rsplit('/').next().unwrap_or("") {
            "pods" => "PodList",
            "nodes" => "NodeList",
            "events" => "EventList",
            _ => "List",
        };
        let meta = json!({"resourceVersion": self.version.to_string()});
        (
            200,
            json!({"kind": kind, "apiVersion": "v1", "metadata": meta, "items": items}),
        )
    }

    fn create(&mut self, path: &str, rest: &[&str], body: &Value) -> (u16, Value) {
        let Some(name) = body["metadata"]["name"].as_str() else {
            return status(422, "metadata.name: Required value");
        };
        if let ["namespaces", space, _] = rest {
            let is_begun = self.begun.is_none_or(|at| at.elapsed() >= NAMESPACES_LATE);
            let is_own = is_begun && NAMESPACES.contains(space);
            if !is_own && !self.namespaces.contains(*space) {
                return status(404, &format!("namespaces \"{space}\" not found"));
            }
            if body["metadata"]["namespace"] != *space {
                return status(400, "the namespace of the object does not match");
            }
        }
        if body["metadata"].get("resourceVersion").is_some() {
            return status(
                400,
                "resourceVersion should not be set on objects to be created",
            );
        }
        let path = format!("{path}/{name}");
        if let Some(there) = self.objects.get(&path) {
            let what = if there["metadata"]["deletionTimestamp"].is_null() {
                ""
            } else {
                "object is being deleted: "
            };
            return status(409, &format!("{what}\"{name}\" already exists"));
        }
        let mut object = body.clone();
        if path.contains("/pods/") {
            let priority = match pods::priority(&body["spec"]) {
                Ok(priority) => priority,
                Err(said) => return status(403, &said),
            };
            object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
            object["spec"]["priority"] = json!(priority);
        }
        let uid = format!("{:08}-0000-4000-8000-{:012}", self.lives, self.version + 1);
        let meta = &mut object["metadata"];
        meta["uid"] = json!(uid);
        meta["generation"] = json!(1);
        meta["creationTimestamp"] = json!(sys::now().wall.to_string());
        (201, self.keep("ADDED", &path, object))
    }

    /// Writes it with a version of its own, or takes it away.
    fn keep(&mut self, kind: &'static str, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        if let Some(name) = path.strip_prefix("/api/v1/nodes/") {
            let uid = if kind == "DELETED" {
                Value::Null
            } else {
                object["metadata"]["uid"].clone()
            };
            if kind != "MODIFIED" {
                self.nodes.push((Instant::now(), name.to_owned(), uid));
            }
        }
        if kind == "DELETED" {
            self.objects.remove(path);
        } else {
            self.objects.insert(path.to_owned(), object.clone());
        }
        self.log.push(Change {
            version: self.version,
            kind,
            path: path.to_owned(),
            object: object.clone(),
        });
        object
    }

    fn patch(&mut self, path: &str, is_status: bool, request: &Request<'_>) -> (u16, Value) {
        let Some(old) = self.objects.get(path).cloned() else {
            return missing(path);
        };
        let body = request.body;
        for field in ["uid", "resourceVersion"] {
            let wanted = &body["metadata"][field];
            if wanted.is_string() && *wanted != old["metadata"][field] {
                let said = format!(
                    "Precondition failed: {field} in precondition: {wanted}, in object meta: {}",
                    old["metadata"][field]
                );
                return status(409, &said);
            }
        }
        let mut new = old.clone();
        match request.kind {
            "application/strategic-merge-patch+json" => patch::strategic(&mut new, body),
            "application/merge-patch+json" => patch::plain(&mut new, body),
            other => {
                return status(
                    415,
                    &format!("the body of the request was in an unknown format: {other}"),
                );
            }
        }
        let is_pod = path.contains("/pods/");
        if is_status {
            // Everything else in the body is dropped without a word.
            let status = new["status"].clone();
            new = old.clone();
            new["status"] = status;
        } else if is_pod || path.contains("/nodes/") {
            new["status"] = old["status"].clone();
        }
        if is_pod && new["spec"] != old["spec"] {
            return status(
                422,
                "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
            );
        }
        let mark = |pod: &Value| pod["metadata"]["annotations"][MIRROR].clone();
        if is_pod && mark(&new) != mark(&old) {
            return status(
                422,
                &format!(
                    "metadata.annotations[{MIRROR}]: Forbidden: may not be added, changed or removed"
                ),
            );
        }
        if new == old {
            return (200, old);
        }
        if is_pod
            && is_status
            && let Some(why) = pods::status_refused(&old, &new)
        {
            return status(422, &why);
        }
        (200, self.keep("MODIFIED", path, new))
    }

    fn delete_pod(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let mut pod = match self.meant(path, body) {
            Ok(pod) => pod,
            Err(answer) => return answer,
        };
        let grace = pods::grace(&pod, body);
        let is_held = pod["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        if grace == 0 && !is_held {
            return (200, self.keep("DELETED", path, pod));
        }
        let before = pod["metadata"]["deletionGracePeriodSeconds"].as_u64();
        if before.is_none_or(|before| grace < before) {
            let end = Wall(sys::now().wall.0 + i64::try_from(grace).unwrap() * 1_000_000);
            pod["metadata"]["deletionTimestamp"] = json!(end.to_string());
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            pod = self.keep("MODIFIED", path, pod);
        }
        (200, pod)
    }

    /// What a deletion is about, when it is there and the one that was meant.
    fn meant(&self, path: &str, body: &Value) -> Result<Value, (u16, Value)> {
        let object = self
            .objects
            .get(path)
            .cloned()
            .ok_or_else(|| missing(path))?;
        for field in ["uid", "resourceVersion"] {
            let wanted = &body["preconditions"][field];
            if wanted.is_string() && *wanted != object["metadata"][field] {
                let said = format!("the {field} in the precondition does not match that in record");
                return Err(status(409, &said));
            }
        }
        Ok(object)
    }

    /// Everything that it owns goes with it, where somebody sees to that.
    fn delete_node(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let node = match self.meant(path, body) {
            Ok(node) => node,
            Err(answer) => return answer,
        };
        self.keep("DELETED", path, node.clone());
        let uid = &node["metadata"]["uid"];
        let owned = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"] == *uid;
        let all = self
            .objects
            .iter()
            .filter(|(_, object)| self.collects && owned(object));
        let gone: Vec<(String, Value)> = all
            .map(|(path, object)| (path.clone(), object.clone()))
            .collect();
        for (path, object) in gone {
            self.keep("DELETED", &path, object);
        }
        (200, node)
    }

    /// A new life, in which versions begin at one again.
    pub fn wipe(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        let gone = nodes
            .into_iter()
            .map(|(_, name, _)| (Instant::now(), name, Value::Null));
        *self = Store {
            lives: self.lives + 1,
            collects: self.collects,
            begun: Some(Instant::now()),
            nodes: gone.collect(),
            ..Store::default()
        };
    }

    /// As etcd is compacted: what happened so far is forgotten.
    pub fn compact(&mut self) {
        self.forgotten = self.version;
    }
}

/// Whether an object is in the collection of this path: of one namespace, or of all.
pub fn is_below(object: &str, collection: &str) -> bool {
    let Some((above, _)) = object.rsplit_once('/') else {
        return false;
    };
    if above == collection {
        return true;
    }
    let (above, kind) = above.rsplit_once('/').unwrap_or((above, ""));
    let (root, wanted) = collection.rsplit_once('/').unwrap_or((collection, ""));
    let above = above.strip_prefix(root).unwrap_or("");
    kind == wanted && above.starts_with("/namespaces/") && above.matches('/').count() == 2
}
