//! Creating a container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_is_empty;

/// The body of `POST /containers/create`, API 1.40 to 1.44. What is empty is left out, which lets the image or the
/// daemon decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateBody {
    /// The image, by id or by `repo@digest`.
    pub image: String,
    /// The kernel's host name. Refused with `NetworkMode` `container:`; for `host` empty means the machine's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// `uid`, `uid:gid` or names.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `NAME=value` each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Replaces the image's entry point, and drops its command; absent means the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command; absent means the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Absolute; empty means the image's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels of the container, over those of the image.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `80/tcp` each. Refused with `NetworkMode` `container:`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Empty>,
    /// A pseudo terminal.
    #[serde(skip_serializing_if = "is_false")]
    pub tty: bool,
    /// Standard input stays open although nobody is attached.
    #[serde(skip_serializing_if = "is_false")]
    pub open_stdin: bool,
    /// Standard input closes after the first client leaves.
    #[serde(skip_serializing_if = "is_false")]
    pub stdin_once: bool,
    /// The signal of `stop`; empty means the image's, or SIGTERM. The only way to set it below API 1.42.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// Replaces the image's own health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Everything that depends on the machine.
    pub host_config: HostConfig,
}

/// `HostConfig` of `POST /containers/create`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// `default`, `host`, `none` or `container:<id>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub network_mode: String,
    /// `shareable`, `host` or `container:<id>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ipc_mode: String,
    /// Empty for an own one, `host` or `container:<id>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pid_mode: String,
    /// Empty for an own one, or `host`.
    #[serde(rename = "UTSMode", skip_serializing_if = "String::is_empty")]
    pub uts_mode: String,
    /// By container port, `80/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub port_bindings: BTreeMap<String, Vec<PortBinding>>,
    /// Mounts, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// The log driver; absent means the daemon's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_config: Option<LogConfig>,
    /// What dockerd itself does when the container exits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// Capabilities over the default set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Capabilities taken from the default set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// Supplemental groups: ids in decimal, or names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_add: Vec<String>,
    /// All capabilities and devices.
    #[serde(skip_serializing_if = "is_false")]
    pub privileged: bool,
    /// The image is mounted read-only.
    #[serde(skip_serializing_if = "is_false")]
    pub readonly_rootfs: bool,
    /// `no-new-privileges`, `seccomp=...`, `apparmor=...`, `label=...`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_opt: Vec<String>,
    /// Paths under /proc and /sys that are hidden. Absent means Docker's list, empty means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masked_paths: Option<Vec<String>>,
    /// Paths under /proc that cannot be written. Absent means Docker's list, empty means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readonly_paths: Option<Vec<String>>,
    /// Kernel parameters of the container's own namespaces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// Who dies first when memory runs out: -1000 to 1000.
    pub oom_score_adj: i32,
    /// Weight of CPU time; 0 means 1024.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_shares: i64,
    /// Microseconds of one CPU period; 0 means the kernel's.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_period: i64,
    /// Microseconds of CPU time in each period; 0 means no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub cpu_quota: i64,
    /// Bytes of memory; 0 means no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory: i64,
    /// Bytes of memory and swap together; 0 means twice `memory`.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_swap: i64,
    /// The control group above the container's; a slice name under the systemd driver.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cgroup_parent: String,
    /// Bytes of /dev/shm; 0 means the daemon's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub shm_size: i64,
    /// The runtime's name in `/info`; empty means the daemon's default.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub runtime: String,
}

/// An empty object, the value of a set's members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// Where the machine listens for a container port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortBinding {
    /// The address; empty means all.
    pub host_ip: String,
    /// The port in decimal.
    pub host_port: String,
}

/// One entry of `HostConfig.Mounts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// `bind` or `tmpfs`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// The path on the machine; it has to be there (`CreateMountpoint` needs API 1.42). Empty for `tmpfs`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The path in the container. dockerd refuses two mounts with the same one.
    pub target: String,
    /// The container may not write.
    #[serde(skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// More about a `bind`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_options: Option<BindOptions>,
}

/// More about a bind mount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct BindOptions {
    /// `rslave`, `rshared`; empty means `rprivate`, or `rslave` when the source holds Docker's own root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub propagation: String,
    /// Read-only does not reach the mounts below. API 1.44; older ones skip it, and behave so anyway.
    #[serde(skip_serializing_if = "is_false")]
    pub read_only_non_recursive: bool,
    /// Read-only has to reach the mounts below, or there is no container. API 1.44.
    #[serde(skip_serializing_if = "is_false")]
    pub read_only_force_recursive: bool,
}

/// A log driver and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LogConfig {
    /// `json-file`, `local`, ...
    #[serde(rename = "Type")]
    pub kind: String,
    /// `max-size`, `max-file`, ...
    #[serde(deserialize_with = "null_is_empty")]
    pub config: BTreeMap<String, String>,
}

/// What dockerd itself does when a container exits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// `no` for everything of ours.
    pub name: String,
}

/// A health check of Docker's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]` turns off the one of the image.
    pub test: Vec<String>,
}

/// The answer of `POST /containers/create`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Created {
    /// 64 hex digits.
    pub id: String,
    /// What dockerd did not do as asked; `null` on some versions when there is nothing.
    #[serde(deserialize_with = "null_is_empty")]
    pub warnings: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(flag: &bool) -> bool {
    !flag
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &i64) -> bool {
    *number == 0
}
