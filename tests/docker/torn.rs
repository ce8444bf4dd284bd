//! What the agent keeps on disk is cut anywhere, as by a power cut: what runs goes on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::agent::{Agent, SOON, eventually, sleeper};

/// The files below a directory that the agent reads again; locks are empty, and what is a pod's is not the agent's.
fn kept(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.file_name().unwrap().to_str().unwrap() {
        "pods" => Vec::new(),
        name if name.ends_with(".lock") => Vec::new(),
        _ if path.is_dir() => kept(&path),
        _ => vec![path],
    };
    entries.flat_map(of).collect()
}

/// What a file may be after a power cut: its beginning, nothing, zeros, or something else altogether.
fn torn(whole: &[u8]) -> Vec<Vec<u8>> {
    let length = whole.len();
    let cuts = [0, 1, length / 3, length / 2, length.saturating_sub(1)];
    let mut all: Vec<Vec<u8>> = cuts.iter().map(|at| whole[..*at].to_vec()).collect();
    all.push(vec![0; length]);
    all.push([&whole[..length / 2], &vec![0; length - length / 2]].concat());
    all.push(b"\xff\xfe{\"items\":[[[[".to_vec());
    all
}

fn survives(agent: &mut Agent, id: &str, what: &str) {
    let _ = fs::remove_file(agent.base.join("log"));
    agent.start();
    eventually(agent, what, SOON, || {
        agent.status().contains("1/1") && agent.log().contains("manifest")
    });
    assert!(agent.is_alive(), "{what}: {}", agent.log());
    assert_eq!(agent.running("a", "c"), [id], "{what}");
    assert_eq!(agent.running("a", "POD").len(), 1, "{what}");
    agent.end("KILL");
}

#[test]
#[ignore = "needs dockerd"]
fn state_files_cut_anywhere() {
    let mut agent = Agent::started("torn");
    agent.put("a.yaml", &sleeper("a"));
    let id = agent.wait_running("a", "c");
    agent.wait_status("1/1");
    eventually(&agent, "the manifest is kept", SOON, || {
        agent.base.join("root/manifests").exists()
    });
    agent.end("KILL");
    let mut files = kept(&agent.base.join("root"));
    files.extend(kept(&agent.base.join("run")));
    let names: Vec<String> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    for wanted in ["images.json", ".manifest", "pods.json"] {
        assert!(names.iter().any(|name| name.ends_with(wanted)), "{names:?}");
    }
    for path in &files {
        for (at, text) in torn(&fs::read(path).unwrap()).iter().enumerate() {
            fs::write(path, text).unwrap();
            survives(
                &mut agent,
                &id,
                &format!("{} torn in way {at}", path.display()),
            );
        }
    }
    // All at once, and the manifest is broken as well: what runs is not known to anybody, and is left alone.
    for path in &files {
        fs::write(path, b"{").unwrap();
    }
    agent.put("a.yaml", "kind: Pod\nspec: {");
    agent.start();
    eventually(&agent, "the refusal is told", SOON, || {
        agent.status().contains("a.yaml")
    });
    assert_eq!(agent.running("a", "c"), [id.as_str()]);
    agent.put("a.yaml", &sleeper("a"));
    agent.wait_status("1/1");
    assert_eq!(agent.running("a", "c"), [id]);
}
