//! Every flag of kubelet 1.36 and of the kubelets before it that people's scripts still name, as data.

/// What a flag is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It does what it does in a kubelet.
    Honoured,
    /// It is known and means nothing here; one warning names it.
    Pointless,
    /// It asks for something that this version does not do; running on would not be what was asked for. A value that
    /// switches it off (`0`, `false`, empty) is fine.
    NotYet,
}

/// Whether a flag needs a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--flag value` or `--flag=value`.
    Value,
    /// `--flag` or `--flag=false`.
    Bool,
}

/// The flags that do something, each with its words for `--help`.
pub(super) const HONOURED: &[(&str, &str, &str)] = &[
    (
        "pod-manifest-path",
        "PATH",
        "directory of pod manifests, or one manifest",
    ),
    (
        "manifest-url",
        "URL",
        "a Pod, a PodList or a YAML stream of them, by HTTP or HTTPS",
    ),
    (
        "manifest-url-header",
        "KEY:VALUE",
        "header of those requests; may be repeated",
    ),
    (
        "manifest-url-ca-file",
        "FILE",
        "CA certificates of that server; default: the machine's",
    ),
    (
        "manifest-url-client-cert",
        "FILE",
        "client certificate shown to that server",
    ),
    (
        "manifest-url-client-key",
        "FILE",
        "its key; default: the same file",
    ),
    (
        "manifest-url-sha256",
        "HEX",
        "run nothing else than the answer of this digest",
    ),
    (
        "manifest-url-public-key",
        "KEY",
        "run only answers that this minisign key signed (itself or its file)",
    ),
    (
        "http-check-frequency",
        "TIME",
        "ask the URL this often; default 20s",
    ),
    (
        "healthz-port",
        "PORT",
        "answer /healthz, /readyz, /metrics, /pods here; default 10248, 0: nowhere",
    ),
    (
        "healthz-bind-address",
        "IP",
        "where that is; default 127.0.0.1",
    ),
    (
        "read-only-port",
        "PORT",
        "the same for everybody, pods whole; default 0: nowhere",
    ),
    (
        "address",
        "IP",
        "where the read-only port is; default 0.0.0.0",
    ),
    (
        "config",
        "FILE",
        "KubeletConfiguration v1beta1 (staticPodPath, ...); flags win",
    ),
    (
        "config-dir",
        "DIR",
        "drop-ins: *.conf, in the order of their names over that file",
    ),
    (
        "hostname-override",
        "NAME",
        "node name, ends pod names; default: the host name",
    ),
    (
        "node-ip",
        "IP",
        "node address; default: that of the default route",
    ),
    (
        "file-check-frequency",
        "TIME",
        "look at least this often; default 20s",
    ),
    (
        "root-dir",
        "DIR",
        "what pods own on this machine; default /var/lib/staticlet",
    ),
    (
        "kubeconfig",
        "FILE",
        "show pods and node at this API server; default: none",
    ),
    ("node-labels", "K=V,...", "labels of a Node that is new"),
    (
        "node-status-update-frequency",
        "TIME",
        "look at the machine this often for its Node; default 10s",
    ),
    (
        "register-with-taints",
        "K=V:EFFECT,...",
        "taints of a Node that is new",
    ),
    ("run-dir", "DIR", "published state; default /run/staticlet"),
    (
        "container-runtime-endpoint",
        "URL",
        "default unix:///var/run/docker.sock, or DOCKER_HOST",
    ),
    (
        "pod-infra-container-image",
        "IMAGE",
        "sandbox image; default: built in",
    ),
    (
        "image-preload-dir",
        "DIR",
        "image archives (docker save) that are loaded before pods start",
    ),
    (
        "image-gc-high-threshold",
        "PERCENT",
        "remove unused images of pods from so full a disk on; default 85, 100: never",
    ),
    (
        "image-gc-low-threshold",
        "PERCENT",
        "until it is no fuller than this; default 80",
    ),
    (
        "minimum-image-ttl-duration",
        "TIME",
        "what was used less than so long ago stays; default 2m",
    ),
    (
        "cluster-dns",
        "IP,...",
        "name servers of pods with dnsPolicy ClusterFirst",
    ),
    ("cluster-domain", "DOMAIN", "search domain of such pods"),
    (
        "resolv-conf",
        "FILE",
        "resolver file of pods; default /etc/resolv.conf, empty: none",
    ),
    (
        "container-log-max-size",
        "SIZE",
        "rotate container logs at this size; default 10Mi",
    ),
    (
        "container-log-max-files",
        "N",
        "log files per container; default 5",
    ),
    (
        "pod-max-pids",
        "N",
        "processes and threads per pod; default -1, no limit",
    ),
];

/// Flags without a value that do something.
pub(super) const HONOURED_BOOL: &[(&str, &str)] = &[
    (
        "allow-unknown-fields",
        "unknown manifest fields are a warning, not a refusal",
    ),
    (
        "allow-untrusted-manifests",
        "run manifests that others than root can write",
    ),
    (
        "register-node",
        "register the Node and renew its Lease; default true",
    ),
];

/// Flags with a value that ask for what this version does not do.
const NOT_YET: &str = "bootstrap-kubeconfig cadvisor-port";

/// The same without a value.
const NOT_YET_BOOL: &str = "seccomp-default runonce";

