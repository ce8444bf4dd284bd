//! The Node object of this machine, as a kubelet would register and report it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::sys::files::sha256;
use crate::sys::{Gather, Wall};

/// What a kubelet keeps from pods by default, `evictionHard`: 100 Mi of memory and a tenth of the disk.
const MEMORY_KEPT_KIB: u64 = 100 * 1024;

/// A tenth as the kubelet has it, a 32-bit fraction: without its error allocatable would differ in the last digits.
const DISK_KEPT: (u128, u32) = (13_421_773, 27);

/// As in a kubelet.
const PODS_MAX: u32 = 110;

/// What the user says of the Node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSettings {
    /// `--node-labels`.
    pub labels: BTreeMap<String, String>,
    /// `--register-with-taints`: key, value, effect.
    pub taints: Vec<(String, String, String)>,
    /// How long its Lease holds without being renewed.
    pub lease_seconds: u32,
}

/// What a machine is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    /// The node's name.
    pub name: String,
    /// Its address; empty when none is known.
    pub ip: String,
    /// Cores.
    pub cpus: u64,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// The file system of the root directory, in KiB.
    pub disk_kib: u64,
    /// Huge pages: size as in resource names (`2Mi`), and bytes of them.
    pub hugepages: BTreeMap<String, u64>,
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// DMI product UUID.
    pub system_uuid: String,
    /// Of this boot.
    pub boot_id: String,
    /// `uname -r`.
    pub kernel: String,
    /// `PRETTY_NAME`.
    pub os_image: String,
    /// As Go names it: `amd64`.
    pub architecture: String,
    /// dockerd's version; empty when it does not answer.
    pub docker_version: String,
    /// Why no pod can be run; `None` when all is well.
    pub trouble: Option<String>,
}

/// The Node as it is posted when there is none.
pub fn node(machine: &Machine, settings: &NodeSettings, now: Wall) -> Value {
    let mut labels = default_labels(machine);
    labels.extend(settings.labels.clone());
    let mut spec = Map::new();
    if !settings.taints.is_empty() {
        let taints = settings.taints.iter().map(|(key, value, effect)| {
            let mut taint = json!({"key": key, "effect": effect});
            if let (false, Some(map)) = (value.is_empty(), taint.as_object_mut()) {
                map.insert("value".to_owned(), json!(value));
            }
            taint
        });
        spec.insert("taints".to_owned(), taints.collect());
    }
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": machine.name,
            "labels": labels,
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": spec,
        "status": status(machine, &Value::Null, now),
    })
}

fn default_labels(machine: &Machine) -> BTreeMap<String, String> {
    let arch = machine.architecture.as_str();
    let rows = [
        ("beta.kubernetes.io/arch", arch),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", arch),
        ("kubernetes.io/hostname", machine.name.as_str()),
        ("kubernetes.io/os", "linux"),
    ];
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    rows.into_iter().map(pair).gather()
}

/// The patch that gives an existing Node the labels that every node has; `None` when it has them. Labels and taints of the
/// user are given to a new Node only, as in the kubelet.
pub fn labels_patch(machine: &Machine, shown: &Value) -> Option<Value> {
    let wanted = default_labels(machine);
    let labels = shown.pointer("/metadata/labels");
    let is_shown = |key: &str, value: &str| {
        let there = labels.and_then(|labels| labels.get(key));
        there.and_then(Value::as_str) == Some(value)
    };
    let missing: BTreeMap<_, _> = wanted
        .iter()
        .filter(|(key, value)| !is_shown(key, value))
        .gather();
    (!missing.is_empty()).then(|| json!({"metadata": {"labels": missing}}))
}

/// The patch of an existing Node's status. It always says something: it is the heartbeat.
pub fn status_patch(machine: &Machine, shown: &Value, now: Wall) -> Value {
    let mut status = status(machine, shown.get("status").unwrap_or(&Value::Null), now);
    // Merged by type: without this word an address that is gone would stay.
    if let Some(Value::Array(list)) = status.get_mut("addresses") {
        list.insert(0, json!({"$patch": "replace"}));
    }
    json!({ "status": status })
}

