//! Image archives: what waits for them, and how they are. Pure.

use serde::{Deserialize, Serialize};

use super::memory::{Memory, Pull};
use crate::sys::Mono;

/// What has to wait until image archives have been loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    #[default]
    Nothing,
    /// Pulls: an archive that came later is being loaded, and may bring the very image.
    Pulls,
    /// The start of every sandbox as well: those that were there first are being loaded, perhaps over older images of
    /// the same names.
    Starts,
}

/// How one archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveStatus {
    /// Its path.
    pub file: String,
    /// What became of it.
    pub state: ArchiveState,
    /// The images that it brought.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// Why it is not loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it is tried again, on the clock that counts from boot; `None`: when the file changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt: Option<Mono>,
}

/// What became of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ArchiveState {
    /// It has its turn still to come, or is being written.
    Waiting,
    /// It is on its way to dockerd.
    Loading,
    /// Its images are there.
    Loaded,
    /// It cannot be loaded.
    Failed,
}

impl Memory {
    /// Images have come that nobody pulled: what failed for want of one is tried again at once.
    pub fn images_came(&mut self) {
        let pods = self.pods.values_mut();
        for of in pods.flat_map(|pod| pod.containers.values_mut()) {
            of.failure
                .take_if(|failure| failure.reason.is_about_image());
            match of.pull {
                Pull::Unknown | Pull::Missing => {
                    of.pull = Pull::Unknown;
                    of.pull_wait = None;
                }
                // It goes on, or has brought what is to be used.
                Pull::Running(_) | Pull::Done { .. } => {}
            }
        }
    }
}
