//! What is stored, and the rules for changing it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Objects by their path, and everything that happened to pods.
#[derive(Default)]
pub struct Store {
    pub objects: BTreeMap<String, Value>,
    /// For watches: what happened, and the pod.
    pub log: Vec<(&'static str, Value)>,
    version: u64,
}

const MIRROR: &str = "kubernetes.io/config.mirror";
const NAMESPACES: [&str; 3] = ["default", "kube-system", "kube-node-lease"];

pub fn status(code: u16, message: &str) -> (u16, Value) {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code,
    });
    (code, body)
}

impl Store {
    fn next(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// One request, watches excepted.
    pub fn answer(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if let Some(answer) = discovery(path) {
            return (200, answer);
        }
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let is_core = parts.first() == Some(&"api");
        let rest = parts.get(if is_core { 2 } else { 3 }..).unwrap_or_default();
        match (method, rest) {
            ("GET", ["pods"]) => self.list("", query),
            ("GET", ["namespaces", space, "pods"]) => self.list(space, query),
            ("GET", ["nodes"]) => self.nodes(),
            ("POST", ["nodes"] | ["namespaces", _, _]) => self.create(path, rest, body),
            ("GET", _) => match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None => status(404, &format!("{path} not found")),
            },
            ("PATCH", ["nodes", _] | ["namespaces", _, "leases" | "events" | "pods", _]) => {
                self.patch(path, "metadata", body)
            }
            ("PATCH", ["nodes", _, "status"] | ["namespaces", _, "pods", _, "status"]) => {
                self.patch(path.strip_suffix("/status").unwrap(), "status", body)
            }
            ("DELETE", ["namespaces", _, "pods", _]) => self.delete_pod(path, body),
            ("DELETE", ["nodes", _]) => self.delete_node(path),
            _ => status(
                405,
                "the server does not allow this method on the requested resource",
            ),
        }
    }

