//! What the API server would fill in, and taking it out again for the identity.

use k8s_openapi::api::core::v1::PodSpec;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{HUGEPAGES, ImageRef, lifecycle, pod_resources, probes};

/// The pull policy that an image has by itself; one that cannot be read has the other.
fn pull_policy(image: &str) -> &'static str {
    match ImageRef::parse(image) {
        Ok(image) if image.is_latest() => "Always",
        Ok(_) | Err(_) => "IfNotPresent",
    }
}

const SPEC: &[(&str, &str)] = &[
    ("dnsPolicy", "ClusterFirst"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
];
const CONTAINER: &[(&str, &str)] = &[
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
];

/// One place and its default, seen in one order for filling in and taking out.
type Visit<'a> = &'a mut dyn FnMut(&mut Value, &str, Value);

/// Fills in every default.
pub(super) fn fill(pod: &mut Value) {
    // A negative grace is one second to Kubernetes (core/v1 conversion.go).
    if let Some(grace) = pod.pointer_mut("/spec/terminationGracePeriodSeconds")
        && grace.as_i64().is_some_and(|seconds| seconds < 0)
    {
        *grace = json!(1);
    }
    each(pod, &mut |at, name, default| {
        // An empty string counts as absent, as in the Go types.
        let absent = at
            .get(name)
            .is_none_or(|v| v.is_null() || v.as_str() == Some(""));
        if let (true, Some(map)) = (absent, at.as_object_mut()) {
            map.insert(name.to_owned(), default);
        }
    });
}

/// Takes out every value that is its default.
pub(super) fn strip(pod: &mut Value) {
    each(pod, &mut |at, name, default| {
        if at.get(name) == Some(&default)
            && let Some(map) = at.as_object_mut()
        {
            map.remove(name);
        }
    });
}

fn items<'a>(of: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    of.get_mut(name)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn each(pod: &mut Value, visit: Visit) {
    let Some(spec) = pod.get_mut("spec") else {
        return;
    };
    let host_network = spec["hostNetwork"] == true;
    for list in ["initContainers", "containers"] {
        for container in items(spec, list) {
            container_defaults(container, host_network, visit);
        }
    }
    for volume in items(spec, "volumes") {
        if volume
            .as_object()
            .is_some_and(|map| map.keys().all(|key| key == "name" || key == "emptyDir"))
        {
            visit(volume, "emptyDir", json!({}));
        }
        if let Some(path) = volume.get_mut("hostPath") {
            visit(path, "type", json!(""));
        }
        if let Some(source) = volume.get_mut("downwardAPI") {
            visit(source, "defaultMode", json!(0o644));
            downward_defaults(source, visit);
        }
        if let Some(projected) = volume.get_mut("projected") {
            visit(projected, "defaultMode", json!(0o644));
            for source in items(projected, "sources") {
                if let Some(source) = source.get_mut("downwardAPI") {
                    downward_defaults(source, visit);
                }
            }
        }
    }
    pod_requests(spec, visit);
    for (name, default) in SPEC {
        visit(spec, name, json!(default));
    }
    visit(spec, "enableServiceLinks", json!(true));
    visit(spec, "terminationGracePeriodSeconds", json!(30));
    visit(spec, "securityContext", json!({}));
}

/// A pod with limits as a whole asks for what its containers ask for together, or else for its limits.
///
/// Source: Kubernetes 1.36 `pkg/apis/core/v1/defaults.go` setDefaultPodRequests.
fn pod_requests(spec: &mut Value, visit: Visit) {
    let limits = spec["resources"]["limits"].as_object();
    let Some(limits) = limits.filter(|limits| !limits.is_empty()).cloned() else {
        return;
    };
    let containers = json!({
        "containers": resources_of(&spec["containers"]),
        "initContainers": resources_of(&spec["initContainers"]),
    });
    // What cannot be read is refused elsewhere.
    let asked = PodSpec::deserialize(containers).ok();
    let asked = asked.and_then(|spec| pod_resources(&spec).requests);
    let asked = asked.unwrap_or_default();
    let Some(whole) = spec.get_mut("resources").and_then(Value::as_object_mut) else {
        return;
    };
    let requests = whole.entry("requests").or_insert(json!({}));
    for name in ["cpu", "memory"] {
        let limit = limits.get(name).cloned();
        if let Some(default) = asked.get(name).map(|sum| json!(sum)).or(limit) {
            visit(requests, name, default);
        }
    }
    // These are not overcommitted: a request is as large as its limit.
    for (name, limit) in limits
        .iter()
        .filter(|(name, _)| name.starts_with(HUGEPAGES))
    {
        visit(requests, name, limit.clone());
    }
}

/// Containers with nothing but what they ask for.
fn resources_of(containers: &Value) -> Value {
    let each = containers.as_array().into_iter().flatten();
    let bare = each.map(|one| {
        json!({
            "name": "",
            "resources": one["resources"],
            "restartPolicy": one["restartPolicy"],
        })
    });
    bare.collect()
}

fn downward_defaults(source: &mut Value, visit: Visit) {
    for item in items(source, "items") {
        if let Some(field) = item.get_mut("fieldRef") {
            visit(field, "apiVersion", json!("v1"));
        }
    }
}

fn container_defaults(container: &mut Value, host_network: bool, visit: Visit) {
    let limits = container["resources"]["limits"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    if !limits.is_empty()
        && let Some(resources) = container.get_mut("resources")
    {
        if resources.get("requests").is_none()
            && let Some(map) = resources.as_object_mut()
        {
            map.insert("requests".to_owned(), json!({}));
        }
        for (name, limit) in limits {
            if let Some(requests) = resources.get_mut("requests") {
                visit(requests, &name, limit);
            }
        }
    }
    for port in items(container, "ports") {
        visit(port, "protocol", json!("TCP"));
        if host_network {
            let same = port["containerPort"].clone();
            if port.get("hostPort").is_some_and(|p| *p == 0)
                && let Some(map) = port.as_object_mut()
            {
                map.remove("hostPort");
            }
            visit(port, "hostPort", same);
        }
    }
    for env in items(container, "env") {
        if let Some(field) = env.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef")) {
            visit(field, "apiVersion", json!("v1"));
        }
        if let Some(key) = env
            .get_mut("valueFrom")
            .and_then(|v| v.get_mut("fileKeyRef"))
        {
            visit(key, "optional", json!(false));
        }
    }
    probes::defaults(container, visit);
    lifecycle::defaults(container, visit);
    for (name, default) in CONTAINER {
        visit(container, name, json!(default));
    }
    let policy = pull_policy(container["image"].as_str().unwrap_or_default());
    visit(container, "imagePullPolicy", json!(policy));
    visit(container, "resources", json!({}));
}
