//! What the tests on a real dockerd share.
#![allow(unreachable_pub, dead_code, missing_docs)]

pub mod agent;
pub mod apiserver;
pub mod calls;
pub mod dice;
pub mod dockerd;
pub mod engine;
pub mod exchange;
pub mod harm;
pub mod image;
pub mod proxy;
pub mod sabotage;
pub mod tls;
pub mod web;