    fn list(&self, space: &str, query: &str) -> (u16, Value) {
        let query = query.replace("%3D", "=");
        let node = query
            .split('&')
            .find_map(|part| part.strip_prefix("fieldSelector=spec.nodeName="));
        let labels = query
            .split('&')
            .find_map(|part| part.strip_prefix("labelSelector="));
        let label = labels.and_then(|labels| labels.split_once('='));
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(path, _)| path.contains("/pods/"))
            .map(|(_, pod)| pod)
            .filter(|pod| space.is_empty() || pod["metadata"]["namespace"] == space)
            .filter(|pod| node.is_none_or(|node| pod["spec"]["nodeName"] == node))
            .filter(|pod| label.is_none_or(|(key, value)| pod["metadata"]["labels"][key] == value))
            .collect();
        let version = self.version.to_string();
        (
            200,
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}),
        )
    }

    fn nodes(&self) -> (u16, Value) {
        let all = self
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with("/api/v1/nodes/"));
        let items: Vec<&Value> = all.map(|(_, node)| node).collect();
        (
            200,
            json!({"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": items}),
        )
    }

    fn create(&mut self, path: &str, rest: &[&str], body: &Value) -> (u16, Value) {
        let Some(name) = body["metadata"]["name"].as_str() else {
            return status(422, "metadata.name: Required value");
        };
        if let ["namespaces", space, _] = rest {
            if !NAMESPACES.contains(space) {
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
        if self.objects.contains_key(&path) {
            return status(409, &format!("\"{name}\" already exists"));
        }
        let mut object = body.clone();
        let is_pod = path.contains("/pods/");
        if is_pod {
            if let Some(said) = self.forbids(body) {
                return status(403, &said);
            }
            object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
            object["spec"]["priority"] = json!(0);
        }
        let version = self.next();
        let meta = &mut object["metadata"];
        meta["uid"] = json!(format!("00000000-0000-4000-8000-{version:0>12}"));
        meta["resourceVersion"] = json!(version);
        meta["generation"] = json!(1);
        meta["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        self.objects.insert(path, object.clone());
        if is_pod {
            self.log.push(("ADDED", object.clone()));
        }
        (201, object)
    }

    /// NodeRestriction and the admission of mirror pods.
    fn forbids(&self, pod: &Value) -> Option<String> {
        let said = |why: &str| Some(format!("pods is forbidden: {why}"));
        if pod["metadata"]["annotations"][MIRROR].as_str().is_none() {
            return said(
                "pod does not have the mirror annotation, node can only create mirror pods",
            );
        }
        let owners = pod["metadata"]["ownerReferences"].as_array();
        let Some([owner]) = owners.map(Vec::as_slice) else {
            return said("node can only create pods with exactly one owner reference");
        };
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        let uid = &self.objects.get(&format!("/api/v1/nodes/{node}"))?["metadata"]["uid"];
        let is_own =
            owner["apiVersion"] == "v1" && owner["kind"] == "Node" && owner["name"] == node;
        if !is_own || owner["controller"] != true || owner["uid"] != *uid {
            return said("node can only create pods with an owner reference set to itself");
        }
        if owner
            .get("blockOwnerDeletion")
            .is_some_and(|block| *block == true)
        {
            return said("blockOwnerDeletion must not be set");
        }
        match pod["spec"]["priorityClassName"].as_str() {
            None | Some("system-node-critical" | "system-cluster-critical") => None,
            Some(name) => said(&format!("no PriorityClass with name {name} was found")),
        }
    }

    fn patch(&mut self, path: &str, part: &str, body: &Value) -> (u16, Value) {
        let Some(old) = self.objects.get(path).cloned() else {
            return status(404, &format!("{path} not found"));
        };
        let wanted = &body["metadata"]["uid"];
        if wanted.is_string() && *wanted != old["metadata"]["uid"] {
            return status(
                409,
                "the UID in the precondition does not match the UID in record",
            );
        }
        let mut new = old.clone();
        merge(&mut new, body);
        let is_pod = path.contains("/pods/");
        if part == "status" {
            // Everything else in the body is dropped without a word.
            let status = new["status"].clone();
            new = old.clone();
            new["status"] = status;
        } else if is_pod && new["spec"] != old["spec"] {
            return status(422, "spec: Forbidden: pod updates may not change fields");
        } else if is_pod || path.contains("/nodes/") {
            new["status"] = old["status"].clone();
        }
        if new == old {
            return (200, old);
        }
        new["metadata"]["resourceVersion"] = json!(self.next());
        self.objects.insert(path.to_owned(), new.clone());
        if is_pod {
            self.log.push(("MODIFIED", new.clone()));
        }
        (200, new)
    }

    fn delete_pod(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let Some(mut pod) = self.objects.get(path).cloned() else {
            return status(404, &format!("{path} not found"));
        };
        let wanted = &body["preconditions"]["uid"];
        if wanted.is_string() && *wanted != pod["metadata"]["uid"] {
            return status(
                409,
                "the UID in the precondition does not match the UID in record",
            );
        }
        pod["metadata"]["resourceVersion"] = json!(self.next());
        if body["gracePeriodSeconds"] == 0 {
            self.objects.remove(path);
            self.log.push(("DELETED", pod.clone()));
        } else {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:30Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
            self.objects.insert(path.to_owned(), pod.clone());
            self.log.push(("MODIFIED", pod.clone()));
        }
        (200, pod)
    }

    /// Everything that it owns goes with it, as the garbage collector sees to.
    fn delete_node(&mut self, path: &str) -> (u16, Value) {
        let Some(node) = self.objects.remove(path) else {
            return status(404, &format!("{path} not found"));
        };
        let uid = &node["metadata"]["uid"];
        let owned = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"] == *uid;
        let gone: Vec<String> = self
            .objects
            .iter()
            .filter(|(_, object)| owned(object))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            let mut object = self.objects.remove(&path).unwrap();
            object["metadata"]["resourceVersion"] = json!(self.next());
            if path.contains("/pods/") {
                self.log.push(("DELETED", object));
            }
        }
        (200, node)
    }

    pub fn wipe(&mut self) {
        self.objects.clear();
    }
}

/// Just enough for kubectl.
fn discovery(path: &str) -> Option<Value> {
    let verbs = json!(["get", "list", "watch", "create", "delete", "patch"]);
    Some(match path {
        "/version" => json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0"}),
        "/api" => {
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        }
        "/apis" => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []}),
        "/api/v1" => json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
            {"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": verbs, "shortNames": ["po"]},
            {"name": "nodes", "singularName": "node", "namespaced": false, "kind": "Node", "verbs": verbs, "shortNames": ["no"]},
        ]}),
        _ => return None,
    })
}

/// A strategic merge patch.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let map = into.as_object_mut().unwrap();
    for (key, part) in patch {
        let by = match key.as_str() {
            "conditions" | "addresses" => "type",
            "podIPs" | "hostIPs" => "ip",
            "ownerReferences" => "uid",
            _ => "",
        };
        match part {
            Value::Null => drop(map.remove(key)),
            Value::Array(list) if !by.is_empty() => {
                merge_list(map.entry(key.clone()).or_insert(json!([])), list, by);
            }
            Value::Object(_) => merge(map.entry(key.clone()).or_insert(Value::Null), part),
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                drop(map.insert(key.clone(), part.clone()));
            }
        }
    }
}

fn merge_list(into: &mut Value, list: &[Value], by: &str) {
    let is_whole = list.iter().any(|item| item["$patch"] == "replace");
    let mut out = if is_whole {
        Vec::new()
    } else {
        into.as_array().cloned().unwrap_or_default()
    };
    for item in list.iter().filter(|item| item["$patch"] != "replace") {
        match out.iter_mut().find(|old| old[by] == item[by]) {
            Some(old) => merge(old, item),
            None => {
                let mut new = Value::Null;
                merge(&mut new, item);
                out.push(new);
            }
        }
    }
    *into = Value::Array(out);
}
