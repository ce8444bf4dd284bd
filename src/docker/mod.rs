//! Talks to dockerd over its Unix socket, one function per call.
//!
//! IO. [`wire`] is what goes over the socket (pure), `transport` is HTTP over a Unix socket, [`Docker`] the calls.
//! Every call has a deadline, every answer a largest size, and each fault of the other side its own
//! [`Kind`](crate::sys::Kind): a 404 is `Gone`, a 409 is `Conflict`, no answer is `Unavailable`, and never the one for
//! the other. Deliberately absent: retries (the next look makes them), anything about pods, and any call that no room
//! uses.

mod call;
mod client;
mod deadlines;
mod exec;
mod images;
mod load;
mod logs;
mod stream;
mod transport;
pub mod wire;

pub use client::{Docker, ImportCall, PullCall};
pub use logs::LogsCall;
pub use stream::log_text;
