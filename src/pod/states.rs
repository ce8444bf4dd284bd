//! Which fields are honoured, carried or refused; `fields.rs` asks.

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It has its effect.
    Honoured,
    /// It is kept and means nothing on one node.
    Carried,
    /// A manifest that uses it is refused.
    Refused,
}

/// One entry: it covers its path and all below.
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) state: State,
    /// What to use instead.
    pub(super) note: &'static str,
    /// The value that means the same as leaving it out.
    pub(super) harmless: &'static str,
}

const CLUSTER: &str = "it needs a cluster; use hostPath, emptyDir or literal values";
const NO_TCP_HOOK: &str = "a kubelet cannot do that either; use exec, httpGet or sleep";

/// The entry for a path: the longest that covers it.
pub(super) fn state_of(table: &str) -> Option<Entry> {
    // What an init container has of its own comes first; for the rest it is a container like any other.
    let own = entry_of(table);
    let init = table.strip_prefix("spec.initContainers[]");
    own.or_else(|| entry_of(&format!("spec.containers[]{}", init?)))
}

fn entry_of(table: &str) -> Option<Entry> {
    let covers = |path: &str| {
        table
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let long = |list: &[(&'static str, &'static str, &'static str)], state| {
        let entries = list.iter().filter(|(path, ..)| covers(path));
        entries
            .max_by_key(|(path, ..)| path.len())
            .map(|(path, note, harmless)| Entry {
                path,
                state,
                note,
                harmless,
            })
    };
    let plain = |list: &[&'static str], state| {
        let paths = list
            .iter()
            .filter(|path| covers(path))
            .max_by_key(|path| path.len());
        paths.map(|path| Entry {
            path,
            state,
            note: "",
            harmless: "",
        })
    };
    [
        long(REFUSED, State::Refused),
        plain(HONOURED, State::Honoured),
        plain(CARRIED, State::Carried),
    ]
    .into_iter()
    .flatten()
    .max_by_key(|entry| entry.path.len())
}

const HONOURED: &[&str] = &[
    "spec.restartPolicy",
    "spec.activeDeadlineSeconds",
    "spec.terminationGracePeriodSeconds",
    "spec.hostNetwork",
    "spec.hostPID",
    "spec.hostIPC",
    "spec.shareProcessNamespace",
    "spec.hostname",
    "spec.subdomain",
    "spec.setHostnameAsFQDN",
    "spec.hostnameOverride",
    "spec.hostAliases[]",
    "spec.dnsPolicy",
    "spec.dnsConfig",
    "spec.enableServiceLinks",
    "spec.priorityClassName",
    "spec.resources",
    "spec.securityContext",
    "spec.volumes[].name",
    "spec.volumes[].emptyDir",
    "spec.volumes[].hostPath",
    "spec.volumes[].downwardAPI",
    "spec.volumes[].projected",
    "spec.containers[]",
];

const CARRIED: &[&str] = &[
    "spec.affinity",
    "spec.tolerations[]",
    "spec.topologySpreadConstraints[]",
    "spec.schedulerName",
    "spec.priority",
    "spec.preemptionPolicy",
    "spec.nodeName",
    "spec.nodeSelector{}",
    "spec.readinessGates[]",
    // A pod from a manifest is never resized: an edit replaces it.
    "spec.containers[].resizePolicy[]",
    // For volumes of a cluster's drivers; all others are relabelled either way.
    "spec.securityContext.seLinuxChangePolicy",
    "spec.overhead{}",
    "spec.automountServiceAccountToken",
    "spec.os",
];

/// Path, what to use instead, and the value that is let through.
const REFUSED: &[(&str, &str, &str)] = &[
    ("spec.resources.claims[]", CLUSTER, ""),
    (
        "spec.hostUsers",
        "Docker has no user namespace of a pod's own; for all containers dockerd has userns-remap",
        "true",
    ),
    (
        "spec.runtimeClassName",
        "a RuntimeClass is an object of a cluster; dockerd has default-runtime",
        "",
    ),
    ("spec.schedulingGroup", CLUSTER, "{}"),
    ("spec.schedulingGates[]", CLUSTER, ""),
    ("spec.resourceClaims[]", CLUSTER, ""),
    (
        "spec.imagePullSecrets[]",
        "put registry credentials into the node's config.json",
        "",
    ),
    ("spec.ephemeralContainers[]", "cannot be set on create", ""),
    ("spec.serviceAccount", CLUSTER, ""),
    ("spec.serviceAccountName", CLUSTER, ""),
    (
        "spec.securityContext.windowsOptions",
        "only linux runs here",
        "{}",
    ),
    (
        "spec.securityContext.supplementalGroupsPolicy",
        "Docker adds the groups of the image's /etc/group to every user, which a kubelet refuses as well",
        "Merge",
    ),
    ("spec.volumes[]", CLUSTER, ""),
    (
        "spec.volumes[].projected.sources[].clusterTrustBundle",
        CLUSTER,
        "",
    ),
    ("spec.volumes[].projected.sources[].configMap", CLUSTER, ""),
    (
        "spec.volumes[].projected.sources[].podCertificate",
        CLUSTER,
        "",
    ),
    ("spec.volumes[].projected.sources[].secret", CLUSTER, ""),
    (
        "spec.volumes[].projected.sources[].serviceAccountToken",
        CLUSTER,
        "",
    ),
    (
        "spec.volumes[].image",
        "Docker below 28, and without the containerd image store, mounts no images; let an init container of that image copy its files into an emptyDir",
        "",
    ),
    ("spec.containers[].envFrom[]", CLUSTER, ""),
    (
        "spec.containers[].env[].valueFrom.configMapKeyRef",
        CLUSTER,
        "",
    ),
    (
        "spec.containers[].env[].valueFrom.secretKeyRef",
        CLUSTER,
        "",
    ),
    (
        "spec.containers[].lifecycle.postStart.tcpSocket",
        NO_TCP_HOOK,
        "",
    ),
    (
        "spec.containers[].lifecycle.preStop.tcpSocket",
        NO_TCP_HOOK,
        "",
    ),
    ("spec.containers[].resources.claims[]", CLUSTER, ""),
    (
        "spec.containers[].securityContext.windowsOptions",
        "only linux runs here",
        "{}",
    ),
    ("spec.containers[].volumeDevices[]", CLUSTER, ""),
];
