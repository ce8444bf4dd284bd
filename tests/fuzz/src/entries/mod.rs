//! What strangers may send, and what must be true whatever they send. Each target takes bytes and panics when something
//! is not true; `tests/run fuzz` makes the bytes up, and tests/it/fuzz.rs replays those that once did harm.

mod apiserver;
mod docker;
mod jobs;
mod manifest;
mod observe;
mod probe;
mod serve;
mod server;
mod settings;
mod words;

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of the directory of its seeds.
    pub name: &'static str,
    /// Takes one input.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:literal: $run:path,)*) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target { name: $name, run: $run }),*];
    };
}

targets! {
    "manifest": manifest::manifest,
    "list": manifest::list,
    "kubeconfig": settings::kubeconfig,
    "configuration": settings::configuration,
    "docker": docker::calls,
    "logs": docker::logs,
    "observe": observe::observe,
    "apiserver": apiserver::calls,
    "serve": serve::serve,
    "grpc": probe::grpc,
    "http": probe::http,
    "job": jobs::job,
    "words": words::words,
}

/// The parts of an input, which a byte that is in no UTF-8 separates; those that are missing are empty.
fn parts<const COUNT: usize>(data: &[u8]) -> [&[u8]; COUNT] {
    let mut parts = data.splitn(COUNT, |byte| *byte == 0xff);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// A directory of this process; it is removed by whoever runs the targets.
pub fn scratch() -> std::path::PathBuf {
    let base = option_env!("CARGO_TARGET_TMPDIR").map(Into::into);
    let base = base.unwrap_or_else(std::env::temp_dir);
    let dir = base.join(format!("fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// An error is told in a line or two, whatever the other side said.
fn is_short(error: &dyn std::fmt::Display) {
    let said = error.to_string();
    assert!(said.len() < 4096, "{} bytes: {said:.4096}", said.len());
}
