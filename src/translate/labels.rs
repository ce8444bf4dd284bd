//! Names and labels, both ways.
//!
//! Labels are the memory of the agent: whatever it needs to know of a container when its manifest is gone stands here.
//! They are what kubelet and cri-dockerd write, for the sake of every script that reads them, and one more:
//! [`ROOT_LABEL`] says which agent a container belongs to. A container without it was made by a kubelet, and one with
//! another root directory by another agent on the same dockerd: neither is ever touched.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerPort};
use serde::Serialize;

use crate::pod::{ContainerName, PodKey, PodUid, Problem, SpecHash, ValidPod};
use crate::state::{ContainerId, Node};
use crate::sys::{Gather, Wall};

use super::{hooks, paths};

/// Says that a container is ours: the agent's root directory.
pub const ROOT_LABEL: &str = "staticlet.root-dir";

/// The label of everything that belongs to the agent of this node, as dockerd filters by it.
pub fn own_label(root_dir: &str) -> String {
    format!("{ROOT_LABEL}={root_dir}")
}

/// The container name that marks a sandbox.
pub const SANDBOX: &str = "POD";

const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";
const CONTAINER_NAME: &str = "io.kubernetes.container.name";
const LOG_PATH: &str = "io.kubernetes.container.logpath";
pub(super) const SANDBOX_ID: &str = "io.kubernetes.sandbox.id";
const TYPE: &str = "io.kubernetes.docker.type";
const TYPE_SANDBOX: &str = "podsandbox";
const TYPE_CONTAINER: &str = "container";
const CONFIG_HASH: &str = "annotation.kubernetes.io/config.hash";
const CONFIG_SEEN: &str = "annotation.kubernetes.io/config.seen";
const CONTAINER_HASH: &str = "annotation.io.kubernetes.container.hash";
const RESTART_COUNT: &str = "annotation.io.kubernetes.container.restartCount";
const MESSAGE_PATH: &str = "annotation.io.kubernetes.container.terminationMessagePath";
const MESSAGE_POLICY: &str = "annotation.io.kubernetes.container.terminationMessagePolicy";
/// Ours: the place of a restartable init container in the manifest, for the order in which they stop.
const SIDECAR: &str = "staticlet.sidecar";
pub(super) const PORTS: &str = "annotation.io.kubernetes.container.ports";
pub(super) const PRE_STOP: &str = "annotation.io.kubernetes.container.preStopHandler";
const GRACE: &str = "annotation.io.kubernetes.pod.terminationGracePeriod";

/// What a container's name and labels say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Which pod.
    pub key: PodKey,
    /// Which version of it.
    pub uid: PodUid,
    /// The last part of the name; a container's restart count.
    pub attempt: u32,
    /// What it is in the pod.
    pub role: Role,
}

/// What a container is in its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The sandbox.
    Sandbox {
        /// The pod's hash when it was made.
        hash: Option<SpecHash>,
        /// When the pod was first seen.
        seen: Option<Wall>,
    },
    /// A container of the manifest.
    Container {
        /// Its name there.
        name: ContainerName,
        /// The sandbox it was made in.
        sandbox: ContainerId,
        /// Seconds of grace when it was made.
        grace_seconds: Option<u32>,
        /// Its place among the init containers, if it is one that runs on beside the others.
        sidecar: Option<u32>,
        /// It has a preStop hook.
        pre_stop: bool,
        /// Where it finds its termination-message file; empty for none.
        message_path: String,
        /// It wants the end of its log as its message when the file is empty.
        message_from_log: bool,
    },
}

/// The name of a sandbox.
pub fn sandbox_name(key: &PodKey, uid: &PodUid, attempt: u32) -> String {
    name(SANDBOX, key, uid, attempt)
}

/// The name of a container.
pub fn container_name(
    key: &PodKey,
    uid: &PodUid,
    container: &ContainerName,
    attempt: u32,
) -> String {
    name(container.as_str(), key, uid, attempt)
}

fn name(container: &str, key: &PodKey, uid: &PodUid, attempt: u32) -> String {
    let PodKey { namespace, name } = key;
    format!("k8s_{container}_{name}_{namespace}_{uid}_{attempt}")
}

