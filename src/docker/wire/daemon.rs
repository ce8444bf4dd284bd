//! The daemon itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::null_is_empty;

/// The answer of `GET /info`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// The engine's version, `20.10.24`.
    pub server_version: String,
    /// `systemd`, `cgroupfs`, or `none` for a rootless dockerd on version 1.
    pub cgroup_driver: String,
    /// `1` or `2`; missing below API 1.41, where only 1 exists.
    pub cgroup_version: String,
    /// The default log driver.
    pub logging_driver: String,
    /// Bytes of memory of the machine; 0 when dockerd could not tell.
    pub mem_total: i64,
    /// Cores that dockerd sees.
    #[serde(rename = "NCPU")]
    pub ncpu: i64,
    /// Where Docker keeps its own data.
    pub docker_root_dir: String,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub os_type: String,
    /// `name=seccomp,profile=default`, `name=apparmor`, `name=selinux`, `name=rootless`, `name=userns`, ...
    #[serde(deserialize_with = "null_is_empty")]
    pub security_options: Vec<String>,
    /// Containers outlive dockerd.
    pub live_restore_enabled: bool,
    /// Which of the runtimes is used; missing with Podman.
    pub default_runtime: String,
    /// The runtimes by name.
    #[serde(deserialize_with = "null_is_empty")]
    pub runtimes: BTreeMap<String, Runtime>,
}

/// A program that makes containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// What it says of itself. `org.opencontainers.runtime-spec.features` holds a JSON text (Docker 25 and later).
    #[serde(deserialize_with = "null_is_empty")]
    pub status: BTreeMap<String, String>,
}

/// The answer of `GET /version`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Version {
    /// The engine's version, `20.10.24`.
    pub version: String,
    /// The newest API it speaks, `1.41`.
    pub api_version: String,
    /// The oldest API it speaks, `1.12`.
    #[serde(rename = "MinAPIVersion")]
    pub min_api_version: String,
    /// The kernel's release.
    pub kernel_version: String,
}

/// One line of `GET /events`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EventLine {
    /// `container`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// `create`, `start`, `die`, `destroy`, ...; Podman writes `died` and `remove`.
    pub action: String,
    /// What it happened to.
    pub actor: Actor,
    /// Nanoseconds since 1970.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

/// What an event happened to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Actor {
    /// The container's id.
    #[serde(rename = "ID")]
    pub id: String,
    /// The container's labels, its `name`, its `image`, and for `die` its `exitCode`.
    #[serde(deserialize_with = "null_is_empty")]
    pub attributes: BTreeMap<String, String>,
}