fn status(machine: &Machine, shown: &Value, now: Wall) -> Value {
    let disk = u128::from(machine.disk_kib) * 1024;
    let disk_left = disk - ((disk * DISK_KEPT.0) >> DISK_KEPT.1);
    let huge_kib: u64 = machine.hugepages.values().sum::<u64>() / 1024;
    let memory_left = machine
        .memory_kib
        .saturating_sub(MEMORY_KEPT_KIB)
        .saturating_sub(huge_kib);
    let mut capacity = json!({
        "cpu": machine.cpus.to_string(),
        "ephemeral-storage": format!("{}Ki", machine.disk_kib),
        "memory": format!("{}Ki", machine.memory_kib),
        "pods": PODS_MAX.to_string(),
    });
    if let Some(map) = capacity.as_object_mut() {
        for (size, bytes) in &machine.hugepages {
            map.insert(format!("hugepages-{size}"), json!(bytes.to_string()));
        }
    }
    let mut allocatable = capacity.clone();
    if let Some(map) = allocatable.as_object_mut() {
        map.insert("ephemeral-storage".to_owned(), json!(disk_left.to_string()));
        map.insert("memory".to_owned(), json!(format!("{memory_left}Ki")));
    }
    let mut addresses = vec![json!({"type": "Hostname", "address": machine.name})];
    if !machine.ip.is_empty() {
        addresses.insert(0, json!({"type": "InternalIP", "address": machine.ip}));
    }
    json!({
        "addresses": addresses,
        "capacity": capacity,
        "allocatable": allocatable,
        "conditions": conditions(machine, shown, now),
        "nodeInfo": {
            "machineID": machine.machine_id,
            "systemUUID": machine.system_uuid,
            "bootID": machine.boot_id,
            "kernelVersion": machine.kernel,
            "osImage": machine.os_image,
            "containerRuntimeVersion": format!("docker://{}", machine.docker_version),
            "kubeletVersion": concat!("v1.36.0+staticlet.", env!("CARGO_PKG_VERSION")),
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": machine.architecture,
        },
    })
}

/// Source: kubelet 1.36 `nodestatus/setters.go`, its words and its order.
fn conditions(machine: &Machine, shown: &Value, now: Wall) -> Vec<Value> {
    let ready = match &machine.trouble {
        None => (
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status",
        ),
        Some(why) => ("Ready", "False", "KubeletNotReady", why.as_str()),
    };
    let rows = [
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        (
            "DiskPressure",
            "False",
            "KubeletHasNoDiskPressure",
            "kubelet has no disk pressure",
        ),
        (
            "PIDPressure",
            "False",
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        ready,
    ];
    let shown = shown.get("conditions").and_then(Value::as_array);
    let row = |(kind, status, reason, message): (&str, &str, &str, &str)| {
        let mut before = shown.into_iter().flatten();
        let before = before.find(|one| one["type"] == kind && one["status"] == status);
        let since = before.and_then(|one| one["lastTransitionTime"].as_str());
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now.to_string(),
            "lastTransitionTime": since.map_or_else(|| now.to_string(), str::to_owned),
        })
    };
    rows.into_iter().map(row).collect()
}

/// Changes with everything that a Node tells of its machine, and not with the time.
pub fn digest(machine: &Machine) -> String {
    let status = status(machine, &Value::Null, Wall(0));
    sha256(status.to_string().as_bytes())
}

/// The Lease of a node, or its renewal: the same words do both.
pub fn lease(name: &str, node_uid: &str, seconds: u32, now: Wall) -> Value {
    let micros = now.0.rem_euclid(1_000_000);
    let second = now.to_string();
    let time = format!("{}.{micros:06}Z", second.trim_end_matches('Z'));
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": name, "namespace": "kube-node-lease",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}],
        },
        "spec": {"holderIdentity": name, "leaseDurationSeconds": seconds, "renewTime": time},
    })
}