/// The labels of a sandbox: the pod's own labels and annotations, then ours, which win.
pub(super) fn sandbox_labels(pod: &ValidPod, node: &Node, seen: Wall) -> BTreeMap<String, String> {
    let meta = &pod.pod.metadata;
    let mut labels = meta.labels.clone().unwrap_or_default();
    for (key, value) in meta.annotations.iter().flatten() {
        labels.insert(format!("annotation.{key}"), value.clone());
    }
    labels.insert(CONFIG_SEEN.into(), seen.timestamp().to_string());
    labels.insert(CONFIG_HASH.into(), pod.hash.0.clone());
    labels.insert(CONTAINER_NAME.into(), SANDBOX.into());
    labels.insert(TYPE.into(), TYPE_SANDBOX.into());
    pod_labels(&mut labels, pod, node);
    labels
}

/// The labels of a container. The pod's own labels are on the sandbox only.
pub(super) fn container_labels(
    pod: &ValidPod,
    node: &Node,
    container: &Container,
    made: Made<'_>,
) -> Result<BTreeMap<String, String>, Problem> {
    let name = ContainerName(container.name.clone());
    let logs = paths::container_logs_dir(node, &pod.key, &pod.uid, &name);
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let mut labels: BTreeMap<String, String> = [
        (CONTAINER_NAME.into(), name.0),
        (TYPE.into(), TYPE_CONTAINER.into()),
        (LOG_PATH.into(), paths::container_log(&logs, made.attempt)),
        (SANDBOX_ID.into(), made.sandbox.0.clone()),
        (CONTAINER_HASH.into(), container_hash(container)),
        (RESTART_COUNT.into(), made.attempt.to_string()),
        (
            MESSAGE_PATH.into(),
            text(&container.termination_message_path),
        ),
        (
            MESSAGE_POLICY.into(),
            text(&container.termination_message_policy),
        ),
    ]
    .into_iter()
    .gather();
    let spec = pod.pod.spec.as_ref();
    if let Some(grace) = spec.and_then(|s| s.termination_grace_period_seconds) {
        labels.insert(GRACE.into(), grace.to_string());
    }
    let init = spec.and_then(|spec| spec.init_containers.as_ref());
    let place = init.and_then(|init| init.iter().position(|c| c.name == container.name));
    if let Some(at) = place.filter(|_| container.restart_policy.as_deref() == Some("Always")) {
        labels.insert(SIDECAR.into(), at.to_string());
    }
    let ports = container.ports.as_deref().unwrap_or_default();
    if !ports.is_empty() {
        let ports: Vec<PortLabel<'_>> = ports.iter().map(PortLabel::of).collect();
        let text = serde_json::to_string(&ports)
            .map_err(|e| Problem::new("spec.containers[].ports", e.to_string()))?;
        labels.insert(PORTS.into(), text);
    }
    if let Some(text) = hooks::label(container)? {
        labels.insert(PRE_STOP.into(), text);
    }
    pod_labels(&mut labels, pod, node);
    Ok(labels)
}

/// What a container's labels say of its making.
#[derive(Clone, Copy)]
pub(super) struct Made<'a> {
    /// Its attempt.
    pub(super) attempt: u32,
    /// Its sandbox.
    pub(super) sandbox: &'a ContainerId,
}

/// A port with its fields in Go's order, so that the label is the kubelet's byte for byte.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PortLabel<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_port: Option<i32>,
    container_port: i32,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
    #[serde(rename = "hostIP", skip_serializing_if = "str::is_empty")]
    host_ip: &'a str,
}

impl<'a> PortLabel<'a> {
    fn of(port: &'a ContainerPort) -> PortLabel<'a> {
        PortLabel {
            name: port.name.as_deref().unwrap_or_default(),
            host_port: port.host_port.filter(|&port| port != 0),
            container_port: port.container_port,
            protocol: port.protocol.as_deref().unwrap_or_default(),
            host_ip: port.host_ip.as_deref().unwrap_or_default(),
        }
    }
}

fn pod_labels(labels: &mut BTreeMap<String, String>, pod: &ValidPod, node: &Node) {
    labels.insert(POD_NAME.into(), pod.key.name.clone());
    labels.insert(POD_NAMESPACE.into(), pod.key.namespace.clone());
    labels.insert(POD_UID.into(), pod.uid.0.clone());
    labels.insert(ROOT_LABEL.into(), node.root_dir.clone());
}

/// The kubelet's hash of a container's name and image: FNV-1a over Go's print of the bytes of a small JSON object.
///
/// Source: kubelet 1.36 `container/helpers.go` `HashContainer`, `pkg/util/hash`.
fn container_hash(container: &Container) -> String {
    let image = container.image.as_deref().unwrap_or_default();
    let json = format!(
        "{{\"image\":{},\"name\":{}}}",
        go_json_string(image),
        go_json_string(&container.name)
    );
    let digits: Vec<String> = json.bytes().map(|b| b.to_string()).collect();
    let text = format!("([]uint8)[{}]", digits.join(" "));
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:x}")
}

