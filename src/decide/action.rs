//! What may be done: steps as data, each with its reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pod::{ContainerName, PodKey, PodUid};
use crate::state::{ContainerId, JobKey, ProbeKind};

/// One thing to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start the one job of this pod, with these steps in this order. The job stops at the first step that fails,
    /// except that a container that cannot be started does not hold up the next one.
    Pod {
        /// Which pod.
        key: PodKey,
        /// Which version of it.
        uid: PodUid,
        /// What to do.
        steps: Vec<Step>,
        /// Why.
        why: Why,
    },
    /// Pull one image for one container.
    Pull {
        /// Which pod.
        key: PodKey,
        /// Which container.
        container: ContainerName,
        /// The image as the manifest names it.
        image: String,
        /// Why.
        why: Why,
    },
    /// Make one probe of one container.
    Probe {
        /// Which pod.
        key: PodKey,
        /// Which container.
        container: ContainerName,
        /// Which instance of it.
        id: ContainerId,
        /// Which probe.
        kind: ProbeKind,
        /// The pod's address; `None`: that of the machine.
        ip: Option<String>,
        /// Why.
        why: Why,
    },
    /// Kill a job whose work is no longer wanted.
    Cancel {
        /// Which.
        job: JobKey,
        /// Why.
        why: Why,
    },
}

/// One step of a pod job. Each is safe to run twice and to lose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Make the pod's directories and set up its volumes.
    Volumes,
    /// Create and start a sandbox, and write its resolv.conf.
    Sandbox {
        /// The last part of its name.
        attempt: u32,
    },
    /// Create and start one container in the pod's running sandbox.
    Start {
        /// Which.
        container: ContainerName,
        /// The last part of its name, and its restart count.
        attempt: u32,
        /// Which image to take.
        image: ImageChoice,
    },
    /// Run the postStart hook of a container that runs once more: it is not known to have ended.
    PostStart {
        /// Which.
        container: ContainerName,
        /// Which instance of it.
        id: ContainerId,
        /// Its attempt.
        attempt: u32,
    },
    /// Stop these side by side: the preStop hook, TERM, and KILL when the grace is over.
    Stop {
        /// Which, with the grace of each.
        containers: Vec<StopTarget>,
    },
    /// Remove these, in this order; one that still runs is killed first.
    Remove {
        /// Which.
        containers: Vec<ContainerId>,
    },
    /// Unmount and remove what the pod has under the root directory, and its log directory (found by the UID that ends
    /// its name). Comes before the removal of the sandbox: as long as that is there, a lost cleanup is done again.
    Cleanup,
}

impl Step {
    /// The container that it is about; `None`: the pod as a whole.
    pub fn container(&self) -> Option<&ContainerName> {
        match self {
            Step::Start { container, .. } | Step::PostStart { container, .. } => Some(container),
            Step::Volumes
            | Step::Sandbox { .. }
            | Step::Stop { .. }
            | Step::Remove { .. }
            | Step::Cleanup => None,
        }
    }

    /// Whether it needs the pod; a job without such a step only takes away.
    pub fn builds(&self) -> bool {
        match self {
            Step::Volumes | Step::Sandbox { .. } | Step::Start { .. } | Step::PostStart { .. } => {
                true
            }
            Step::Stop { .. } | Step::Remove { .. } | Step::Cleanup => false,
        }
    }
}

/// The steps in a few words, for the log, `status` and `plan`.
pub fn words(steps: &[Step]) -> String {
    let word = |step: &Step| match step {
        Step::Volumes => "volumes".to_owned(),
        Step::Sandbox { attempt } => format!("sandbox {attempt}"),
        Step::Start {
            container, attempt, ..
        } => format!("start {container} {attempt}"),
        Step::PostStart { container, .. } => format!("postStart {container}"),
        Step::Stop { containers } => format!("stop {}", containers.len()),
        Step::Remove { containers } => format!("remove {}", containers.len()),
        Step::Cleanup => "clean up".to_owned(),
    };
    steps.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// Which image a container is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageChoice {
    /// Whatever is there under the manifest's name; when nothing is, report `ImageMissing`.
    Local,
    /// This id, just pulled.
    Id(String),
    /// Whatever is there; when nothing is, that is an error (`imagePullPolicy: Never`).
    Never,
}

