//! `staticlet wait`.

use std::fs;

use serde_json::json;

use super::{Site, listed, ping, told, wanted};
use crate::support::listener::{Listener, reply};

#[test]
fn ready_is_waited_for_and_what_cannot_be_is_told_at_once() {
    let site = Site::new("ready");
    let wants = ["up-n", "slow-n", "done-n", "over-n"].map(wanted);
    let wants: serde_json::Map<_, _> = wants.into_iter().collect();
    let all = || {
        json!({
            "items": [told("up-n", "Running", true), told("slow-n", "Running", false), told("done-n", "Succeeded", false),
                told("over-n", "Failed", false), told("going-n", "Running", true)],
            "pods": (wants.clone()),
        })
    };
    site.publish(all());
    let wait = |line: &str, said: &[&str], code: i32| {
        let said: String = said
            .iter()
            .map(|line| format!("staticlet: wait: {line}\n"))
            .collect();
        assert_eq!(site.typed(&format!("wait {line}")), (said, code), "{line}");
    };
    wait(
        "up --timeout 0",
        &["default/up-n: the agent is not running"],
        1,
    );
    let agent = site.agent();
    wait("up done default/up-n", &[], 0);
    wait(
        "slow up going other --timeout 300ms",
        &[
            "default/slow-n: Running, 0/1 ready",
            "default/going-n: no manifest names it any more, it is on its way out",
            "other: no manifest names it",
        ],
        1,
    );
    // The slow one may become ready; it is not waited for.
    let over = "default/over-n: it has failed for good: Error, 0/1 ready";
    wait("slow over --timeout 10h", &[over], 1);
    wait("--timeout 10h", &[over], 1);
    let mut state = all();
    state["complete"] = json!(false);
    site.publish(state);
    wait(
        "--timeout 0",
        &["all pods: manifests have not been read yet"],
        1,
    );
    let mut state = all();
    state["docker"] = json!({"version": "1", "error": "gone"});
    site.publish(state);
    wait("up --timeout 0", &["default/up-n: dockerd: gone"], 1);
    fs::remove_file(site.0.join("run/pods.json")).unwrap();
    let nothing = format!(
        "up: no agent has published anything in {}/run that can be read",
        site.0.display()
    );
    wait(
        &format!("up --timeout 0 --root-dir={}", site.root()),
        &[&nothing],
        1,
    );
    drop(agent);
}

#[test]
fn a_refused_manifest_is_not_waited_for() {
    let site = Site::new("refused");
    let _agent = site.agent();
    let at = |name: &str| format!("{}/{name}", site.0.display());
    fs::write(at("bad.yaml"), "metadata: {name: web}").unwrap();
    fs::write(at("torn.yaml"), "metadata: {name: ").unwrap();
    let refusal = |name: &str| {
        json!({"source": {"file": at(name)}, "keeps": null, "since": 0,
            "problems": [{"path": "kind", "text": "Required value", "line": 1}]})
    };
    let said = |name: &str| format!("refused: {}:1: kind: Required value", at(name));
    // The directory itself may be mounted yet.
    let dir = json!({"source": {"file": at("root")}, "keeps": null, "since": 0, "problems": [{"path": "", "text": "away"}]});
    site.publish(json!({
        "items": [told("up-n", "Running", true)],
        "pods": {"default/up-n": {"source": {"file": at("up.yaml")}}},
        "refusals": [refusal("bad.yaml"), refusal("torn.yaml"), dir],
    }));
    let wait = |line: &str| site.typed(&format!("wait {line}"));
    let line = |text: &str| format!("staticlet: wait: {text}\n");
    let (bad, torn) = (said("bad.yaml"), said("torn.yaml"));
    assert_eq!(
        wait("default/web --timeout 10h"),
        (line(&format!("default/web: {bad}")), 1)
    );
    assert_eq!(
        wait("torn --timeout 10h"),
        (line(&format!("torn: {torn}")), 1)
    );
    assert_eq!(wait("up"), (String::new(), 0), "its own manifest is good");
    assert_eq!(wait("--timeout 10h"), (line(&bad) + &line(&torn), 1));
    let mut edited = refusal("up.yaml");
    edited["keeps"] = json!({"namespace": "default", "name": "up-n"});
    fs::write(at("up.yaml"), "metadata: {name: up}").unwrap();
    site.publish(json!({
        "items": [told("up-n", "Running", true)],
        "pods": {"default/up-n": {"source": {"file": at("up.yaml")}}},
        "refusals": [edited],
    }));
    assert_eq!(
        wait("up --timeout 10h"),
        (line(&format!("default/up-n: {}", said("up.yaml"))), 1)
    );
}

#[test]
fn gone_is_what_dockerd_says() {
    let site = Site::new("gone");
    let ask = |line: &str, list: &str| {
        let docker = Listener::start(vec![ping(), reply("200 OK", list)]);
        let at = format!(
            "--root-dir={} --container-runtime-endpoint={}",
            site.root(),
            docker.socket()
        );
        site.typed(&format!(
            "wait --for=gone --timeout 0 --hostname-override=n {at} {line}"
        ))
    };
    let left = "staticlet: wait: default/web-n: there are containers: c running\n".to_owned();
    assert_eq!(ask("web", &listed(&site)), (left.clone(), 1));
    assert_eq!(ask("", &listed(&site)), (left, 1));
    assert_eq!(ask("other", &listed(&site)), (String::new(), 0));
    assert_eq!(ask("web", "[]"), (String::new(), 0));
    let state = json!({"items": [told("web-n", "Running", true)], "pods": {"default/web-n": {"source": {"file": "/m/a"}}}});
    site.publish(state);
    assert_eq!(ask("", "[]"), (String::new(), 0), "nobody brings it back");
    let _agent = site.agent();
    let wanted = "staticlet: wait: default/web-n: it is wanted by /m/a\n".to_owned();
    assert_eq!(ask("", "[]"), (wanted, 1));
}
