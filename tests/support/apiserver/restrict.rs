//! What a node may do: the Node authorizer, and the admission plugin NodeRestriction.
//!
//! Source: `plugin/pkg/auth/authorizer/node` and `plugin/pkg/admission/noderestriction` of Kubernetes 1.36.

use serde_json::Value;

use super::select::Query;
use super::store::MIRROR;

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// Somebody who may do anything.
    Admin,
    /// `system:node:NAME`.
    Node(String),
}

impl Who {
    /// By the token `node:NAME`, or a client certificate of the group `system:nodes`.
    pub fn of(authorization: &str, certificate: &[u8]) -> Who {
        if let Some(name) = authorization.strip_prefix("Bearer node:") {
            return Who::Node(name.to_owned());
        }
        let groups = texts(certificate, [0x55, 4, 10]);
        let name = texts(certificate, [0x55, 4, 3]).pop();
        let name = name.and_then(|name| name.strip_prefix("system:node:").map(str::to_owned));
        match name {
            Some(name) if groups.iter().any(|group| group == "system:nodes") => Who::Node(name),
            Some(_) | None => Who::Admin,
        }
    }
}

/// The short texts of a kind in the names of a certificate: the issuer's, then the subject's.
fn texts(certificate: &[u8], kind: [u8; 3]) -> Vec<String> {
    let mut texts = Vec::new();
    for (at, window) in certificate.windows(5).enumerate() {
        if window[..2] == [6, 3] && window[2..] == kind {
            let length = certificate.get(at + 6).copied().unwrap_or(0);
            let text = certificate.get(at + 7..at + 7 + usize::from(length));
            texts.push(String::from_utf8_lossy(text.unwrap_or_default()).into_owned());
        }
    }
    texts
}

/// One request, as the rules see it.
pub struct Asked<'a> {
    pub method: &'a str,
    /// The parts of the path behind the version.
    pub rest: &'a [&'a str],
    pub query: &'a Query,
    pub body: &'a Value,
    /// The object that is there; `Null` when none is.
    pub old: &'a Value,
    /// The UID of the node that asks, as admission sees it a little later than the store; `Null` without a Node.
    pub node_uid: &'a Value,
}

/// Why this node may not; `None` when it may.
pub fn refuses(node: &str, asked: &Asked<'_>) -> Option<String> {
    let (old, body) = (asked.old, asked.body);
    let is_own = |pod: &Value| pod["spec"]["nodeName"] == node;
    let forbidden = |what: &str, why: &str| {
        Some(format!(
            "{what} is forbidden: User \"system:node:{node}\" {why}"
        ))
    };
    match (asked.method, asked.rest) {
        ("GET", ["pods"] | ["namespaces", _, "pods"]) => {
            if asked.query.holds("spec.nodeName", node) {
                return None;
            }
            forbidden(
                "pods",
                "cannot list resource \"pods\": can only list/watch pods with spec.nodeName field selector",
            )
        }
        ("GET", ["nodes"]) if asked.query.holds("metadata.name", node) => None,
        ("POST", ["nodes"]) if body["metadata"]["name"] == node => labels(node, body),
        ("GET", ["nodes", name]) if *name == node => None,
        ("PATCH" | "PUT", ["nodes", name] | ["nodes", name, "status"]) if *name == node => {
            if !body["spec"]["taints"].is_null() {
                return forbidden("nodes", "is not allowed to modify taints");
            }
            labels(node, body)
        }
        (_, ["nodes", ..]) => forbidden("nodes", "can only access itself"),
        ("POST", ["namespaces", "kube-node-lease", "leases"])
            if body["metadata"]["name"] == node =>
        {
            None
        }
        ("GET" | "PATCH" | "PUT", ["namespaces", "kube-node-lease", "leases", name])
            if *name == node =>
        {
            None
        }
        (_, ["namespaces", _, "leases", ..]) => forbidden(
            "leases",
            "can only access node lease with the same name as the requesting node",
        ),
        ("POST" | "PATCH" | "PUT", ["namespaces", _, "events", ..]) => None,
        ("POST", ["namespaces", _, "pods"]) => pod(node, asked),
        ("GET", ["namespaces", _, "pods", _]) if old.is_null() || is_own(old) => None,
        ("DELETE", ["namespaces", _, "pods", _]) if old.is_null() || is_own(old) => None,
        ("PATCH" | "PUT", ["namespaces", _, "pods", _, "status"])
            if old.is_null() || is_own(old) =>
        {
            let labels = &body["metadata"]["labels"];
            if labels.is_null() || *labels == old["metadata"]["labels"] {
                return None;
            }
            forbidden("pods", "cannot update labels through pod status")
        }
        _ => forbidden("it", "may not do this"),
    }
}

/// A node makes mirrors of its own, and nothing else.
fn pod(node: &str, asked: &Asked<'_>) -> Option<String> {
    let pod = asked.body;
    let said = |why: &str| {
        Some(format!(
            "pods \"{}\" is forbidden: {why}",
            pod["metadata"]["name"]
        ))
    };
    if !pod["metadata"]["annotations"][MIRROR].is_string() {
        return said("pod does not have the mirror annotation, node can only create mirror pods");
    }
    if pod["spec"]["nodeName"] != node {
        return said("node can only create pods with spec.nodeName set to itself");
    }
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let Some([owner]) = owners.map(Vec::as_slice) else {
        return said("node can only create pods with a single owner reference set to itself");
    };
    if owner["apiVersion"] != "v1" || owner["kind"] != "Node" || owner["name"] != node {
        return said("node can only create pods with an owner reference set to itself");
    }
    if owner["controller"] != true {
        return said("node can only create pods with a controller owner reference set to itself");
    }
    if owner["blockOwnerDeletion"] == true {
        return said("node must not set blockOwnerDeletion on an owner reference");
    }
    if asked.node_uid.is_null() || owner["uid"] != *asked.node_uid {
        return said(&format!(
            "node UID mismatch: expected {}, got {}",
            asked.node_uid, owner["uid"]
        ));
    }
    let spec = &pod["spec"];
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let names = ["secret", "configMap", "persistentVolumeClaim"];
    if !spec["serviceAccountName"].is_null() {
        return said("node can not create pods that reference a service account");
    }
    for volume in volumes {
        if names.iter().any(|name| !volume[*name].is_null()) {
            return said("node can not create pods that reference API objects");
        }
    }
    None
}

/// Labels of Kubernetes' own that a node may give itself.
fn labels(node: &str, body: &Value) -> Option<String> {
    const OWN: [&str; 11] = [
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
    ];
    let is_reserved = |key: &str| {
        let space = key.split_once('/').map_or("", |(space, _)| space);
        let is_of = |domain: &str| space == domain || space.ends_with(&format!(".{domain}"));
        let is_free = ["node.kubernetes.io", "kubelet.kubernetes.io"]
            .iter()
            .any(|free| space == *free || space.ends_with(&format!(".{free}")));
        (is_of("kubernetes.io") || is_of("k8s.io")) && !is_free && !OWN.contains(&key)
    };
    let labels = body["metadata"]["labels"].as_object()?;
    let bad = labels.keys().find(|key| is_reserved(key))?;
    Some(format!(
        "nodes \"{node}\" is forbidden: is not allowed to set the following labels: {bad}"
    ))
}
