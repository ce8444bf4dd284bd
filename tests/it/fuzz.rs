//! The targets of `tests/run fuzz` take their seeds, and what once did harm.

use std::path::{Path, PathBuf};

#[allow(unreachable_pub)]
#[path = "../fuzz/src/entries/mod.rs"]
mod entries;

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_and_every_finding_is_taken() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    for target in entries::TARGETS {
        let seeds = files(&fuzz.join("seeds").join(target.name));
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for seed in seeds {
            println!("{}", seed.display());
            (target.run)(&std::fs::read(&seed).unwrap());
        }
        // Some are of no length in the file system's eyes: nothing, and little.
        for data in [&b""[..], b"\0", b"\0\x03", b"\0\x03\0", b"\xff\xff\xff\xff"] {
            (target.run)(data);
        }
    }
    let names: Vec<&str> = entries::TARGETS.iter().map(|target| target.name).collect();
    for dir in files(&fuzz.join("seeds")) {
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        assert!(names.contains(&name.as_str()), "{name} is no target");
    }
    let _ = std::fs::remove_dir_all(entries::scratch());
}
