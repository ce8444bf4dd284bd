//! All that a pod is and has, in lines that are the same for every pod: what docker says, what lies in the directories,
//! what is published.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::agent::Agent;
use crate::support::engine;

/// Lines.
pub(super) type Snapshot = BTreeSet<String>;

/// What there is of a pod now, whose versions had these UIDs.
pub(super) fn take(agent: &mut Agent, pod: &str, uids: &[String]) -> Snapshot {
    let mut words = Words(Vec::new());
    words.add(&agent.base.display().to_string(), "BASE");
    for (at, uid) in uids.iter().enumerate() {
        words.add(uid, &format!("UID{at}"));
    }
    let mut lines = Snapshot::new();
    let all = agent.all(pod);
    for one in &all {
        let name = one["Names"][0].as_str().unwrap_or("?");
        words.add(one["Id"].as_str().unwrap(), &short(name));
    }
    words.add(&format!("{pod}-{}", agent.node), "POD");
    words.add(&agent.node, "NODE");
    for one in &all {
        container(one, &mut lines);
    }
    for dir in ["root", "logs"] {
        files(&agent.base.join(dir), &mut lines);
    }
    cgroups(uids, &mut lines);
    status(&agent.status_json(), &mut lines);
    let zombies = zombies(agent);
    if zombies > 0 {
        lines.insert(format!("{zombies} zombies"));
    }
    if !agent.is_alive() {
        lines.insert("the agent is dead".to_owned());
    }
    lines.into_iter().map(|line| words.put(&line)).collect()
}

fn short(name: &str) -> String {
    let parts: Vec<&str> = name.split('_').collect();
    match parts[..] {
        [_, container, .., attempt] => format!("ID-of-{container}.{attempt}"),
        _ => name.to_owned(),
    }
}

/// Words that differ from pod to pod, and what stands for them.
struct Words(Vec<(String, String)>);

impl Words {
    fn add(&mut self, word: &str, instead: &str) {
        self.0.push((word.to_owned(), instead.to_owned()));
    }

    fn put(&self, line: &str) -> String {
        let replace =
            |line: String, (word, instead): &(String, String)| line.replace(word, instead);
        self.0.iter().fold(line.to_owned(), replace)
    }
}

fn container(one: &Value, lines: &mut Snapshot) {
    let inspect = engine::inspect(one["Id"].as_str().unwrap());
    let name = inspect["Name"].as_str().unwrap_or("?").to_owned();
    let (state, code) = (&inspect["State"]["Status"], &inspect["State"]["ExitCode"]);
    lines.insert(format!("container {name} {state} {code}"));
    let mode = inspect["HostConfig"]["NetworkMode"].as_str().unwrap_or("?");
    lines.insert(format!("container {name} is in the network of {mode}"));
    let resolver = inspect["ResolvConfPath"].as_str().unwrap_or_default();
    let resolver = fs::read_to_string(resolver).unwrap_or_else(|error| error.to_string());
    lines.insert(format!("container {name} asks {resolver:?}"));
    let networks = inspect["NetworkSettings"]["Networks"].as_object();
    for (network, of) in networks.into_iter().flatten() {
        let has = of["IPAddress"].as_str().is_some_and(|ip| !ip.is_empty());
        lines.insert(format!(
            "container {name} has an address in {network}: {has}"
        ));
    }
}

/// Everything below a directory, with the targets of links; the agent's own caches are one file each.
fn files(dir: &Path, lines: &mut Snapshot) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let shown = path.display();
        // There is one of each manifest, named by a digest; and a lock that only the first sandbox of all takes.
        if path.extension().is_some_and(|of| of == "manifest") {
            lines.insert(format!("manifest in {}", dir.display()));
            continue;
        }
        if path.ends_with("pause-image.lock") {
            continue;
        }
        if let Ok(target) = fs::read_link(&path) {
            let leads = if path.exists() { "to" } else { "nowhere, to" };
            lines.insert(format!("link {shown} {leads} {}", target.display()));
        } else if path.is_dir() {
            lines.insert(format!("dir {shown}"));
            files(&path, lines);
        } else if path.ends_with("volumes/kubernetes.io~empty-dir/v/log") {
            // Once, or more often: a start that was asked for by an agent that is dead may still be made.
            let text = fs::read_to_string(&path).unwrap_or_default();
            lines.insert(format!("file {shown} {}", text.starts_with("init\n")));
        } else {
            lines.insert(format!("file {shown}"));
        }
    }
}

/// The cgroups of these pods, and the memory that each may use.
fn cgroups(uids: &[String], lines: &mut Snapshot) {
    for qos in ["", "burstable", "besteffort"] {
        for uid in uids {
            for (root, file) in [
                ("/sys/fs/cgroup/memory/kubepods", "memory.limit_in_bytes"),
                ("/sys/fs/cgroup/kubepods", "memory.max"),
            ] {
                let dir = Path::new(root).join(qos).join(format!("pod{uid}"));
                if let Ok(bytes) = fs::read_to_string(dir.join(file)) {
                    lines.insert(format!("cgroup of {uid} {}", bytes.trim()));
                }
            }
        }
    }
}

fn status(published: &Value, lines: &mut Snapshot) {
    if !published["staticlet"]["docker"]["error"].is_null() {
        lines.insert(format!(
            "error {}",
            published["staticlet"]["docker"]["error"]
        ));
    }
    for pod in published["items"].as_array().into_iter().flatten() {
        let (name, status) = (&pod["metadata"]["name"], &pod["status"]);
        lines.insert(format!("status of {name} is {}", status["phase"]));
        lines.insert(format!(
            "status of {name} has an address: {}",
            status["podIP"].is_string()
        ));
        for of in status["conditions"].as_array().into_iter().flatten() {
            lines.insert(format!("status of {name} {} {}", of["type"], of["status"]));
        }
        for list in ["initContainerStatuses", "containerStatuses"] {
            for of in status[list].as_array().into_iter().flatten() {
                lines.insert(told(of));
            }
        }
    }
}

fn told(of: &Value) -> String {
    let state = |state: &Value| {
        let states = state.as_object().into_iter().flatten();
        let states = states.map(|(word, of)| {
            let id = of["containerID"].as_str().unwrap_or_default();
            let (code, reason, message) = (&of["exitCode"], &of["reason"], &of["message"]);
            format!("{word} {code} {reason} {message} {id}")
        });
        states.collect::<String>()
    };
    format!(
        "status of container {} ready={} restarts={} id={} image={} imageID={} state={} last={}",
        of["name"],
        of["ready"],
        of["restartCount"],
        of["containerID"],
        of["image"],
        of["imageID"],
        state(&of["state"]),
        state(&of["lastState"])
    )
}

fn zombies(agent: &Agent) -> usize {
    let pid = agent.pid();
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let is_zombie = |pid: &&str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('Z'))
    };
    children.split_whitespace().filter(is_zombie).count()
}
