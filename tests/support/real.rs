//! What the tests on a real dockerd share.
#![allow(unreachable_pub, dead_code, missing_docs)]

pub mod agent;
pub mod apiserver;
pub mod engine;
pub mod image;
pub mod proxy;
pub mod tls;
