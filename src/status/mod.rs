//! (room under construction)

mod backoff;

pub use backoff::crash_wait;