/// One container to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopTarget {
    /// Which.
    pub id: ContainerId,
    /// Its name, or `POD`.
    pub name: ContainerName,
    /// Seconds to its KILL; at least 2 (kubelet's minimum).
    pub grace_seconds: u32,
    /// It gets its TERM when all of lower turns have ended, or its grace is over; then it still has 2 seconds.
    pub turn: u32,
    /// It has a preStop hook, which is run first and at once, and takes its time from the grace.
    #[serde(default)]
    pub pre_stop: bool,
}

/// Why something is done: shown in the log, compared in tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The pod is wanted and has no sandbox.
    PodNew,
    /// The pod's newest sandbox does not run.
    SandboxDead,
    /// More than one sandbox runs.
    SandboxTwice,
    /// The sandbox was made for the other kind of network.
    SandboxNetwork,
    /// The sandbox has no address.
    SandboxNoAddress,
    /// The container was never made.
    ContainerNew,
    /// The container ended with this code and is started again.
    ContainerExited {
        /// Its exit code.
        code: i32,
    },
    /// The container was made and never started.
    ContainerNeverStarted,
    /// A job died while the container's postStart hook ran.
    HookUnfinished,
    /// dockerd reports a state that no container should stay in.
    ContainerUnknown,
    /// The manifest changed; the old version has to go first.
    SpecChanged,
    /// The manifest is gone.
    PodUnwanted,
    /// An init container failed and is not started again (`restartPolicy: Never`).
    InitFailed,
    /// The pod was active for longer than `activeDeadlineSeconds`.
    DeadlineExceeded,
    /// The pod is finished (`restartPolicy`), its sandbox is stopped.
    PodFinished,
    /// A container ended in a way that restarts all of them (`RestartAllContainers`).
    RestartAll,
    /// Old instances are over the number that is kept.
    Surplus,
    /// The image is not on this machine.
    ImageMissing,
    /// `imagePullPolicy: Always`.
    PullAlways,
    /// A probe is due.
    ProbeDue,
    /// The startup probe failed too often.
    StartupFailed,
    /// The liveness probe failed too often.
    LivenessFailed,
    /// A container that the manifest does not name.
    ContainerUnwanted,
    /// A pod directory that belongs to no pod.
    Orphan,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Why::PodNew => "new pod",
            Why::SandboxDead => "sandbox is not running",
            Why::SandboxTwice => "more than one sandbox runs",
            Why::SandboxNetwork => "sandbox has the wrong network mode",
            Why::SandboxNoAddress => "sandbox has no address",
            Why::ContainerNew => "new container",
            Why::ContainerExited { code } => return write!(f, "container exited with {code}"),
            Why::ContainerNeverStarted => "container was created and never started",
            Why::HookUnfinished => "postStart hook has not ended",
            Why::ContainerUnknown => "container is in a state it cannot stay in",
            Why::SpecChanged => "manifest changed",
            Why::PodUnwanted => "manifest is gone",
            Why::InitFailed => "an init container failed",
            Why::DeadlineExceeded => "activeDeadlineSeconds are over",
            Why::PodFinished => "pod is finished",
            Why::RestartAll => "a restart rule restarts all containers",
            Why::Surplus => "old instance",
            Why::ImageMissing => "image is not on this machine",
            Why::PullAlways => "imagePullPolicy is Always",
            Why::ProbeDue => "probe is due",
            Why::StartupFailed => "container failed its startup probe",
            Why::LivenessFailed => "container failed its liveness probe",
            Why::ContainerUnwanted => "container is not in the manifest",
            Why::Orphan => "directory of no pod",
        };
        f.write_str(text)
    }
}
