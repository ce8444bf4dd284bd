//! Everything that needs neither Docker nor root: one binary, one sentence per module.

#[path = "../support/mod.rs"]
mod support;

mod converge;
mod decide;
