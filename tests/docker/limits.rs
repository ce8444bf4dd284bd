//! What a pod as a whole may use, as the kernel has it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod};
use crate::support::engine;

/// The file of the cgroup around a container: in the hierarchy of its own, or where there is only one.
fn above(id: &str, hierarchy: &str, first: &str, unified: &str) -> String {
    let pid = engine::inspect(id)["State"]["Pid"].to_string();
    let lines = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let line = |of: &str| {
        let mut found = lines
            .lines()
            .filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let wanted = |(names, _): &(&str, &str)| names.split(',').any(|name| name == of);
        found
            .find(wanted)
            .map(|(_, path)| path.trim_start_matches('/').to_owned())
    };
    let root = PathBuf::from("/sys/fs/cgroup");
    let file = match line(hierarchy) {
        Some(own) => root.join(hierarchy).join(own).join("..").join(first),
        None => root.join(line("").unwrap()).join("..").join(unified),
    };
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.trim().to_owned()
}

#[test]
#[ignore = "needs dockerd"]
fn a_pod_has_limits_as_a_whole() {
    let mut agent = Agent::new("whole");
    agent.args.push("--pod-max-pids=77".to_owned());
    agent.start();
    let spec = "  resources: {limits: {cpu: 500m, memory: 96Mi}}\n";
    agent.put("a.yaml", &pod("a", FOREVER, spec));
    let id = agent.wait_running("a", "c");
    let limits = &engine::inspect(&id)["HostConfig"];
    assert_eq!(limits["Memory"], 96 << 20);
    assert_eq!(limits["CpuQuota"], 50_000);
    agent.wait_status("1/1");
    let bytes = (96 << 20).to_string();
    assert_eq!(
        above(&id, "memory", "memory.limit_in_bytes", "memory.max"),
        bytes
    );
    assert_eq!(above(&id, "pids", "pids.max", "pids.max"), "77");
    let quota = above(&id, "cpu", "cpu.cfs_quota_us", "cpu.max");
    assert!(quota == "50000" || quota == "50000 100000", "{quota}");
    let weight = above(&id, "cpu", "cpu.shares", "cpu.weight");
    assert!(weight == "512" || weight == "20", "{weight}");
    let cgroups = cgroups(&agent, "a");
    assert!(!cgroups.is_empty());
    agent.remove("a.yaml");
    eventually(&agent, "pod and cgroups are gone", SOON, || {
        agent.all("a").is_empty() && cgroups.iter().all(|dir| !dir.exists())
    });
}

/// The directories of the cgroup of a pod that is the only one.
fn cgroups(agent: &Agent, pod: &str) -> Vec<PathBuf> {
    let labels = &agent.all(pod)[0]["Labels"];
    let uid = labels["io.kubernetes.pod.uid"].as_str().unwrap().to_owned();
    let mut left = vec![PathBuf::from("/sys/fs/cgroup")];
    let mut found = Vec::new();
    while let Some(dir) = left.pop() {
        let inner = fs::read_dir(&dir).into_iter().flatten().flatten();
        for dir in inner.map(|entry| entry.path()).filter(|path| path.is_dir()) {
            let name = dir.file_name().unwrap().to_string_lossy().into_owned();
            if name.contains(&uid) || name.contains(&uid.replace('-', "_")) {
                found.push(dir);
            } else if dir.components().count() < 8 && !dir.is_symlink() {
                left.push(dir);
            }
        }
    }
    found
}

#[test]
#[ignore = "needs dockerd"]
fn a_cgroup_that_somebody_uses_is_left_and_holds_nothing_up() {
    let agent = Agent::started("cgroup");
    agent.put("a.yaml", &pod("a", FOREVER, ""));
    agent.wait_running("a", "c");
    let cgroups = cgroups(&agent, "a");
    let used = cgroups[0].join("somebody");
    fs::create_dir(&used).unwrap();
    let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(used.join("cgroup.procs"), sleep.id().to_string()).unwrap();
    agent.remove("a.yaml");
    eventually(&agent, "pod and other cgroups are gone", SOON, || {
        let rest = cgroups[1..].iter().all(|dir| !dir.exists());
        agent.all("a").is_empty() && rest
    });
    let runs = sleep.try_wait().unwrap().is_none();
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    // The agent may just be trying once more.
    let empty = || {
        let _ = fs::remove_dir(&used);
        let _ = fs::remove_dir(&cgroups[0]);
        !cgroups[0].exists()
    };
    assert!(runs);
    eventually(&agent, "it is empty", SOON, empty);
}
