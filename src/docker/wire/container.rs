//! Containers as dockerd shows them.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::null_is_empty;

/// One element of `GET /containers/json`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Summary {
    /// 64 hex digits.
    pub id: String,
    /// Each with a leading `/`; empty while the container is being removed.
    #[serde(deserialize_with = "null_is_empty")]
    pub names: Vec<String>,
    /// The image as it was named at creation, or its id when that name now means another one.
    pub image: String,
    /// `sha256:...`.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// Seconds since 1970.
    pub created: i64,
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub state: String,
    /// For people: `Up 3 seconds`.
    pub status: String,
    /// Labels of the container and of its image.
    #[serde(deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The network mode only.
    pub host_config: SummaryHostConfig,
    /// Missing for containers that are being removed.
    #[serde(deserialize_with = "null_is_empty")]
    pub network_settings: NetworkSettings,
}

/// `HostConfig` in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SummaryHostConfig {
    /// `default`, `host`, `container:<id>`. Podman leaves it empty.
    pub network_mode: String,
}

/// The answer of `GET /containers/{id}/json`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Inspect {
    /// 64 hex digits.
    pub id: String,
    /// With a leading `/`.
    pub name: String,
    /// RFC 3339 with nanoseconds.
    pub created: String,
    /// What it does.
    pub state: InspectState,
    /// The image's id, `sha256:...`.
    pub image: String,
    /// The log file; empty for log drivers without one.
    pub log_path: String,
    /// The file seen as /etc/resolv.conf; empty until the first start.
    pub resolv_conf_path: String,
    /// The file seen as /etc/hosts; empty until the first start.
    pub hosts_path: String,
    /// What does not depend on the machine.
    pub config: ContainerConfig,
    /// What does.
    pub host_config: InspectHostConfig,
    /// Addresses; those of a `container:` network are the donor's and do not show here.
    #[serde(deserialize_with = "null_is_empty")]
    pub network_settings: NetworkSettings,
}

/// `State` of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InspectState {
    /// `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`.
    pub status: String,
    /// Also true while paused or restarting.
    pub running: bool,
    /// Frozen.
    pub paused: bool,
    /// Between two runs under dockerd's own restart policy.
    pub restarting: bool,
    /// The kernel killed a process of it for memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// Could not be removed whole.
    pub dead: bool,
    /// PID 1 as the machine sees it; 0 when not running.
    pub pid: i64,
    /// 0 while running.
    pub exit_code: i64,
    /// dockerd's reason when it could not be started.
    pub error: String,
    /// RFC 3339; year 1 if it never started.
    pub started_at: String,
    /// RFC 3339; year 1 if it never ended. Podman: the zero of its own, also year 1.
    pub finished_at: String,
}

/// `Config` of a container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ContainerConfig {
    /// The kernel's host name.
    pub hostname: String,
    /// The image as it was named at creation.
    pub image: String,
    /// A pseudo terminal: its log is not framed.
    pub tty: bool,
    /// The signal that asks it to end; missing when neither image nor creation named one.
    #[serde(deserialize_with = "null_is_empty")]
    pub stop_signal: String,
    /// `uid:gid` or names.
    pub user: String,
    /// Labels of the container and of its image.
    #[serde(deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// `HostConfig` of a container, the part that is read back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct InspectHostConfig {
    /// `default`, `host`, `container:<id>`; `bridge` instead of `default` on some versions.
    pub network_mode: String,
    /// `shareable`, `host`, `container:<id>`.
    pub ipc_mode: String,
    /// Empty, `host` or `container:<id>`.
    pub pid_mode: String,
    /// As asked for.
    pub oom_score_adj: i32,
}

/// `NetworkSettings` of a container. The addresses at its top level are gone from API 1.52 on; those of `Networks` are
/// right on every version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// By network name: `bridge`, `host`, `none`, ...
    #[serde(deserialize_with = "null_is_empty")]
    pub networks: BTreeMap<String, Network>,
}

/// One network of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Network {
    /// IPv4; empty while not running and for `host` and `none`.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// IPv6; empty unless the network has it.
    #[serde(rename = "GlobalIPv6Address")]
    pub global_ipv6_address: String,
}
