//! Where a pod's files are: the kubelet's layout under the root directory.
//!
//! UIDs, container names and volume names are joined into paths that are later removed with all they hold, so
//! [`is_plain_name`] has to hold for each of them; `labels.rs` refuses a container of which it does not.

use crate::pod::{ContainerName, PodKey, PodUid};
use crate::state::{ContainerId, Node};

/// The mode of every directory under the root directory but the volumes themselves.
pub const DIR_MODE: u32 = 0o750;

/// The mode of log directories: log shippers run as anybody.
pub const LOG_DIR_MODE: u32 = 0o755;

/// The mode of termination-message files: whatever user the container runs as writes there.
pub const TERMINATION_LOG_MODE: u32 = 0o666;

/// The mode of the hosts file.
pub const HOSTS_MODE: u32 = 0o644;

/// The longest name of a link in `/var/log/containers`.
const LINK_NAME_BYTES_MAX: usize = 255;

/// One path component that stays where it is put: no separator, not hidden, neither `.` nor `..`.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

/// Where all pods have their directories.
pub fn pods_dir(node: &Node) -> String {
    format!("{}/pods", root(node))
}

/// What one pod has.
pub fn pod_dir(node: &Node, uid: &PodUid) -> String {
    format!("{}/{uid}", pods_dir(node))
}

/// The hosts file that the pod's containers share.
pub fn hosts_file(node: &Node, uid: &PodUid) -> String {
    format!("{}/etc-hosts", pod_dir(node, uid))
}

/// Where one container's termination messages are.
pub fn container_dir(node: &Node, uid: &PodUid, name: &ContainerName) -> String {
    format!("{}/containers/{name}", pod_dir(node, uid))
}

/// The termination-message file of one attempt. The kubelet draws 8 random hex digits; here they are the attempt, so
/// that a job that died and is run again uses the same file.
pub fn termination_log(node: &Node, uid: &PodUid, name: &ContainerName, attempt: u32) -> String {
    format!("{}/{attempt:08x}", container_dir(node, uid, name))
}

/// There while the postStart hook of one attempt has not ended: beside its termination message.
pub fn post_start(node: &Node, uid: &PodUid, name: &ContainerName, attempt: u32) -> String {
    format!("{}.post-start", termination_log(node, uid, name, attempt))
}

/// Where the pod's volumes are; unmounted and removed with the pod.
pub fn volumes_dir(node: &Node, uid: &PodUid) -> String {
    format!("{}/volumes", pod_dir(node, uid))
}

/// One emptyDir.
pub fn empty_dir(node: &Node, uid: &PodUid, name: &str) -> String {
    volume(node, uid, "empty-dir", name)
}

/// One volume of the pod's own, by the name of the kubelet's plugin.
pub fn volume(node: &Node, uid: &PodUid, plugin: &str, name: &str) -> String {
    format!("{}/kubernetes.io~{plugin}/{name}", volumes_dir(node, uid))
}

/// Where parts of volumes are bound, in the pod's directory.
pub const SUB_PATHS: &str = "volume-subpaths";

/// Where a part of a volume is bound for the mount at this place in a container's list.
pub fn sub_path(
    node: &Node,
    uid: &PodUid,
    (volume, container): (&str, &ContainerName),
    at: usize,
) -> String {
    format!(
        "{}/{SUB_PATHS}/{volume}/{container}/{at}",
        pod_dir(node, uid)
    )
}

/// There once the emptyDir is set up in full, ownership included.
pub fn empty_dir_ready(node: &Node, uid: &PodUid, volume: &str) -> String {
    let pod = pod_dir(node, uid);
    format!("{pod}/plugins/kubernetes.io~empty-dir/{volume}/ready")
}

/// Where profiles of type Localhost are looked up.
pub fn seccomp_dir(node: &Node) -> String {
    format!("{}/seccomp", root(node))
}

/// The pod's directory of log links.
pub fn pod_logs_dir(node: &Node, key: &PodKey, uid: &PodUid) -> String {
    let logs = node.pod_logs_dir.trim_end_matches('/');
    format!("{logs}/{}_{}_{uid}", key.namespace, key.name)
}

/// The directory of log links of one container.
pub fn container_logs_dir(
    node: &Node,
    key: &PodKey,
    uid: &PodUid,
    container: &ContainerName,
) -> String {
    format!("{}/{container}", pod_logs_dir(node, key, uid))
}

/// The link to the log of one attempt.
pub fn container_log(logs_dir: &str, attempt: u32) -> String {
    format!("{logs_dir}/{attempt}.log")
}

/// The name of the older kind of link, made in the directory `containers` beside the pod log directory.
pub fn legacy_log_name(key: &PodKey, container: &ContainerName, id: &ContainerId) -> String {
    let mut name = format!("{}_{}_{container}-{}", key.name, key.namespace, id.0);
    let room = LINK_NAME_BYTES_MAX - ".log".len();
    if name.len() > room && name.is_char_boundary(room) {
        name.truncate(room);
    }
    name + ".log"
}

fn root(node: &Node) -> &str {
    node.root_dir.trim_end_matches('/')
}