/// A JSON string as Go prints it, which escapes what HTML would take for markup.
fn go_json_string(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

/// Reads a container's name and labels back.
///
/// # Errors
/// The reason, as a clause, why the container is not ours; then it must not be touched.
pub fn read_identity(
    name: &str,
    labels: &BTreeMap<String, String>,
    node: &Node,
) -> Result<Identity, String> {
    let get = |key: &str| {
        let value = labels.get(key).map(String::as_str);
        value.ok_or_else(|| format!("it has no label {key}"))
    };
    match labels.get(ROOT_LABEL) {
        None => return Err("it was not made by staticlet".into()),
        Some(root) if *root != node.root_dir => {
            return Err(format!(
                "it belongs to the staticlet with --root-dir={root}"
            ));
        }
        Some(_) => {}
    }
    let key = PodKey {
        namespace: plain(POD_NAMESPACE, get(POD_NAMESPACE)?)?.to_owned(),
        name: plain(POD_NAME, get(POD_NAME)?)?.to_owned(),
    };
    let uid = PodUid(plain(POD_UID, get(POD_UID)?)?.to_owned());
    let container = plain(CONTAINER_NAME, get(CONTAINER_NAME)?)?;
    let attempt = attempt_of(name, &[container, &key.name, &key.namespace, uid.as_str()])?;
    let role = match get(TYPE)? {
        TYPE_SANDBOX if container == SANDBOX => Role::Sandbox {
            hash: labels.get(CONFIG_HASH).cloned().map(SpecHash),
            seen: labels.get(CONFIG_SEEN).and_then(|seen| Wall::parse(seen)),
        },
        TYPE_CONTAINER => Role::Container {
            name: ContainerName(container.to_owned()),
            sandbox: ContainerId(get(SANDBOX_ID)?.to_owned()),
            // A grace below zero is what the API turns into one second.
            grace_seconds: labels
                .get(GRACE)
                .and_then(|text| text.parse::<i64>().ok())
                .map(|grace| u32::try_from(grace).unwrap_or(if grace < 0 { 1 } else { u32::MAX })),
            sidecar: labels.get(SIDECAR).and_then(|text| text.parse().ok()),
            pre_stop: labels.contains_key(PRE_STOP),
            message_path: labels.get(MESSAGE_PATH).cloned().unwrap_or_default(),
            message_from_log: labels.get(MESSAGE_POLICY).map(String::as_str)
                == Some("FallbackToLogsOnError"),
        },
        other => return Err(format!("its label {TYPE} is {other:?}")),
    };
    Ok(Identity {
        key,
        uid,
        attempt,
        role,
    })
}

/// A label's value that goes into paths.
fn plain<'a>(label: &str, value: &'a str) -> Result<&'a str, String> {
    if paths::is_plain_name(value) {
        Ok(value)
    } else {
        Err(format!("its label {label} is {value:?}"))
    }
}

/// The last part of a name whose other parts are known. cri-dockerd's seventh part, a random suffix after a name
/// conflict, is accepted and dropped.
fn attempt_of(name: &str, parts: &[&str]) -> Result<u32, String> {
    let wrong = || format!("its name {name:?} does not agree with its labels");
    let mut found = name.strip_prefix('/').unwrap_or(name).split('_');
    if found.next() != Some("k8s") {
        return Err(wrong());
    }
    for part in parts {
        if found.next() != Some(part) {
            return Err(wrong());
        }
    }
    let attempt = found.next().and_then(|text| text.parse().ok());
    match (attempt, found.next(), found.next()) {
        (Some(attempt), _, None) => Ok(attempt),
        _ => Err(wrong()),
    }
}
