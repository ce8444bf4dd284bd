//! What a job is asked to do: the one JSON document on its standard input.

use k8s_openapi::api::core::v1::{Container, ContainerPort, LifecycleHandler};
use serde::{Deserialize, Serialize};

use super::{MirrorRequest, ReclaimRequest};
use crate::apiserver::Credential;
use crate::decide::Step;
use crate::pod::{PodKey, PodUid, ValidPod};
use crate::sources::{FetchRequest, KeepRequest, PreloadRequest};
use crate::state::{ContainerId, DockerFacts, Node, ProbeKind, Watched};
use crate::sys::{Program, Wall};

/// One request.
#[allow(clippy::large_enum_variant)] // one value a process
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Carry out steps for one pod.
    Pod(Box<PodRequest>),
    /// Pull one image.
    Pull(PullRequest),
    /// Make one probe.
    Probe(Box<ProbeRequest>),
    /// Ask the manifest URL.
    Fetch(FetchRequest),
    /// Write last good manifests to disk.
    Keep(KeepRequest),
    /// Load one image archive.
    Preload(PreloadRequest),
    /// Remove images that are of no use.
    Reclaim(ReclaimRequest),
    /// Run one hook; asked for by a job that stops several containers at once.
    Hook(Box<HookRequest>),
    /// Bring the API server up to date.
    Mirror(Box<MirrorRequest>),
    /// Follow a watch of the API server.
    Watch {
        /// The kubeconfig file.
        kubeconfig: String,
        /// What a plugin said before.
        #[serde(default)]
        credential: Option<Credential>,
        /// The node's name.
        node: String,
        /// What of it.
        watched: Watched,
    },
    /// Turn into a program; asked for by a job that needs what it says.
    Program(Program),
    /// Follow dockerd's event stream.
    Events {
        /// dockerd's socket.
        docker_socket: String,
        /// Whose containers ring: those with this root directory in their label.
        root_dir: String,
    },
}

/// The steps of one pod.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PodRequest {
    /// This node.
    pub node: Node,
    /// This dockerd.
    pub docker: DockerFacts,
    /// Which pod.
    pub key: PodKey,
    /// Which version of it.
    pub uid: PodUid,
    /// The pod itself; `None` when it is only to be stopped and removed.
    pub pod: Option<ValidPod>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// When the pod was first seen; `None`: now.
    #[serde(default)]
    pub seen: Option<Wall>,
    /// What [`super::program_digest`] gave the agent; without it the job reads the program once more.
    #[serde(default)]
    pub program_digest: Option<String>,
}

/// One probe.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeRequest {
    /// dockerd's socket.
    pub docker_socket: String,
    /// Its API version.
    pub api: (u32, u32),
    /// Which instance.
    pub id: ContainerId,
    /// Which of its probes.
    pub kind: ProbeKind,
    /// The container as wanted: its probes, ports and variables.
    pub container: Container,
    /// Where network probes go.
    pub ip: String,
}

/// One hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HookRequest {
    /// dockerd's socket.
    pub docker_socket: String,
    /// Its API version.
    pub api: (u32, u32),
    /// Which instance of a container.
    pub id: ContainerId,
    /// What to do.
    pub handler: LifecycleHandler,
    /// The ports that it may name.
    pub ports: Vec<ContainerPort>,
    /// Where a request goes that names no host; empty when that is not known.
    pub ip: String,
    /// Milliseconds that it may take.
    pub within_ms: u64,
}

/// One pull.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PullRequest {
    /// This node: its root directory may hold registry credentials.
    pub node: Node,
    /// This dockerd.
    pub docker: DockerFacts,
    /// The image as the manifest names it.
    pub image: String,
    /// With an unreachable registry a local image will do (`imagePullPolicy: Always`).
    pub local_will_do: bool,
}
