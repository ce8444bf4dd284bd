//! Answers over HTTP: is the agent well, what runs, and numbers.
//!
//! IO. The agent only listens and hands each connection to a process of its own ([`Doors`]), so that no client can hold
//! up the loop; a loop that is stuck accepts nobody, which is how a watcher sees it. That process ([`answer`]) is given
//! the state of the agent at that instant ([`Pulse`]), opens the published state, gives up root and only then reads what
//! the client wants. Deliberately absent: connections that stay open, TLS, and anything that changes something.

mod doors;
mod http;
mod metrics;
mod pages;
mod pulse;

pub use doors::{Door, Doors, What};
pub use http::{answer, respond};
pub use pulse::{Histogram, Pulse};
