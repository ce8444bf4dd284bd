//! The commands a person or a parent process runs.

pub mod pause;
