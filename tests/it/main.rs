//! Everything that needs neither Docker nor root: one binary, one sentence per module.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    clippy::too_many_lines
)]

#[path = "../support/mod.rs"]
mod support;

mod apiserver;
mod bounds;
mod captures;
mod check;
mod cli;
mod commands;
mod completion;
mod config;
mod converge;
mod decide;
mod describe;
mod doctor;
mod fuzz;
mod golden;
mod grpc;
mod hostile;
mod identity;
mod kubeconfig;
mod labels;
mod layers;
mod manifests;
mod node;
mod notify;
mod plugin;
mod preload;
mod probe;
mod reclaim;
mod replies;
mod rotation;
mod rules;
mod serve;
mod sources;
mod status;
mod tidy;
mod tls;
mod url;
mod verdict;
mod wire;
mod yaml;
