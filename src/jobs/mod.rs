//! The job bodies, and the table of running jobs.
//!
//! IO. A job is one process with one [`Request`] on standard input and one [`Report`](crate::state::Report) a line on
//! standard output; it may be run by hand (`echo '{...}' | staticlet job`), run twice, and killed at any line. What it
//! says is a hint: the truth is read from dockerd afterwards.

mod request;
mod table;

pub use request::{PodRequest, PullRequest, Request};
pub use table::Jobs;