/// Flags with a value that mean nothing here.
const POINTLESS: &str = "allowed-unsafe-sysctls application-metrics-count-limit \
    authentication-token-webhook-cache-ttl authorization-mode authorization-webhook-cache-authorized-ttl \
    authorization-webhook-cache-unauthorized-ttl azure-container-registry-config boot-id-file cert-dir cgroup-driver \
    cgroup-root chaos-chance client-ca-file cloud-config cloud-provider cni-bin-dir cni-cache-dir cni-conf-dir \
    container-hints container-runtime containerd containerd-namespace cpu-cfs-quota-period cpu-manager-policy \
    cpu-manager-policy-options cpu-manager-reconcile-period docker docker-endpoint docker-env-metadata-whitelist \
    docker-root docker-tls-ca docker-tls-cert docker-tls-key dynamic-config-dir enforce-node-allocatable event-burst \
    event-qps event-storage-age-limit event-storage-event-limit eviction-hard eviction-max-pod-grace-period \
    eviction-minimum-reclaim eviction-pressure-transition-period eviction-soft eviction-soft-grace-period \
    experimental-allocatable-ignore-eviction experimental-bootstrap-kubeconfig experimental-mounter-path feature-gates \
    global-housekeeping-interval hairpin-mode housekeeping-interval  \
    image-credential-provider-bin-dir image-credential-provider-config \
    image-pull-progress-deadline image-service-endpoint iptables-drop-bit iptables-masquerade-bit kube-api-burst \
    kube-api-content-type kube-api-qps kube-reserved kube-reserved-cgroup kubelet-cgroups lock-file log-backtrace-at \
    log-cadvisor-usage log-dir log-file log-file-max-size log-flush-frequency log-json-info-buffer-size \
    log-text-info-buffer-size logging-format machine-id-file master-service-namespace max-open-files max-pods \
    maximum-dead-containers maximum-dead-containers-per-container memory-manager-policy minimum-container-ttl-duration \
    network-plugin network-plugin-mtu node-status-max-images \
    non-masquerade-cidr oom-score-adj pod-cidr pods-per-core port provider-id \
    qos-reserved redirect-container-streaming-url referenced-reset-interval registry-burst \
    registry-qps reserved-cpus reserved-memory root-ca-file runtime-cgroups runtime-request-timeout \
    seccomp-profile-root stderrthreshold storage-driver-buffer-duration storage-driver-db storage-driver-host \
    storage-driver-password storage-driver-table storage-driver-user streaming-connection-idle-timeout sync-frequency \
    system-cgroups system-reserved system-reserved-cgroup tls-cert-file tls-cipher-suites tls-min-version \
    tls-private-key-file topology-manager-policy topology-manager-policy-options topology-manager-scope vmodule \
    volume-plugin-dir volume-stats-agg-period api-servers host-network-sources host-pid-sources host-ipc-sources \
    babysit-daemons docker-only docker-exec-handler experimental-cgroups-per-qos experimental-fail-swap-on \
    experimental-qos-reserved rkt-api-endpoint rkt-path rkt-stage1-image reconcile-cidr";

/// The same without a value.
const POINTLESS_BOOL: &str = "alsologtostderr allow-privileged anonymous-auth authentication-token-webhook \
    cgroups-per-qos configure-cbr0 contention-profiling cpu-cfs-quota docker-disable-shared-pid docker-tls \
    enable-cadvisor-json-endpoints enable-controller-attach-detach enable-custom-metrics enable-debugging-handlers \
    enable-load-reader enable-server exit-on-lock-contention experimental-check-node-capabilities-before-mount \
    experimental-kernel-memcg-notification experimental-nvidia-gpus fail-swap-on keep-terminated-pod-volumes \
    kernel-memcg-notification local-storage-capacity-isolation log-json-split-stream log-text-split-stream logtostderr \
    make-iptables-util-chains one-output protect-kernel-defaults really-crash-for-testing \
    register-schedulable require-kubeconfig rotate-certificates rotate-server-certificates serialize-image-pulls \
    skip-headers skip-log-headers storage-driver-secure windows-service windows-priorityclass";

/// What a flag of this name (with dashes, without the leading ones) is; `None` for one that nobody knows.
pub(super) fn known(name: &str) -> Option<(Use, Takes)> {
    let in_list = |list: &str| list.split_whitespace().any(|known| known == name);
    if HONOURED.iter().any(|(known, _, _)| *known == name) {
        Some((Use::Honoured, Takes::Value))
    } else if HONOURED_BOOL.iter().any(|(known, _)| *known == name) {
        Some((Use::Honoured, Takes::Bool))
    } else if in_list(NOT_YET) {
        Some((Use::NotYet, Takes::Value))
    } else if in_list(NOT_YET_BOOL) {
        Some((Use::NotYet, Takes::Bool))
    } else if in_list(POINTLESS) {
        Some((Use::Pointless, Takes::Value))
    } else if in_list(POINTLESS_BOOL) {
        Some((Use::Pointless, Takes::Bool))
    } else {
        None
    }
}

/// The honoured or known flag that is spelled most like `name`, if one is near enough to have been meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let lists = [NOT_YET, NOT_YET_BOOL, POINTLESS, POINTLESS_BOOL];
    let honoured = HONOURED.iter().map(|(known, _, _)| *known);
    let known = honoured
        .chain(HONOURED_BOOL.iter().map(|(known, _)| *known))
        .chain(lists.into_iter().flat_map(str::split_whitespace));
    crate::sys::nearest(name, known)
}
