//! The walk-through, and what people do to mirrors and Nodes with kubectl.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{each, is_ready, mirror, node, uid, wait_mirror, wait_no_mirror};
use crate::support::agent::{SOON, eventually, sleeper};

/// What is done at once on an idle machine.
const AT_ONCE: Duration = Duration::from_secs(10);

fn with_role() -> String {
    sleeper("web").replace("metadata:\n", "metadata:\n  labels: {role: myrole}\n")
}

#[test]
#[ignore = "needs dockerd"]
fn a_person_with_kubectl_sees_and_deletes_a_mirror() {
    each("walk", |site, test| {
        let agent = node(site, test);
        agent.put("web.yaml", &with_role());
        let id = agent.wait_running("web", "c");
        wait_mirror(site, &agent, "web", "");
        let name = mirror(&agent, "web");
        let said = site.kubectl(&["get", "pods", "-l", "role=myrole"]);
        let words: Vec<&str> = said.split_whitespace().collect();
        assert_eq!(
            words[..5],
            ["NAME", "READY", "STATUS", "RESTARTS", "AGE"],
            "{said}"
        );
        assert_eq!(
            words[5..9],
            [name.as_str(), "1/1", "Running", "0"],
            "{said}"
        );
        assert!(
            !site
                .kubectl(&["get", "pods", "-l", "role=other"])
                .contains(&name)
        );
        for more in [&[][..], &["--force", "--grace-period=0"]] {
            let old = site.object(&["pod", &name]);
            let begin = Instant::now();
            site.kubectl(&[&["delete", "pod", name.as_str()], more].concat());
            let new = wait_mirror(site, &agent, "web", uid(&old));
            assert!(
                begin.elapsed() < AT_ONCE,
                "back after {:?}",
                begin.elapsed()
            );
            assert_eq!(new["status"]["containerStatuses"][0]["restartCount"], 0);
            assert_eq!(
                agent.running("web", "c"),
                [id.clone()],
                "the container was touched"
            );
        }
        let mut told = String::new();
        eventually(&agent, "the events are told", SOON, || {
            told = site.kubectl(&["describe", "pod", &name]);
            told.contains("Started") && told.contains("Created")
        });
        let owner = format!("Controlled By:  Node/{}", agent.node);
        let parts = [
            owner.as_str(),
            "role=myrole",
            "State:",
            "Running",
            "ContainersReady",
            "PodScheduled",
            "Created",
        ];
        assert!(
            parts.iter().all(|part| told.contains(part)),
            "{parts:?} in {told}"
        );
        let told = site.kubectl(&["get", "node", &agent.node]);
        let words: Vec<&str> = told.split_whitespace().collect();
        assert_eq!(words[5..7], [agent.node.as_str(), "Ready"], "{told}");
        assert!(words[9].starts_with("v1."), "{told}");
        let told = site.kubectl(&["describe", "node", &agent.node]);
        let parts = [
            "docker://",
            "InternalIP",
            "Hostname",
            "KubeletReady",
            "HolderIdentity",
            name.as_str(),
        ];
        assert!(
            parts.iter().all(|part| told.contains(part)),
            "{parts:?} in {told}"
        );
        std::fs::rename(agent.manifest("web.yaml"), agent.base.join("away")).unwrap();
        agent.wait_gone("web");
        wait_no_mirror(site, &agent, "web");
    });
}

#[test]
#[ignore = "needs dockerd"]
fn what_is_written_into_a_mirror_stays_or_is_put_right_and_touches_nothing() {
    each("edited", |site, test| {
        let agent = node(site, test);
        agent.put("web.yaml", &with_role());
        let id = agent.wait_running("web", "c");
        let old = wait_mirror(site, &agent, "web", "");
        let name = mirror(&agent, "web");
        // As with a kubelet: labels and annotations are whose they are.
        site.kubectl(&["label", "pod", &name, "role=another", "--overwrite"]);
        site.kubectl(&["annotate", "pod", &name, "who=me"]);
        // The status is the node's.
        let patch =
            r#"{"status": {"phase": "Failed", "reason": "Evil", "podIP": null, "podIPs": null}}"#;
        site.kubectl(&[
            "patch",
            "pod",
            &name,
            "--subresource=status",
            "--type=merge",
            "-p",
            patch,
        ]);
        let mut now = Value::Null;
        eventually(&agent, "the status is put right", SOON, || {
            now = site.object(&["pod", &name]);
            now["status"]["phase"] == "Running" && now["status"]["reason"].is_null()
        });
        assert_eq!(now["status"]["podIP"], old["status"]["podIP"]);
        assert_eq!(uid(&now), uid(&old), "the mirror was made anew");
        assert_eq!(now["metadata"]["labels"]["role"], "another");
        assert_eq!(now["metadata"]["annotations"]["who"], "me");
        assert_eq!(agent.running("web", "c"), [id], "the container was touched");
    });
}

#[test]
#[ignore = "needs dockerd"]
fn a_node_that_is_deleted_is_there_again_with_its_mirrors() {
    each("node_deleted", |site, test| {
        // With a controller manager the mirrors go with their Node, without one they stay behind.
        for collects in [true, false] {
            if let Some(server) = site.as_fake() {
                server.shared.store.lock().unwrap().collects = collects;
            } else if collects {
                // There is none beside a real one either.
                continue;
            }
            let agent = node(site, &format!("{test}_{collects}"));
            agent.put("web.yaml", &sleeper("web"));
            let id = agent.wait_running("web", "c");
            let old = wait_mirror(site, &agent, "web", "");
            let before = site.object(&["node", &agent.node]);
            let begin = Instant::now();
            site.kubectl(&["delete", "node", &agent.node]);
            wait_mirror(site, &agent, "web", uid(&old));
            assert!(
                begin.elapsed() < AT_ONCE,
                "back after {:?}",
                begin.elapsed()
            );
            let after = site.object(&["node", &agent.node]);
            assert!(is_ready(&after) && uid(&after) != uid(&before), "{after}");
            assert_eq!(agent.running("web", "c"), [id], "the container was touched");
        }
    });
}

#[test]
#[ignore = "needs dockerd"]
fn two_nodes_of_one_cluster_keep_to_their_own() {
    each("two", |site, test| {
        let critical = |name: &str| {
            sleeper(name).replace(
                "spec:\n",
                "spec:\n  priorityClassName: system-node-critical\n",
            )
        };
        let (one, two) = (
            node(site, &format!("{test}_one")),
            node(site, &format!("{test}_two")),
        );
        one.put("web.yaml", &critical("web"));
        two.put("web.yaml", &critical("web"));
        let mine = wait_mirror(site, &one, "web", "");
        let theirs = wait_mirror(site, &two, "web", "");
        assert_eq!(mine["spec"]["priority"], 2_000_001_000);
        one.remove("web.yaml");
        one.wait_gone("web");
        wait_no_mirror(site, &one, "web");
        let after = site.object(&["pod", &mirror(&two, "web")]);
        assert_eq!(uid(&after), uid(&theirs));
        for log in [one.log(), two.log()] {
            // Admission may know the Node a moment later than the store does.
            let is_early = |line: &str| line.contains("UID mismatch") || line.contains("not found");
            let mut lines = log.lines().filter(|line| !is_early(line));
            assert!(!lines.any(|line| line.contains("forbidden")), "{log}");
        }
    });
}
