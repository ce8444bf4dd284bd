//! Manifests that cannot be followed, and wishes that cannot be met yet.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::support::agent::{Agent, SOON, eventually, pod, sleeper};
use crate::support::engine;

#[test]
#[ignore = "needs dockerd"]
fn each_bad_manifest_is_told_and_no_other_pod_notices() {
    let agent = Agent::started("bad");
    agent.put("good.yaml", &sleeper("good"));
    let id = agent.wait_running("good", "c");
    let good = sleeper("x");
    let cases = [
        (
            "badyaml.yaml",
            "kind: Pod\n metadata: {\n".to_owned(),
            "line",
        ),
        (
            "wrongtype.yaml",
            good.replace("[sh, -c,", "{a: ").replace("\"]", "\"}"),
            "command",
        ),
        (
            "noimage.yaml",
            good.replace("    image: busybox:1\n", ""),
            "spec.containers[0].image",
        ),
        (
            "upper.yaml",
            good.replace("name: x", "name: MyPod"),
            "MyPod",
        ),
        (
            "two.yaml",
            format!("{good}---\n{}", sleeper("z")),
            "document",
        ),
        (
            "list.yaml",
            "apiVersion: v1\nkind: List\nitems: []\n".to_owned(),
            "List",
        ),
        (
            "garbage.yaml",
            "\u{1}garbage ".repeat(1_100_000),
            "garbage.yaml",
        ),
    ];
    for (file, text, _) in &cases {
        agent.put(file, text);
    }
    let fifo = Command::new("mkfifo")
        .arg(agent.manifest("pod.yaml"))
        .status();
    assert!(fifo.unwrap().success());
    for (file, _, words) in &cases {
        agent.wait_status(file);
        let status = agent.status();
        assert!(
            status.contains(words),
            "{file}: {words:?} is not in\n{status}"
        );
    }
    agent.wait_status("pod.yaml");
    fs::write(agent.manifest("kube.yaml.backup"), sleeper("backup")).unwrap();
    thread::sleep(Duration::from_secs(2));
    assert!(agent.all("backup").is_empty());
    assert_eq!(agent.running("good", "c"), [id]);
    let log = agent.log();
    for (file, _, _) in &cases {
        let told = log
            .lines()
            .filter(|l| l.contains(file) && (l.contains("WARN") || l.contains("ERROR")))
            .count();
        assert_eq!(told, 1, "{file} is told {told} times\n{log}");
    }
}

#[test]
#[ignore = "needs dockerd"]
fn a_taken_port_is_named_and_used_when_free() {
    let agent = Agent::started("port");
    let taken = TcpListener::bind("0.0.0.0:28472").unwrap();
    let text =
        pod("p", "exec httpd -f -p 80", "") + "    ports: [{containerPort: 80, hostPort: 28472}]\n";
    agent.put("p.yaml", &text);
    agent.wait_status("28472");
    drop(taken);
    eventually(
        &agent,
        "it runs when the port is free",
        Duration::from_secs(60),
        || agent.running("p", "c").len() == 1,
    );
}

#[test]
#[ignore = "needs dockerd"]
fn a_missing_image_is_waited_for() {
    let agent = Agent::started("noimage");
    let image = format!("staticlet-test-{}:1", std::process::id());
    let text = sleeper("one").replace("busybox:1", &image);
    agent.put("n.yaml", &text);
    agent.wait_status("ErrImageNeverPull");
    let pulled = text
        .replace("name: one", "name: two")
        .replace("Never", "IfNotPresent");
    agent.put("m.yaml", &pulled);
    eventually(&agent, "the pull fails", Duration::from_secs(60), || {
        let status = agent.status();
        status.contains("ErrImagePull") || status.contains("ImagePullBackOff")
    });
    let (repo, tag) = image.split_once(':').unwrap();
    engine::call(
        "POST",
        &format!("/images/busybox:1/tag?repo={repo}&tag={tag}"),
        None,
    );
    eventually(&agent, "both run", Duration::from_secs(60), || {
        agent.running("one", "c").len() == 1 && agent.running("two", "c").len() == 1
    });
    drop(agent);
    engine::call("DELETE", &format!("/images/{image}?force=1"), None);
}

#[test]
#[ignore = "needs dockerd"]
fn a_directory_that_goes_away_removes_nothing() {
    let agent = Agent::started("dirgone");
    agent.put("a.yaml", &sleeper("a"));
    let id = agent.wait_running("a", "c");
    fs::rename(agent.base.join("manifests"), agent.base.join("moved")).unwrap();
    thread::sleep(Duration::from_secs(4));
    assert_eq!(agent.running("a", "c"), [id.clone()]);
    fs::rename(agent.base.join("moved"), agent.base.join("manifests")).unwrap();
    agent.put("b.yaml", &sleeper("b"));
    eventually(&agent, "it is watched again", SOON * 2, || {
        agent.running("b", "c").len() == 1
    });
    assert_eq!(agent.running("a", "c"), [id]);
}
