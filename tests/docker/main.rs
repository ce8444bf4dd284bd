//! The built program on a real dockerd, from outside. Every test has an agent, directories and a node name of its own
//! and removes what it made. Run by `STATICLET_TEST_DOCKER=1 cargo test --test docker -- --include-ignored`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::cloned_ref_to_slice_refs
)]

#[path = "../support/real.rs"]
mod support;

mod adopt;
mod bare_machine;
mod bootstrap;
mod cluster;
mod commands;
mod describe;
mod dockerd;
mod edits;
mod faults;
mod health;
mod hooks;
mod hostile;
mod init;
mod inside;
mod kubeadm;
mod limits;
mod mirror;
mod mirror_pace;
mod mirror_rest;
mod plan;
mod preload;
mod probes;
mod reclaim;
mod refuse;
mod registry;
mod restart;
mod sabotage;
mod sandbox;
mod scarce;
mod soak;
mod subpaths;
mod torn;
mod volumes;
mod walk;
