//! The job bodies, and the table of running jobs.
//!
//! IO. A job is one process with one [`Request`] on standard input and one [`Report`](crate::state::Report) a line on
//! standard output; it may be run by hand (`echo '{...}' | staticlet job`), run twice, and killed at any line. What it
//! says is a hint: the truth is read from dockerd afterwards. Start reading at `pod.rs`.

mod access;
mod archive;
mod cgroup;
mod cleanup;
mod create;
mod credentials;
mod events;
mod fetch;
mod hook;
mod http2;
mod hugepages;
mod keep;
mod ledger;
mod logs;
mod machine;
mod mirror;
mod nonroot;
mod ownership;
mod pause_image;
mod payload;
mod pod;
mod ports;
mod post_start;
mod preload;
mod probe;
mod probe_exec;
mod probe_grpc;
mod probe_http;
mod progress;
mod pull;
mod reclaim;
mod report;
mod request;
mod resolver;
mod run;
mod sandbox;
mod start;
mod stop;
mod subpaths;
mod table;
mod tree;
mod volumes;
mod watch;
mod weights;

pub use mirror::MirrorRequest;
pub use pause_image::program_digest;
pub use ports::port_owner;
pub use probe::{Attempt, attempt};
pub use reclaim::ReclaimRequest;
pub use request::{HookRequest, PodRequest, ProbeRequest, PullRequest, Request};
pub use resolver::node_resolver;
pub use run::{Outcome, run};
pub use table::Jobs;
