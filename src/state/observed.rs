//! What dockerd says is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::pod::{ContainerName, PodKey, PodUid, SpecHash};
use crate::sys::Wall;

/// Everything on this Docker that is ours by its labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// By pod UID: an edited pod has two UIDs for a while.
    pub pods: BTreeMap<PodUid, ObservedPod>,
    /// Containers that claim to be ours and do not parse; never touched.
    pub strangers: Vec<Stranger>,
    /// Pod directories under the root directory, by the UID in their name.
    pub dirs: BTreeSet<PodUid>,
    /// What this dockerd can do.
    pub docker: DockerFacts,
}

/// All containers of one pod UID.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedPod {
    /// The key its labels name.
    pub key: PodKey,
    /// The UID its labels name.
    pub uid: PodUid,
    /// Sandboxes, newest attempt first.
    pub sandboxes: Vec<Sandbox>,
    /// Containers, newest attempt first within one name; names in no order.
    pub containers: Vec<Container>,
}

impl Observed {
    /// A pod of this key: of several versions that are there any.
    pub fn pod(&self, key: &PodKey) -> Option<&ObservedPod> {
        self.pods.values().find(|pod| pod.key == *key)
    }
}

impl ObservedPod {
    /// Whether a sandbox of it runs.
    pub fn is_up(&self) -> bool {
        let mut sandboxes = self.sandboxes.iter();
        sandboxes.any(|one| matches!(one.state, ContainerState::Running { .. }))
    }
}

/// A container id: 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub String);

impl ContainerId {
    /// The first 12 digits, as logs and `docker ps` show it.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// A pause container.
#[derive(Clone, Debug, PartialEq)]
pub struct Sandbox {
    /// Its id.
    pub id: ContainerId,
    /// The last part of its name.
    pub attempt: u32,
    /// What it does.
    pub state: ContainerState,
    /// The `kubernetes.io/config.hash` annotation it was made with; `None` when it has none.
    pub hash: Option<SpecHash>,
    /// When the pod was first seen, by its `kubernetes.io/config.seen` annotation.
    pub seen: Option<Wall>,
    /// The pod's addresses, IPv4 first; empty for host network and while not running.
    pub ips: Vec<String>,
    /// It shares the machine's network.
    pub host_network: bool,
}

/// A container that is not a sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Which container of the pod.
    pub name: ContainerName,
    /// The `restartCount` label.
    pub attempt: u32,
    /// The sandbox it was made in.
    pub sandbox: ContainerId,
    /// What it does.
    pub state: ContainerState,
    /// Seconds of grace it was made with, from its label; `None` when absent.
    pub grace_seconds: Option<u32>,
    /// Its place among the init containers, from its label, if it is one that runs on beside the others.
    pub sidecar: Option<u32>,
    /// It runs and its postStart hook has not ended. Ends when a job has run that, again if need be.
    pub starting: bool,
    /// It has a preStop hook, by its label.
    pub pre_stop: bool,
    /// The image as a person would name it: a tag, or else the id.
    pub image: String,
    /// `docker-pullable://repo@digest` or `docker://sha256:...`.
    pub image_id: String,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq)]
pub enum ContainerState {
    /// Made and never run: the maker died, or the start is under way. Ends by being removed.
    Created,
    /// Runs, also while paused by somebody. Ends by exiting.
    Running {
        /// When it started.
        started: Wall,
    },
    /// Has run, or could not be run. Kept for its exit code until a newer one of its name is dead too.
    Exited(Exit),
    /// `restarting`, `removing`, `dead` or a word of a newer dockerd. Ends by being removed, before anything new starts.
    Unknown {
        /// dockerd's word.
        word: String,
    },
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 137 after SIGKILL.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled` or `ContainerCannotRun`.
    pub reason: String,
    /// dockerd's error and the termination message.
    pub message: String,
    /// When it started (when it was made, if it could not be run).
    pub started: Wall,
    /// When it ended.
    pub finished: Wall,
}

/// A container with our labels that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its id.
    pub id: ContainerId,
    /// Its first name.
    pub name: String,
    /// What does not parse.
    pub why: String,
}

/// What this dockerd is and can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DockerFacts {
    /// The engine's version, `20.10.24`.
    pub version: String,
    /// The negotiated API version as major and minor.
    pub api: (u32, u32),
    /// `systemd` or `cgroupfs`.
    pub cgroup_driver: String,
    /// 1 or 2.
    pub cgroup_version: u8,
    /// The daemon's default logging driver.
    pub logging_driver: String,
    /// The machine's memory in bytes.
    pub memory_bytes: u64,
    /// The machine's cores.
    pub cpus: u32,
    /// The lowest oom_score_adj that this dockerd may give; `None`: any.
    pub oom_floor: Option<i32>,
    /// A read-only mount can be one with all that is mounted below.
    pub recursive_read_only: bool,
}
