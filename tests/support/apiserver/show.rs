//! What kubectl asks for: which resources there are, and tables of them.

use serde_json::{Value, json};
use staticlet::sys;

/// Just enough for kubectl.
pub fn discovery(path: &str) -> Option<Value> {
    let verbs = json!(["get", "list", "watch", "create", "delete", "patch"]);
    let core = |name: &str, kind: &str, short: &str| json!({"name": format!("{name}s"), "singularName": name, "namespaced": name != "node", "kind": kind, "verbs": verbs, "shortNames": [short]});
    Some(match path {
        "/version" => json!({"major": "1", "minor": "36", "gitVersion": "v1.36.0"}),
        "/readyz" => json!("ok"),
        "/api" => {
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        }
        "/apis" => {
            let version = json!({"groupVersion": "coordination.k8s.io/v1", "version": "v1"});
            let group = json!({"name": "coordination.k8s.io", "versions": [version], "preferredVersion": version});
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})
        }
        "/api/v1" => json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
            core("pod", "Pod", "po"), core("node", "Node", "no"), core("event", "Event", "ev"),
        ]}),
        "/apis/coordination.k8s.io/v1" => {
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "coordination.k8s.io/v1", "resources": [core("lease", "Lease", "")]})
        }
        _ => return None,
    })
}

type Cells = fn(&Value) -> Vec<Value>;

/// The columns of pods and nodes, as `kubectl get` prints them; the object itself for anything else.
pub fn table(answer: &Value) -> Value {
    let (objects, is_list) = match answer["items"].as_array() {
        Some(items) => (items.clone(), true),
        None => (vec![answer.clone()], false),
    };
    let kind = answer["kind"]
        .as_str()
        .unwrap_or_default()
        .trim_end_matches("List");
    let (columns, cells): (&[&str], Cells) = match kind {
        "Pod" => (&["Name", "Ready", "Status", "Restarts", "Age"], pod),
        "Node" => (&["Name", "Status", "Roles", "Age", "Version"], node),
        _ => return answer.clone(),
    };
    let column = |name: &&str| json!({"name": name, "type": "string", "format": if *name == "Name" { "name" } else { "" }, "description": "", "priority": 0});
    let row = |object: &Value| {
        let shown = json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]});
        json!({"cells": cells(object), "object": shown})
    };
    let meta = if is_list {
        answer["metadata"].clone()
    } else {
        json!({})
    };
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
        "columnDefinitions": columns.iter().map(column).collect::<Vec<_>>(),
        "rows": objects.iter().map(row).collect::<Vec<_>>(),
    })
}

fn pod(pod: &Value) -> Vec<Value> {
    let all = pod["status"]["containerStatuses"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let ready = all.iter().filter(|one| one["ready"] == true).count();
    let restarts: u64 = all
        .iter()
        .filter_map(|one| one["restartCount"].as_u64())
        .sum();
    let of = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let why = all.iter().find_map(|one| {
        let state = &one["state"];
        let reason = state["waiting"]["reason"].as_str();
        reason.or(state["terminated"]["reason"].as_str())
    });
    let phase = pod["status"]["phase"].as_str().unwrap_or_default();
    let said = if pod["metadata"]["deletionTimestamp"].is_null() {
        why.unwrap_or(phase)
    } else {
        "Terminating"
    };
    let name = &pod["metadata"]["name"];
    vec![
        name.clone(),
        json!(format!("{ready}/{of}")),
        json!(said),
        json!(restarts),
        age(pod),
    ]
}

fn node(node: &Value) -> Vec<Value> {
    let mut conditions = node["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    let ready = conditions.find(|one| one["type"] == "Ready");
    let said = match ready.and_then(|one| one["status"].as_str()) {
        Some("True") => "Ready",
        Some("False") => "NotReady",
        _ => "Unknown",
    };
    let version = &node["status"]["nodeInfo"]["kubeletVersion"];
    vec![
        node["metadata"]["name"].clone(),
        json!(said),
        json!("<none>"),
        age(node),
        version.clone(),
    ]
}

fn age(object: &Value) -> Value {
    let since = object["metadata"]["creationTimestamp"]
        .as_str()
        .and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let now = sys::now().wall.0 / 1_000_000;
    json!(since.map_or_else(
        || "<unknown>".to_owned(),
        |at| format!("{}s", now - at.as_second())
    ))
}
