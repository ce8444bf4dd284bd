//! Shared by the test binaries.
#![allow(unreachable_pub, dead_code, missing_docs)]

pub mod apiserver;
pub mod bare;
pub mod dice;
pub mod listener;
pub mod scratch;
pub mod source;
pub mod tls;
pub mod web;
pub mod world;
