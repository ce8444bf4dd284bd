//! Tools that never heard of pods: errors, clocks, files, mounts, signals, children, spelling.
//!
//! IO. Nothing here knows Docker or Kubernetes. Every read is bounded, every wait has a deadline. Deliberately absent:
//! thread pools, async, and anything that would need `unsafe`.

mod child;
mod clock;
mod duration;
mod error;
pub mod files;
mod gather;
pub mod inside;
pub mod json;
mod lock;
pub mod minisign;
pub mod mounts;
mod notify;
mod order;
mod poll;
mod program;
mod secret;
mod signals;
mod spelling;
pub mod tls;
mod url;

pub use child::{Child, Guest, die_with_parent, drop_privileges, signal_of, told};
pub use clock::{Mono, Now, Wall, now};
pub use duration::duration;
pub use error::{Error, Kind, Result};
pub use gather::Gather;
pub use lock::Lock;
pub use notify::Notify;
pub use order::InOrder;
pub use poll::{is_read, pause, poll, poll_while_read};
pub use program::{Ended, Program, run_to_end};
pub use secret::Secret;
pub use signals::{Signal, Signals};
pub use spelling::nearest;
pub use url::shown_url;
