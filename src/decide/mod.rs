//! What to do next: a pure function of what is wanted, what is there, and what is remembered.
//!
//! No IO, no clock, no log, no error. [`decide`] is called after every look and may be called at any time: a converged
//! world gives no action. A pod with a job under way is left alone until the job is gone. Every wait has an end, told in
//! [`Wake`]; no wanted pod is ever given up. Start reading at `decide/pod.rs`.

mod action;

pub use action::{Action, ImageChoice, Step, StopTarget, Why};
