//! What happened: the only input of [`super::Memory::fold`] besides the looks.

use serde::{Deserialize, Serialize};

use super::api::{ApiSaid, Watched};
use super::observed::ContainerId;
use crate::pod::{ContainerName, PodKey, PodUid, SpecHash};

/// Which job; at most one runs under one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKey {
    /// The steps of one pod.
    Pod(PodKey),
    /// One pull, for one container of one pod.
    Pull(PodKey, ContainerName),
    /// One probe of one container of one pod.
    Probe(PodKey, ContainerName, ProbeKind),
    /// The doorbell of dockerd.
    Events,
    /// Brings the API server up to date.
    Mirror,
    /// A doorbell of the API server.
    Watch(Watched),
    /// The writer of last good manifests.
    Keep,
    /// The question at the manifest URL.
    Fetch,
    /// The loading of one image archive.
    Preload,
    /// The removal of images that are of no use.
    Reclaim,
}

impl JobKey {
    /// The pod that it is about.
    pub fn pod(&self) -> Option<&PodKey> {
        match self {
            JobKey::Pod(key) | JobKey::Pull(key, _) | JobKey::Probe(key, ..) => Some(key),
            JobKey::Events
            | JobKey::Keep
            | JobKey::Fetch
            | JobKey::Preload
            | JobKey::Reclaim
            | JobKey::Mirror
            | JobKey::Watch(_) => None,
        }
    }

    /// The container that it is about; `None`: the pod as a whole, or none.
    pub fn container(&self) -> Option<&ContainerName> {
        if let JobKey::Pull(_, container) | JobKey::Probe(_, container, _) = self {
            Some(container)
        } else {
            None
        }
    }

    /// The pod whose steps it carries out: nobody else changes its containers.
    pub fn steps_of(&self) -> Option<&PodKey> {
        self.pod().filter(|_| matches!(self, JobKey::Pod(_)))
    }
}

/// Which of a container's probes; in the order in which they matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeKind {
    /// Holds back the other two until it has succeeded once; its failure stops the container.
    Startup,
    /// Its failure stops the container.
    Liveness,
    /// Says whether the container is ready.
    Readiness,
}

impl ProbeKind {
    /// All of them.
    pub const ALL: [ProbeKind; 3] = [
        ProbeKind::Startup,
        ProbeKind::Liveness,
        ProbeKind::Readiness,
    ];

    /// The word as the kubelet writes it in events.
    pub fn as_str(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Liveness => "Liveness",
            ProbeKind::Readiness => "Readiness",
        }
    }
}

/// What one probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Probed {
    /// All is well.
    Success,
    /// All is well, with a remark (a redirect to another host).
    Warning,
    /// The container says it is not well, or does not answer.
    Failure,
    /// The probe itself could not be made: counts neither way.
    Unknown,
}

/// Something that happened, in the order it was noticed.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A job was started.
    JobStarted {
        /// Which.
        job: JobKey,
        /// In a few words, for the flight recorder and `status`.
        what: String,
        /// The pod whose containers and directory it works on; `None` for a job that touches neither.
        uid: Option<PodUid>,
        /// The version of the pod that it works towards; `None` for a job that only takes away.
        wants: Option<SpecHash>,
        /// The containers that it will start, for the crash-loop back-off.
        starts: Vec<ContainerName>,
        /// It will make a sandbox.
        sandbox: bool,
    },
    /// A job said something.
    JobSaid {
        /// Which.
        job: JobKey,
        /// What.
        report: Report,
    },
    /// A job was told to die.
    JobCancelled {
        /// Which.
        job: JobKey,
    },
    /// A job is gone.
    JobEnded {
        /// Which.
        job: JobKey,
        /// How.
        end: JobEnd,
    },
}

impl Event {
    /// The job that this is about.
    pub fn job(&self) -> &JobKey {
        let (Event::JobStarted { job, .. }
        | Event::JobSaid { job, .. }
        | Event::JobCancelled { job }
        | Event::JobEnded { job, .. }) = self;
        job
    }

    /// The probe that this is about, if it is about one.
    pub fn probe(&self) -> Option<&JobKey> {
        let job = self.job();
        matches!(job, JobKey::Probe(..)).then_some(job)
    }
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// It did all it was asked to.
    Done,
    /// It said [`Report::Failed`] and stopped there.
    Failed,
    /// It ran out of time and was killed.
    Deadline,
    /// It was cancelled by a decision.
    Cancelled,
    /// It died by itself.
    Died(String),
}

