//! Leaves the tables for unwinding out of the released program. Not by `.cargo/config.toml`: tests have to unwind. And
//! writes down when the program was built, which no clock may be before.

// What cargo tells a build script stands in the environment.
#[allow(clippy::disallowed_methods)]
fn main() {
    println!("cargo::rerun-if-changed=packaging/no-unwind.ld");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let told = std::env::var("SOURCE_DATE_EPOCH").ok();
    let told = told.and_then(|seconds| seconds.parse::<u64>().ok());
    let built = told.or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.ok().map(|since| since.as_secs())
    });
    println!("cargo::rustc-env=STATICLET_BUILT={}", built.unwrap_or(0));
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // With rust-lld, which rustc links this target with.
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bin=staticlet=-Wl,-T,{dir}/packaging/no-unwind.ld");
        println!("cargo::rustc-link-arg-bin=staticlet=-Wl,--no-eh-frame-hdr");
    }
}
