//! The nouns: what is wanted, what is there, what is remembered, what happened.
//!
//! Pure data. [`Desired`] comes from the sources, [`Observed`] from dockerd, and both are always whole, never a delta.
//! [`Memory`] holds only what is cheap to relearn: dropping it at any instant changes no container, only how soon the
//! next attempt is made. The only way to change it is [`Memory::fold`].

mod api;
mod desired;
mod event;
mod fold;
mod memory;
mod node;
mod observed;
mod preload;
mod probes;
mod usage;

pub use api::{ApiSaid, Watched};
pub use desired::{Desired, DesiredPod, Refusal, Source};
pub use event::{
    ArchiveSaid, Event, FailReason, Fetched, JobEnd, JobKey, LoadedImage, ProbeKind, Probed,
    Progress, ReclaimSaid, Report,
};
pub use memory::{ContainerMemory, Crash, Failure, Memory, PodMemory, Pull, PullWait, RunningJob};
pub use node::{Node, RESOLV_CONF};
pub use observed::{
    Container, ContainerId, ContainerState, DockerFacts, Exit, Observed, ObservedPod, Sandbox,
    Stranger,
};
pub use preload::{ArchiveState, ArchiveStatus, Held};
pub use probes::{Before, ProbeMemory, probe_of};
pub use usage::Usage;
