//! A dockerd that hangs or is gone, and a disk that is full.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::agent::{Agent, SOON, eventually, sleeper};
use crate::support::engine;
use crate::support::proxy::Proxy;

fn behind_a_proxy(test: &str) -> (Agent, Proxy) {
    let mut agent = Agent::new(test);
    let socket = agent.base.join("docker.sock");
    let proxy = Proxy::listen(&socket);
    agent.args.push(format!(
        "--container-runtime-endpoint=unix://{}",
        socket.display()
    ));
    agent.start();
    agent.put("a.yaml", &sleeper("a"));
    agent.wait_running("a", "c");
    (agent, proxy)
}

fn lives_through(agent: &mut Agent, break_it: impl Fn(), mend: impl Fn()) {
    let id = agent.wait_running("a", "c");
    // What the jobs of the start have used is counted when they are gone.
    thread::sleep(Duration::from_secs(2));
    let before = agent.cpu_ticks();
    break_it();
    agent.put("b.yaml", &sleeper("b"));
    thread::sleep(Duration::from_secs(15));
    assert!(agent.is_alive(), "the agent died\n{}", agent.log());
    let spent = agent.cpu_ticks() - before;
    assert!(spent < 150, "{spent} ticks of 10 ms in 15 s: it spins");
    assert!(
        agent.log().contains("dockerd cannot be read"),
        "{}",
        agent.log()
    );
    agent.wait_status("dockerd");
    mend();
    eventually(agent, "it goes on", Duration::from_secs(60), || {
        agent.running("b", "c").len() == 1
    });
    assert_eq!(agent.running("a", "c"), [id]);
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_hangs() {
    let (mut agent, proxy) = behind_a_proxy("hang");
    lives_through(&mut agent, || proxy.freeze(), || proxy.forward());
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_gone() {
    let (mut agent, proxy) = behind_a_proxy("gone");
    lives_through(&mut agent, || proxy.refuse(), || proxy.forward());
}

#[test]
#[ignore = "needs dockerd"]
fn a_full_root_directory() {
    let mut agent = Agent::new("full");
    let root = agent.base.join("root");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(&root)
        .status()
        .unwrap();
    assert!(mounted.success(), "mounting a tmpfs needs root");
    agent.start();
    agent.put("a.yaml", &sleeper("a"));
    let id = agent.wait_running("a", "c");
    let _ = fs::write(root.join("filler"), vec![0; 2 << 20]);
    agent.put("b.yaml", &sleeper("b"));
    eventually(
        &agent,
        "the full disk is told, or the pod runs without it",
        SOON,
        || agent.status().contains("o space left") || agent.running("b", "c").len() == 1,
    );
    engine::call("POST", &format!("/containers/{id}/kill"), None);
    thread::sleep(Duration::from_secs(3));
    assert!(agent.is_alive());
    fs::remove_file(root.join("filler")).unwrap();
    eventually(
        &agent,
        "both run when there is room",
        Duration::from_secs(60),
        || agent.running("a", "c").len() == 1 && agent.running("b", "c").len() == 1,
    );
}
