//! Probes of real containers: who is restarted by them, and who is ready.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, SOON, eventually, pod, sleeper};
use crate::support::engine;

/// A pod that sleeps, with these lines in its container.
fn probed(name: &str, lines: &str) -> String {
    let text = sleeper(name);
    let (head, tail) = text.split_once("    image:").expect("a container");
    format!("{head}{lines}    image:{tail}")
}

fn ready(agent: &Agent, name: &str) -> bool {
    let list = agent.status_json();
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().any(|pod| {
        pod["metadata"]["name"]
            .as_str()
            .is_some_and(|n| n.starts_with(name))
            && pod["status"]["containerStatuses"][0]["ready"] == true
    })
}

#[test]
#[ignore = "needs dockerd"]
fn a_container_that_is_not_alive_is_restarted() {
    let agent = Agent::started("live");
    let script =
        "touch /ok; (sleep 3; rm /ok) & trap 'exit 0' TERM; while :; do sleep 1 & wait; done";
    let live =
        "    livenessProbe: {exec: {command: [cat, /ok]}, periodSeconds: 1, failureThreshold: 2}\n";
    let text = pod("a", script, "");
    let (head, tail) = text.split_once("    image:").expect("a container");
    agent.put("a.yaml", &format!("{head}{live}    image:{tail}"));
    let first = agent.wait_running("a", "c");
    agent.wait_status("Unhealthy");
    agent.wait_other("a", "c", &first);
    let name = engine::inspect(&agent.running("a", "c")[0])["Name"].clone();
    assert!(name.as_str().is_some_and(|n| n.ends_with("_1")), "{name}");
    let log = agent.log();
    assert!(log.contains("container failed its liveness probe"), "{log}");
}

#[test]
#[ignore = "needs dockerd"]
fn readiness_follows_its_probe() {
    let agent = Agent::started("ready");
    let probe = "    readinessProbe: {exec: {command: [cat, /ok]}, periodSeconds: 1, failureThreshold: 1}\n";
    agent.put("a.yaml", &probed("a", probe));
    let id = agent.wait_running("a", "c");
    agent.wait_status("0/1");
    engine::exec(&id, &["touch", "/ok"]);
    agent.wait_status("1/1");
    engine::exec(&id, &["rm", "/ok"]);
    agent.wait_status("0/1");
    assert_eq!(agent.running("a", "c"), [id], "readiness restarts nothing");
}

#[test]
#[ignore = "needs dockerd"]
fn a_new_agent_takes_over_what_was_ready() {
    let mut agent = Agent::started("flap");
    let probe = "    readinessProbe: {exec: {command: [\"true\"]}, periodSeconds: 3}\n    startupProbe: {exec: {command: [cat, /ok]}, periodSeconds: 1, failureThreshold: 30}\n";
    agent.put("a.yaml", &probed("a", probe));
    let id = agent.wait_running("a", "c");
    thread::sleep(Duration::from_secs(2));
    assert!(
        !ready(&agent, "a"),
        "nothing is ready before it has started"
    );
    engine::exec(&id, &["touch", "/ok"]);
    eventually(&agent, "a is ready", SOON, || ready(&agent, "a"));
    engine::exec(&id, &["rm", "/ok"]);
    agent.end("KILL");
    agent.start();
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert!(ready(&agent, "a"), "{}", agent.status());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(agent.running("a", "c"), [id]);
}

#[test]
#[ignore = "needs dockerd"]
fn a_command_that_hangs_is_killed_and_holds_up_nobody() {
    let agent = Agent::started("probehang");
    let probe = "    readinessProbe: {exec: {command: [sleep, \"77\"]}, periodSeconds: 1}\n";
    agent.put("a.yaml", &probed("a", probe));
    agent.put("b.yaml", &sleeper("b"));
    let (hung, other) = (agent.wait_running("a", "c"), agent.wait_running("b", "c"));
    agent.wait_status("command timed out");
    let began = Instant::now();
    engine::call("POST", &format!("/containers/{other}/kill"), None);
    agent.wait_other("b", "c", &other);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    thread::sleep(Duration::from_secs(3));
    let top = engine::call("GET", &format!("/containers/{hung}/top"), None).1;
    let left = top.to_string().matches("sleep 77").count();
    assert!(left <= 1, "{top}");
}