/// One JSON line of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    /// Something at dockerd rang; `id` names the container whose details are stale.
    Bell {
        /// The container, if the event names one.
        id: Option<ContainerId>,
    },
    /// The event stream is connected; every earlier detail may be stale.
    Connected,
    /// The sandbox runs.
    SandboxUp {
        /// Its id.
        id: ContainerId,
    },
    /// A container was created and started.
    Started {
        /// Which.
        container: ContainerName,
        /// Its id.
        id: ContainerId,
        /// Its attempt.
        attempt: u32,
    },
    /// The postStart hook of a container has ended, well or not.
    Hooked {
        /// Which.
        id: ContainerId,
    },
    /// The preStop hook of a container has failed, which holds nothing up.
    PreStopFailed {
        /// Which container.
        container: ContainerName,
        /// In the kubelet's words.
        why: String,
    },
    /// A container is to be started and its image is not there.
    ImageMissing {
        /// Which container.
        container: ContainerName,
    },
    /// A pull goes on.
    Pulling(Progress),
    /// A pull ended well, or the image that is there will do.
    Pulled {
        /// The image id to create the container from.
        image_id: String,
        /// A remark for a person, such as why the local image is used; empty when all is normal.
        note: String,
    },
    /// A step failed; the job ends after this.
    Failed {
        /// Which container; `None` means the pod as a whole (sandbox, volumes, removal).
        container: Option<ContainerName>,
        /// The kubelet's word for it.
        reason: FailReason,
        /// The sentence for a person.
        message: String,
    },
    /// A probe was made.
    Probed {
        /// The container that was probed; a newer one has nothing to do with this.
        id: ContainerId,
        /// What it found.
        found: Probed,
        /// What was said, in short; empty when all is well.
        output: String,
    },
    /// dockerd may not give the oom_score_adj asked for; this one was given instead.
    OomFloor {
        /// The lowest value that works.
        floor: i32,
    },
    /// The manifest URL answered.
    Fetched(Fetched),
    /// What came of an image archive.
    Archive(ArchiveSaid),
    /// What came of removing images.
    Reclaim(ReclaimSaid),
    /// The API server said something.
    Api(ApiSaid),
    /// Something worth telling that stops nothing.
    Note {
        /// The sentence.
        text: String,
    },
}

/// What the manifest URL answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fetched {
    /// A piece of the answer.
    Part {
        /// The piece.
        text: String,
    },
    /// The answer is complete; its pieces have been said.
    All {
        /// Its `ETag`.
        etag: Option<String>,
        /// Its `Last-Modified`.
        last_modified: Option<String>,
        /// Its signature, where one is wanted; it has been found good.
        signature: Option<String>,
    },
    /// The answer is the same as before.
    Unchanged,
}

/// What came of loading an image archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ArchiveSaid {
    /// It is on its way to dockerd.
    Sent {
        /// Bytes that dockerd has taken.
        bytes: u64,
        /// Bytes in all.
        of: u64,
    },
    /// An image that it brought.
    Image(LoadedImage),
    /// It was loaded; its images have been said.
    Loaded {
        /// The size of the archive.
        bytes: u64,
    },
    /// It was loaded before, and its images are there; they have been said.
    There,
    /// It cannot be loaded.
    Refused {
        /// Why.
        why: String,
        /// It will not get better by itself.
        lasting: bool,
    },
}

/// What came of removing images that are of no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReclaimSaid {
    /// An image was removed.
    Removed {
        /// Its first name, or its id.
        image: String,
        /// Its size, with what it shared with others.
        bytes: u64,
        /// It had been of no use for too long; else the disk was too full.
        aged: bool,
        /// In words.
        why: String,
    },
    /// An image could not be removed.
    Stays {
        /// Its first name, or its id.
        image: String,
        /// Why.
        why: String,
    },
    /// How full the disk is when all is done.
    Disk {
        /// In whole percent.
        percent: u64,
        /// It is too full still, and why nothing more can be done about it.
        short: Option<String>,
    },
}

/// An image that an archive brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedImage {
    /// `web:1`; the id of an image without a name.
    pub name: String,
    /// `sha256:...`.
    pub id: String,
}

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes downloaded so far.
    pub bytes: u64,
    /// Bytes to download as far as known.
    pub bytes_total: u64,
    /// Layers that are complete.
    pub layers: u32,
    /// Layers in all as far as known.
    pub layers_total: u32,
}

/// The kubelet's reasons for a container that waits (kubelet `container/sync_result.go`, `images/types.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the kubelet's own
pub enum FailReason {
    CreateContainerConfigError,
    CreateContainerError,
    RunContainerError,
    PostStartHookError,
    ErrImagePull,
    ErrImageNeverPull,
    ImageInspectError,
    InvalidImageName,
    RegistryUnavailable,
    CreatePodSandboxError,
    FailedMount,
    KillContainerError,
    /// Ours: the process that did the work is gone, or was too slow.
    JobError,
}

impl FailReason {
    /// The word as the API shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            FailReason::CreateContainerConfigError => "CreateContainerConfigError",
            FailReason::CreateContainerError => "CreateContainerError",
            FailReason::RunContainerError => "RunContainerError",
            FailReason::PostStartHookError => "PostStartHookError",
            FailReason::ErrImagePull => "ErrImagePull",
            FailReason::ErrImageNeverPull => "ErrImageNeverPull",
            FailReason::ImageInspectError => "ImageInspectError",
            FailReason::InvalidImageName => "InvalidImageName",
            FailReason::RegistryUnavailable => "RegistryUnavailable",
            FailReason::CreatePodSandboxError => "CreatePodSandboxError",
            FailReason::FailedMount => "FailedMount",
            FailReason::KillContainerError => "KillContainerError",
            FailReason::JobError => "JobError",
        }
    }

    /// Whether it is about the image, not about the container made from it.
    pub fn is_about_image(self) -> bool {
        match self {
            FailReason::ErrImagePull
            | FailReason::ErrImageNeverPull
            | FailReason::ImageInspectError
            | FailReason::InvalidImageName
            | FailReason::RegistryUnavailable => true,
            FailReason::CreateContainerConfigError
            | FailReason::CreateContainerError
            | FailReason::RunContainerError
            | FailReason::PostStartHookError
            | FailReason::CreatePodSandboxError
            | FailReason::FailedMount
            | FailReason::KillContainerError
            | FailReason::JobError => false,
        }
    }
}
