//! The pods of a soak: of each kind some, forty by file and ten by URL.

use serde_json::{Value, json};

use crate::support::agent::FOREVER;

/// By file, then by URL.
pub(super) const BY_FILE: usize = 40;
pub(super) const BY_URL: usize = 10;

/// A pod's manifest in a version, which stands in the environment of its containers.
pub(super) fn manifest(name: &str, kind: usize, version: u64) -> Value {
    let container = |name: &str, script: &str| {
        json!({
            "name": name, "image": "busybox:1", "imagePullPolicy": "Never", "command": ["sh", "-c", script],
            "env": [{"name": "VERSION", "value": version.to_string()}],
        })
    };
    let mut spec = json!({"hostNetwork": true, "terminationGracePeriodSeconds": 1, "containers": [container("c", FOREVER)]});
    let probe =
        |command: &str| json!({"exec": {"command": ["sh", "-c", command]}, "periodSeconds": 10});
    match kind % 5 {
        0 => spec["containers"][0]["command"] = json!(["sh", "-c", "sleep 2; exit 3"]),
        1 => spec["containers"][0]["readinessProbe"] = probe("true"),
        2 => {
            let probe =
                json!({"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 100_000});
            spec["containers"][0]["livenessProbe"] = probe;
        }
        3 => {
            spec["volumes"] = json!([
                {"name": "v", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory"}},
                {"name": "d", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
            ]);
            spec["containers"][0]["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}, {"name": "m", "mountPath": "/m"}, {"name": "d", "mountPath": "/d"}]);
        }
        _ => {
            spec["initContainers"] = json!([container("i", "true")]);
            spec["containers"] = json!([container("c", FOREVER), container("s", FOREVER)]);
        }
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
}

/// The containers that run for good once the pod is up.
pub(super) fn lasting(kind: usize) -> &'static [&'static str] {
    match kind % 5 {
        0 => &[],
        4 => &["c", "s"],
        _ => &["c"],
    }
}
