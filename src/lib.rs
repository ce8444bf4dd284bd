//! staticlet runs Kubernetes static pods on Docker Engine, without a kubelet.
//!
//! The whole design in one line: look at the world, think without touching it, act in small steps that may be lost,
//! look again.
//!
//! ```text
//! manifests ─▶ sources ─▶ Desired  ─┐
//! dockerd ───▶ observe ─▶ Observed ─┼─▶ decide ─▶ Decision ─▶ jobs ─▶ dockerd
//!                         Memory   ─┘     │                    │
//!                            ▲            └─▶ status ─▶ publish │ Event
//!                            └────────── fold(event, now) ◀────┘
//! ```
//!
//! The agent is one thread that never waits on anything it supervises. Whatever can take long is a *job*: the same
//! binary started again as `staticlet job`, with one JSON request on standard input and JSON lines on standard output.
//!
//! The order of the `mod` lines below is the import order, the data-flow order and the reading order: a room imports
//! only rooms above it (`tests/it/layers.rs` holds that). Rooms marked *pure* use neither clock, files, environment,
//! processes, sockets nor `log` (`tests/it/tidy.rs`).
//!
//! Log fields are a closed list: `pod container id image attempt exit_code signal took_ms wait_ms deadline_ms bytes
//! file url why err times`. `id` is 12 hex digits, `pod` is `namespace/name`.

// Each line stands alone, so that rustfmt leaves the order as it is.

pub mod sys;

pub mod pod;

pub mod docker;

pub mod apiserver;

pub mod state;

pub mod sources;

pub mod translate;

pub mod observe;

pub mod status;

pub mod decide;

pub mod jobs;

pub mod publish;

pub mod serve;

pub mod cli;

pub mod config;

pub mod agent;

pub mod commands;
