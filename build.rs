//! Leaves the tables for unwinding out of the released program. Not by `.cargo/config.toml`: tests have to unwind.

// What cargo tells a build script stands in the environment.
#[allow(clippy::disallowed_methods)]
fn main() {
    println!("cargo::rerun-if-changed=packaging/no-unwind.ld");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // With rust-lld, which rustc links this target with.
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bin=staticlet=-Wl,-T,{dir}/packaging/no-unwind.ld");
        println!("cargo::rustc-link-arg-bin=staticlet=-Wl,--no-eh-frame-hdr");
    }
}
