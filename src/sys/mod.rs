//! Tools that never heard of pods: errors, clocks, files, signals, children.
//!
//! IO. Nothing here knows Docker or Kubernetes. Every read is bounded, every wait has a deadline. Deliberately absent:
//! thread pools, async, and anything that would need `unsafe`.

mod clock;
mod error;

pub use clock::{Mono, Now, Wall, now};
pub use error::{Error, Kind, Result};
