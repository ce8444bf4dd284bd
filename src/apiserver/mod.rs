//! The Kubernetes API server, as far as a node talks to it.
//!
//! IO. Only jobs call it: it may be absent, hang, or send anything. Every call has a deadline and every answer a limit;
//! redirects are not followed. What it says is told apart by [`Answer`], never by its words. Deliberately absent: caches,
//! retries (the agent spaces jobs) and anything that could lead from an answer to a container. Start reading at
//! `client.rs`.

mod client;
mod kubeconfig;
mod plugin;
mod tree;
pub mod wire;

pub use client::{Answer, Api};
pub use kubeconfig::{Access, read};
pub use plugin::{ANSWER_BYTES_MAX, Credential, Plugin};
