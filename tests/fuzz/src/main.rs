//! One program for all targets: `FUZZ_TARGET` names the one.

#![no_main]

mod entries;

use std::sync::LazyLock;

/// The target that is asked for.
static TARGET: LazyLock<entries::Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = entries::TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| {
        let names: Vec<&str> = entries::TARGETS.iter().map(|target| target.name).collect();
        panic!("FUZZ_TARGET is none of {}", names.join(", "))
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
