//! A dockerd that is really restarted, or stuck.

use std::fs;
use std::time::{Duration, Instant};

use crate::health::{free_port, get};
use crate::support::agent::{Agent, eventually};
use crate::support::dockerd::Dockerd;

const LONG: Duration = Duration::from_secs(90);

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, 'trap \"exit 0\" TERM; while :; do sleep 1 & wait; done']
";

/// An agent on a dockerd of its own, and a pod that runs there.
fn running(test: &str, args: &[String]) -> (Agent, Dockerd) {
    let mut agent = Agent::new(test);
    agent.args.extend_from_slice(args);
    let mut dockerd = Dockerd::new(&agent.base.join("dockerd"));
    dockerd.start();
    dockerd.load_busybox();
    agent.args.push(dockerd.flag());
    agent.put("a.yaml", POD);
    agent.start();
    eventually(&agent, "the pod runs", LONG, || {
        dockerd.running().len() == 1
    });
    (agent, dockerd)
}

/// Ends dockerd by `signal`, starts it again, and gives what ran before and after.
fn survives(signal: &str) -> (String, String) {
    let (mut agent, mut dockerd) = running(&format!("dockerd_{signal}"), &[]);
    let before = dockerd.running().remove(0);

    dockerd.end(signal);
    eventually(&agent, "the loss is told", LONG, || {
        agent.log().contains("dockerd cannot be read")
    });
    assert!(agent.is_alive(), "{}", agent.log());
    dockerd.start();
    eventually(&agent, "the pod runs again", LONG, || {
        dockerd.running().len() == 1 && agent.status().contains("1/1")
    });
    let after = dockerd.running().remove(0);
    let stopped = dockerd.docker(&["ps", "-q", "--filter", "name=k8s_POD_"]);
    let sandboxes = String::from_utf8_lossy(&stopped.stdout).lines().count();
    assert_eq!(sandboxes, 1, "one sandbox runs");
    fs::remove_file(agent.manifest("a.yaml")).unwrap();
    eventually(&agent, "the pod is gone", LONG, || {
        dockerd.docker(&["ps", "-aq"]).stdout.is_empty()
    });
    (before, after)
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_restarted() {
    let (before, after) = survives("TERM");
    assert!(before.starts_with("k8s_c_a-"), "{before}");
    // dockerd stopped its containers: the pod was started anew, and the restart is counted.
    assert_ne!(before, after);
    assert!(
        after
            .split(' ')
            .next()
            .is_some_and(|name| name.ends_with("_1")),
        "{after}"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_killed() {
    survives("KILL");
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_stuck_turns_healthz_red_and_green_again() {
    let port = free_port();
    // A long interval must not make it blind.
    let args = [
        "--file-check-frequency=10m".to_owned(),
        format!("--healthz-port={port}"),
    ];
    let (agent, dockerd) = running("dockerd_stuck", &args);
    let before = dockerd.running();
    let turns = |what: &str, sign: &str| {
        let begin = Instant::now();
        eventually(&agent, what, Duration::from_secs(30), || {
            get(port, "/healthz").contains(sign)
        });
        println!("{what} after {:?}", begin.elapsed());
    };
    turns("green", " 200 ");
    dockerd.signal("STOP");
    turns("red", " 500 ");
    dockerd.signal("CONT");
    turns("green again", " 200 ");
    assert_eq!(dockerd.running(), before, "nothing was restarted");
}
