//! What a pod as a whole may use, as the kernel has it.

use std::fs;
use std::path::PathBuf;

use crate::support::agent::{Agent, FOREVER, pod};
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
}
