//! Every setting, as data: its flag, its field of a KubeletConfiguration, its default, and what a change of it needs.

use crate::state::RESOLV_CONF;

/// What a field of the file looks like, and how it is written as a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A string; an empty one is no setting, as in a kubelet.
    Text,
    /// A path, relative to the directory of its file.
    Path,
    /// The same, and empty is a setting.
    PathOrEmpty,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A list of strings; as a flag with commas between.
    List,
    /// A map from names to lists of strings.
    Headers,
    /// A list of v1 Taints.
    Taints,
}

/// What a change needs to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// SIGHUP.
    Reload,
    /// SIGHUP; containers that are there keep what they were made with.
    NewContainers,
    /// A restart of the agent.
    Restart,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The flag without its dashes; empty for one that only a file can set.
    pub(super) flag: &'static str,
    /// The field, with a dot for one below another; empty for one that only a flag can set.
    pub(super) field: &'static str,
    /// As it would be typed.
    pub(super) default: &'static str,
    /// What it looks like in a file.
    pub(super) form: Form,
    /// What a change of it needs.
    pub(super) change: Change,
}

const fn row(
    (flag, field): (&'static str, &'static str),
    default: &'static str,
    form: Form,
    change: Change,
) -> Row {
    Row {
        flag,
        field,
        default,
        form,
        change,
    }
}

use Change::{NewContainers, Reload, Restart};
use Form::{Bool, Headers, List, Number, Path, PathOrEmpty, Taints, Text};

/// Every setting, in the order in which they are shown. Defaults are those of the kubelet, or ours where there must be
/// another.
pub(super) const ROWS: &[Row] = &[
    row(("config", ""), "", Path, Restart),
    row(("config-dir", ""), "", Path, Restart),
    row(("pod-manifest-path", "staticPodPath"), "", Path, Reload),
    row(
        ("file-check-frequency", "fileCheckFrequency"),
        "20s",
        Text,
        Reload,
    ),
    row(("allow-unknown-fields", ""), "false", Bool, Reload),
    row(("allow-untrusted-manifests", ""), "false", Bool, Reload),
    row(("manifest-url", "staticPodURL"), "", Text, Reload),
    row(
        ("manifest-url-header", "staticPodURLHeader"),
        "",
        Headers,
        Reload,
    ),
    row(("manifest-url-ca-file", ""), "", Path, Reload),
    row(("manifest-url-client-cert", ""), "", Path, Reload),
    row(("manifest-url-client-key", ""), "", Path, Reload),
    row(("manifest-url-sha256", ""), "", Text, Reload),
    row(("manifest-url-public-key", ""), "", Text, Reload),
    row(
        ("http-check-frequency", "httpCheckFrequency"),
        "20s",
        Text,
        Reload,
    ),
    row(("hostname-override", ""), "", Text, Restart),
    row(("node-ip", ""), "", Text, Reload),
    row(("root-dir", ""), "/var/lib/staticlet", Path, Restart),
    row(("run-dir", ""), "/run/staticlet", Path, Restart),
    row(("", "podLogsDir"), "/var/log/pods", Path, Restart),
    row(
        ("container-runtime-endpoint", ""),
        "unix:///var/run/docker.sock",
        Text,
        Restart,
    ),
    row(("pod-infra-container-image", ""), "", Text, NewContainers),
    row(("image-preload-dir", ""), "", Path, Reload),
    row(
        ("image-gc-high-threshold", "imageGCHighThresholdPercent"),
        "85",
        Number,
        Reload,
    ),
    row(
        ("image-gc-low-threshold", "imageGCLowThresholdPercent"),
        "80",
        Number,
        Reload,
    ),
    row(
        ("minimum-image-ttl-duration", "imageMinimumGCAge"),
        "2m",
        Text,
        Reload,
    ),
    row(("", "imageMaximumGCAge"), "0s", Text, Reload),
    row(("cluster-dns", "clusterDNS"), "", List, NewContainers),
    row(("cluster-domain", "clusterDomain"), "", Text, NewContainers),
    row(
        ("resolv-conf", "resolvConf"),
        RESOLV_CONF,
        PathOrEmpty,
        NewContainers,
    ),
    row(
        ("container-log-max-size", "containerLogMaxSize"),
        "10Mi",
        Text,
        NewContainers,
    ),
    row(
        ("container-log-max-files", "containerLogMaxFiles"),
        "5",
        Number,
        NewContainers,
    ),
    row(
        ("pod-max-pids", "podPidsLimit"),
        "-1",
        Number,
        NewContainers,
    ),
    row(
        ("", "crashLoopBackOff.maxContainerRestartPeriod"),
        "300s",
        Text,
        Reload,
    ),
    row(("healthz-port", "healthzPort"), "10248", Number, Reload),
    row(
        ("healthz-bind-address", "healthzBindAddress"),
        "127.0.0.1",
        Text,
        Reload,
    ),
    row(("read-only-port", "readOnlyPort"), "0", Number, Reload),
    row(("address", "address"), "0.0.0.0", Text, Reload),
    row(("kubeconfig", ""), "", Path, Restart),
    row(("register-node", "registerNode"), "true", Bool, Restart),
    row(("node-labels", ""), "", List, Restart),
    row(
        ("node-status-update-frequency", "nodeStatusUpdateFrequency"),
        "10s",
        Text,
        Restart,
    ),
    row(("", "nodeStatusReportFrequency"), "5m0s", Text, Restart),
    row(("", "nodeLeaseDurationSeconds"), "40", Number, Restart),
    row(
        ("register-with-taints", "registerWithTaints"),
        "",
        Taints,
        Restart,
    ),
    row(("v", "logging.verbosity"), "0", Number, Reload),
];
