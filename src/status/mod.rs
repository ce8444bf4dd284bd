//! What is told of a pod: its v1 PodStatus, and the rows of `staticlet status`.
//!
//! Pure. [`pod_status`] says what the kubelet would say of the same world; `decide` reads its rules from here
//! ([`crash_wait`]) and never the other way round. Deliberately absent: pod IPs and phases that stick: the status follows
//! from what is there, so that an agent that starts anew says the same. The exceptions are told in [`Case::previous`].
//! Start reading at `pod.rs`.

mod backoff;
mod conditions;
mod containers;
mod deadline;
mod init;
pub mod mirror;
pub mod node;
mod phase;
mod pod;
mod reasons;
mod restart;
mod table;

pub use backoff::{crash_wait, sandbox_wait};
pub use deadline::active_left;
pub use init::init_failed;
pub use pod::{Case, pod_status};
pub use reasons::{Reason, reasons};
pub use restart::{Again, Restart};
pub use table::{Row, Tone, age, render, row};
