//! The settings that jobs and the pure rooms need; fixed for the life of the agent.

use serde::{Deserialize, Serialize};

/// The resolver file that pods inherit where nothing else is said.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What this node is, as far as pods can tell. Goes into every pod job's request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// The node's name, lower case.
    pub name: String,
    /// The node's address: `status.hostIP`, and the pod IP of host-network pods. Empty when none is known.
    pub ip: String,
    /// Where pod directories live, `/var/lib/staticlet`.
    pub root_dir: String,
    /// Where the agent publishes, `/run/staticlet`.
    pub run_dir: String,
    /// Where log links are laid, `/var/log/pods`.
    pub pod_logs_dir: String,
    /// dockerd's socket, `/var/run/docker.sock`.
    pub docker_socket: String,
    /// The sandbox image a user asked for; `None` is the one built in.
    pub pause_image: Option<String>,
    /// Addresses of the cluster's DNS; usually none.
    pub cluster_dns: Vec<String>,
    /// The cluster's DNS domain; usually empty.
    pub cluster_domain: String,
    /// The resolver file that pods inherit, [`RESOLV_CONF`]; empty means none.
    pub resolv_conf: String,
    /// Bytes after which a container's log is rotated.
    pub log_bytes_max: u64,
    /// Processes and threads that a pod may have (kubelet `podPidsLimit`); `None` is no limit.
    pub pod_pids_max: Option<u64>,
    /// Log files kept per container, the live one counted.
    pub log_files_max: u32,
    /// The longest pause of a crash-looping container, in seconds (kubelet: 300).
    pub crash_wait_max_seconds: u32,
}
