//! The main job: a file comes, a pod runs; a container dies, it is back; the file goes, the pod goes.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, SOON, eventually, pod, sleeper};
use crate::support::engine;

#[test]
#[ignore = "needs dockerd"]
fn the_walk_through() {
    let agent = Agent::started("walk");
    let manifest = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: static-web\n  labels:\n    role: myrole\nspec:\n  terminationGracePeriodSeconds: 5\n  containers:\n  - name: web\n    image: busybox:1\n    command: [httpd, -f, -p, '80']\n    ports:\n    - name: web\n      containerPort: 80\n      protocol: TCP\n";
    fs::write(agent.manifest("static-web.yaml"), manifest).unwrap();
    let first = agent.wait_running("static-web", "web");
    let names: Vec<String> = agent
        .all("static-web")
        .iter()
        .map(|c| c["Names"][0].as_str().unwrap().to_owned())
        .collect();
    for part in ["web", "POD"] {
        let begin = format!("/k8s_{part}_static-web-{}_default_", agent.node);
        assert!(
            names
                .iter()
                .any(|n| n.starts_with(&begin) && n.ends_with("_0")),
            "{begin} not in {names:?}"
        );
    }
    eventually(&agent, "status shows it running", SOON, || {
        agent.status().lines().any(|l| {
            let words: Vec<&str> = l.split_whitespace().collect();
            words.get(..4).is_some_and(|w| {
                w[0] == "default"
                    && w[1].starts_with("static-web-")
                    && w[2] == "1/1"
                    && w[3] == "Running"
            })
        })
    });
    let stopped = Instant::now();
    engine::call("POST", &format!("/containers/{first}/stop?t=1"), None);
    let second = agent.wait_other("static-web", "web", &first);
    assert!(
        stopped.elapsed() < Duration::from_secs(5),
        "back after {:?}",
        stopped.elapsed()
    );
    let name = engine::inspect(&second)["Name"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(name.ends_with("_1"), "{name}");
    eventually(&agent, "one restart is counted", SOON, || {
        agent.status_json()["items"][0]["status"]["containerStatuses"][0]["restartCount"] == 1
    });
    fs::rename(agent.manifest("static-web.yaml"), agent.base.join("away")).unwrap();
    agent.wait_gone("static-web");
    fs::rename(agent.base.join("away"), agent.manifest("static-web.yaml")).unwrap();
    agent.wait_running("static-web", "web");
}

#[test]
#[ignore = "needs dockerd"]
fn status_is_told_without_an_agent() {
    let mut agent = Agent::started("status");
    agent.put("a.yaml", &sleeper("a"));
    agent.wait_running("a", "c");
    agent.wait_status("Running");
    let list = agent.status_json();
    assert_eq!(list["kind"], "PodList", "{list}");
    assert_eq!(list["items"][0]["status"]["phase"], "Running", "{list}");
    agent.end("TERM");
    let told = agent.status();
    assert!(told.contains(&format!("a-{}", agent.node)), "{told}");
    assert!(told.contains("not running"), "{told}");
    assert_eq!(agent.status_json()["kind"], "PodList");
}

#[test]
#[ignore = "needs dockerd"]
fn twenty_pods_at_once() {
    let agent = Agent::started("twenty");
    let begin = Instant::now();
    for n in 0..20 {
        agent.put(&format!("p{n}.yaml"), &sleeper(&format!("p{n}")));
    }
    eventually(&agent, "all 20 run", Duration::from_secs(90), || {
        (0..20).all(|n| agent.running(&format!("p{n}"), "c").len() == 1)
    });
    println!("20 pods run after {:?}", begin.elapsed());
    for n in 0..20 {
        agent.remove(&format!("p{n}.yaml"));
    }
    eventually(&agent, "all 20 are gone", Duration::from_secs(90), || {
        (0..20).all(|n| agent.all(&format!("p{n}")).is_empty())
    });
}

#[test]
#[ignore = "needs dockerd"]
fn a_removed_pod_gets_its_grace_and_not_more() {
    let agent = Agent::started("grace");
    agent.put(
        "deaf.yaml",
        &pod("deaf", "trap '' TERM; while :; do sleep 1; done", ""),
    );
    let id = agent.wait_running("deaf", "c");
    std::thread::sleep(Duration::from_secs(1));
    let begin = Instant::now();
    agent.remove("deaf.yaml");
    while engine::inspect(&id)["State"]["Running"] == true {
        assert!(begin.elapsed() < SOON, "still runs");
        std::thread::sleep(Duration::from_millis(50));
    }
    let took = begin.elapsed();
    assert!(
        took > Duration::from_millis(1900) && took < Duration::from_secs(7),
        "{took:?}"
    );
    agent.wait_gone("deaf");
}
