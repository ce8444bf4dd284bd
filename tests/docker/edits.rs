//! What an edit of a manifest does, and what it does not.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod, sleeper};
use crate::support::engine;

#[test]
#[ignore = "needs dockerd"]
fn an_edit_replaces_the_pod_and_hands_over_its_port() {
    let agent = Agent::started("edit");
    let text = |label: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: e, labels: {{v: '{label}'}}}}\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  - name: c\n    image: busybox:1\n    imagePullPolicy: Never\n    command: [httpd, -f, -p, '80']\n    ports: [{{containerPort: 80, hostPort: 28471}}]\n"
        )
    };
    agent.put("e.yaml", &text("1"));
    let first = agent.wait_running("e", "c");
    let uid = |id: &str| engine::inspect(id)["Config"]["Labels"]["io.kubernetes.pod.uid"].clone();
    let old = uid(&first);
    agent.put("e.yaml", &text("2"));
    let second = agent.wait_other("e", "c", &first);
    assert_ne!(old, uid(&second));
    eventually(&agent, "the old containers are gone", SOON, || {
        agent.all("e").len() == 2
    });
    // There and back: the first version's UID again.
    agent.put("e.yaml", &text("1"));
    let third = agent.wait_other("e", "c", &second);
    assert_eq!(old, uid(&third));
}

#[test]
#[ignore = "needs dockerd"]
fn quick_edits_end_in_the_last() {
    let agent = Agent::started("quick");
    for n in 0..15 {
        agent.put("q.yaml", &pod("q", &format!("echo {n}; {FOREVER}"), ""));
        thread::sleep(Duration::from_millis(120));
    }
    eventually(
        &agent,
        "only the last version runs",
        Duration::from_secs(60),
        || {
            let all = agent.all("q");
            all.len() == 2
                && agent
                    .running("q", "c")
                    .first()
                    .is_some_and(|id| engine::inspect(id)["Args"].to_string().contains("echo 14;"))
        },
    );
}

#[test]
#[ignore = "needs dockerd"]
fn what_changes_nothing_restarts_nothing() {
    let agent = Agent::started("same");
    let text = sleeper("s");
    agent.put("s.yaml", &text);
    let id = agent.wait_running("s", "c");
    agent.put("s.yaml", &format!("# a comment\n{text}"));
    thread::sleep(Duration::from_secs(1));
    let reordered = text.replace("apiVersion: v1\nkind: Pod\n", "kind: Pod\napiVersion: v1\n");
    assert_ne!(reordered, text);
    agent.put("s.yaml", &reordered);
    thread::sleep(Duration::from_secs(1));
    fs::rename(agent.manifest("s.yaml"), agent.manifest("other.yml")).unwrap();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(agent.running("s", "c"), [id]);
    assert_eq!(agent.all("s").len(), 2);
}

#[test]
#[ignore = "needs dockerd"]
fn a_manifest_turned_bad_keeps_the_running_pod() {
    let agent = Agent::started("turnbad");
    agent.put("b.yaml", &sleeper("b"));
    let id = agent.wait_running("b", "c");
    agent.put("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: b\n");
    agent.wait_status("b.yaml");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(agent.running("b", "c"), [id]);
    agent.remove("b.yaml");
    agent.wait_gone("b");
}
