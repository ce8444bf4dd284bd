//! What goes over the socket, in Docker's own words.
//!
//! Pure. Structs only, spelled as the Engine API spells them, with the fields this program reads or writes and no
//! others: what a newer dockerd adds is skipped, what an older one lacks is empty. Podman's Docker-compatible socket
//! writes `null` where Docker writes an empty list or object; both read as empty.

mod container;
mod create;
mod daemon;
mod exec;
mod image;

pub use container::{
    ContainerConfig, Inspect, InspectHostConfig, InspectState, Network, NetworkSettings, Summary,
    SummaryHostConfig,
};
pub use create::{
    BindOptions, CreateBody, Created, Empty, Healthcheck, HostConfig, LogConfig, Mount,
    PortBinding, RestartPolicy,
};
pub use daemon::{Actor, EventLine, Info, Runtime, Version};
pub use exec::{ExecBody, ExecInspect, ExecStart};
pub use image::{
    Image, ImageConfig, ImageSummary, LoadLine, ProgressDetail, PullLine, RegistryAuth,
};

use serde::{Deserialize, Deserializer};

/// The body of every answer from 400 up, API 1.24 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// dockerd's reason.
    #[serde(deserialize_with = "null_is_empty")]
    pub message: String,
}

/// Reads `null` as the empty value.
fn null_is_empty<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}
