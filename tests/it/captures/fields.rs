//! Which fields are compared, and what differs on purpose.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use staticlet::pod::ValidPod;
use staticlet::sys::Wall;
use staticlet::translate::ROOT_LABEL;

use super::recorded::Inspect;

/// What differs on purpose, each with its reason.
pub(super) fn expect_difference(
    field: &str,
    pod: &ValidPod,
    container: &str,
    (ours, theirs): (&Value, &Value),
) -> bool {
    let spec = pod.pod.spec.as_ref().unwrap();
    match field {
        // The kubelet of the captures had no right to lower the score, and a cri-dockerd patched to ask for 0.
        "HostConfig.OomScoreAdj" => container == "POD" && *ours == -998 && theirs.is_null(),
        // dockerd lists what it masks when it is not told; a sandbox leaves it to dockerd.
        "HostConfig.MaskedPaths" | "HostConfig.ReadonlyPaths" => ours.is_null(),
        // A kubelet without a cluster domain ends the name in a dot.
        "Config.Hostname" if spec.host_network != Some(true) => {
            theirs.as_str().map(|s| s.trim_end_matches('.')) == ours.as_str()
        }
        // On the host's network dockerd copies the machine's name.
        "Config.Hostname" => ours.is_null(),
        // dockerd adds this to whatever shares a namespace of the machine or is privileged.
        "HostConfig.SecurityOpt" => {
            let mut asked = theirs.as_array().cloned().unwrap_or_default();
            asked.pop_if(|last| last == "label=disable");
            *ours == dense(Value::Array(asked))
        }
        _ => false,
    }
}

/// Every field that is compared: what is sent and what is recorded, both without their empty values.
pub(super) fn fields(
    body: &Value,
    inspect: &Inspect,
    sandbox: bool,
) -> BTreeMap<String, (Value, Value)> {
    let mut out = BTreeMap::new();
    let mut put = |name: String, ours: Value, theirs: Value| {
        out.insert(name, (dense(ours), dense(theirs)));
    };
    let mut config = vec![
        "User",
        "Image",
        "WorkingDir",
        "Tty",
        "OpenStdin",
        "StdinOnce",
        "Healthcheck",
        "ExposedPorts",
        "StopSignal",
    ];
    if sandbox {
        config.push("Hostname");
    } else {
        config.extend(["Cmd", "Entrypoint"]);
    }
    for name in config {
        put(
            format!("Config.{name}"),
            body[name].clone(),
            inspect.config(name).clone(),
        );
    }
    put(
        "Config.Env".into(),
        env(&body["Env"]),
        env(inspect.config("Env")),
    );
    let labels = |labels: &Value| {
        let mut labels = labels.as_object().cloned().unwrap_or_default();
        labels.remove(ROOT_LABEL);
        for label in labels.values_mut() {
            *label = cut_to_micros(label);
        }
        Value::Object(labels)
    };
    put(
        "Config.Labels".into(),
        labels(&body["Labels"]),
        labels(inspect.config("Labels")),
    );
    let names: BTreeSet<String> = [&body["HostConfig"], &inspect.0["HostConfig"]]
        .iter()
        .flat_map(|c| c.as_object().unwrap().keys().cloned())
        .collect();
    for name in names {
        let ours = body["HostConfig"][&name].clone();
        let theirs = inspect.0["HostConfig"][&name].clone();
        match name.as_str() {
            // Log rotation is ours alone; the others are dockerd's answers to what was not asked.
            "LogConfig" | "CgroupnsMode" | "Runtime" => {}
            "RestartPolicy" => put(
                "HostConfig.RestartPolicy".into(),
                ours["Name"].clone(),
                theirs["Name"].clone(),
            ),
            "Mounts" => put("HostConfig.Mounts".into(), mounts(ours), mounts(theirs)),
            _ => put(format!("HostConfig.{name}"), ours, theirs),
        }
    }
    out
}

/// API 1.41 drops what it does not know.
fn mounts(mut mounts: Value) -> Value {
    for mount in mounts.as_array_mut().into_iter().flatten() {
        if let Some(options) = mount["BindOptions"].as_object_mut() {
            options.remove("ReadOnlyNonRecursive");
        }
    }
    mounts
}

/// What a kubelet tells a container that has no memory limit: the node's memory but 100 MiB that it keeps back for
/// eviction. Here nothing is evicted and nothing kept back.
const ALLOCATABLE: &str = "=25171206144";
const CAPACITY: &str = "=25276063744";

/// A kubelet's order is random, and it had an API server to make variables of.
fn env(lines: &Value) -> Value {
    let lines = lines.as_array().cloned().unwrap_or_default();
    let set: BTreeSet<String> = lines
        .iter()
        .filter_map(Value::as_str)
        .filter(|line| !line.starts_with("KUBERNETES_"))
        .map(|line| line.replace(ALLOCATABLE, CAPACITY))
        .collect();
    json!(set)
}

/// Our clock has microseconds, Go's has nanoseconds.
fn cut_to_micros(value: &Value) -> Value {
    match value.as_str().and_then(|t| Some((t, Wall::parse(t)?))) {
        Some((_, at)) => json!(at.timestamp().to_string()),
        None => value.clone(),
    }
}

/// Without what means nothing: null, false, 0, "", [], {} and objects of these.
fn dense(value: Value) -> Value {
    match value {
        Value::Bool(false) => Value::Null,
        Value::String(s) if s.is_empty() => Value::Null,
        Value::Number(n) if n.as_i64() == Some(0) => Value::Null,
        Value::Array(a) if a.is_empty() => Value::Null,
        Value::Array(a) if a.iter().all(|v| v.as_i64() == Some(0)) => Value::Null,
        Value::Array(a) => a
            .into_iter()
            .map(|v| if v.is_object() { dense(v) } else { v })
            .collect(),
        Value::Object(o) => {
            let o: Map<String, Value> = o
                .into_iter()
                .map(|(k, v)| (k, if v.is_string() { v } else { dense(v) }))
                .filter(|(_, v)| !v.is_null() && v != "")
                .collect();
            if o.is_empty() {
                Value::Null
            } else {
                Value::Object(o)
            }
        }
        other => other,
    }
}
