//! Init containers and sidecars: their order, their failures, their end.

use std::thread;
use std::time::Duration;

use crate::support::agent::{Agent, SOON, eventually};
use crate::support::engine;

const SLEEP: &str = "trap 'exit 0' TERM; while :; do busybox sleep 1 & wait; done";

/// A pod with these init containers (a line each) and the container `main` that runs `script`.
fn manifest(name: &str, policy: &str, init: &[&str], script: &str) -> String {
    let init: String = init
        .iter()
        .map(|line| format!("  - {{{line}, image: 'busybox:1'}}\n"))
        .collect();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  restartPolicy: {policy}\n  \
         terminationGracePeriodSeconds: 2\n  volumes:\n  - {{name: v, emptyDir: {{}}}}\n  initContainers:\n{init}  \
         containers:\n  - name: main\n    image: busybox:1\n    volumeMounts: [{{name: v, mountPath: /v}}]\n    \
         command: [sh, -c, \"{script}\"]\n"
    )
}

fn container(name: &str, script: &str, more: &str) -> String {
    format!(
        "name: {name}, command: [sh, -c, \"{script}\"], volumeMounts: [{{name: v, mountPath: /v}}]{more}"
    )
}

fn sidecar(name: &str, script: &str) -> String {
    container(name, script, ", restartPolicy: Always")
}

#[test]
#[ignore = "needs dockerd"]
fn init_containers_run_one_after_the_other_and_again_in_a_new_sandbox() {
    let agent = Agent::started("init");
    let one = container("one", "sleep 1; echo one >> /v/order", "");
    let two = container("two", "echo two >> /v/order", "");
    let side = sidecar("side", SLEEP);
    agent.put(
        "a.yaml",
        &manifest("a", "Always", &[&one, &side, &two], SLEEP),
    );
    let main = agent.wait_running("a", "main");
    assert_eq!(engine::exec(&main, &["cat", "/v/order"]).trim(), "one\ntwo");
    agent.wait_status("2/2");
    let sandbox = agent.wait_running("a", "POD");
    engine::call("POST", &format!("/containers/{sandbox}/kill"), None);
    let second = agent.wait_other("a", "main", &main);
    let order = engine::exec(&second, &["cat", "/v/order"]);
    assert_eq!(order.split_whitespace().collect::<String>(), "onetwoonetwo");
    agent.remove("a.yaml");
    agent.wait_gone("a");
}

#[test]
#[ignore = "needs dockerd"]
fn a_failing_init_container_holds_up_its_pod_and_nobody_else() {
    let agent = Agent::started("initfail");
    let bad = container("one", "exit 3", "");
    agent.put("always.yaml", &manifest("always", "Always", &[&bad], SLEEP));
    agent.put("never.yaml", &manifest("never", "Never", &[&bad], SLEEP));
    agent.wait_status("Init:CrashLoopBackOff");
    agent.wait_status("Init:Error");
    eventually(&agent, "the failed pod has no sandbox", SOON, || {
        agent.running("never", "POD").is_empty()
    });
    thread::sleep(Duration::from_secs(2));
    assert!(agent.running("always", "main").is_empty());
    assert_eq!(agent.all("never").len(), 2, "a sandbox and one try");
}

#[test]
#[ignore = "needs dockerd"]
fn sidecars_stop_last_and_in_reverse_order() {
    let agent = Agent::started("sidecars");
    let (first, second) = (sidecar("s1", SLEEP), sidecar("s2", SLEEP));
    agent.put(
        "job.yaml",
        &manifest("job", "Never", &[&first, &second], "sleep 3"),
    );
    agent.wait_running("job", "main");
    agent.wait_status("Completed");
    eventually(&agent, "its sandbox stops", SOON, || {
        agent.running("job", "POD").is_empty()
    });
    let ended = |name: &str| {
        let all = agent.all("job");
        let of = all.iter().find(|c| {
            c["Names"][0]
                .as_str()
                .is_some_and(|n| n.contains(&format!("k8s_{name}_")))
        });
        let id = of.unwrap()["Id"].as_str().unwrap().to_owned();
        let at = engine::inspect(&id)["State"]["FinishedAt"].clone();
        at.as_str().unwrap().to_owned()
    };
    let order = ["main", "s2", "s1", "POD"].map(ended);
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
#[ignore = "needs dockerd"]
fn a_sidecars_probes_hold_up_the_next_and_restart_it() {
    let agent = Agent::started("sidecar-probes");
    let probe = |file: &str| {
        format!("{{exec: {{command: [cat, {file}]}}, periodSeconds: 1, failureThreshold: 60}}")
    };
    let live = "{exec: {command: [ls, /live]}, periodSeconds: 1, failureThreshold: 2}";
    let more = format!(
        ", restartPolicy: Always, startupProbe: {}, readinessProbe: {}, livenessProbe: {live}",
        probe("/v/up"),
        probe("/v/ready")
    );
    let side = container("side", &format!("touch /live; {SLEEP}"), &more);
    agent.put("a.yaml", &manifest("a", "Never", &[&side], SLEEP));
    let first = agent.wait_running("a", "side");
    agent.wait_status("0/2");
    thread::sleep(Duration::from_secs(2));
    assert!(agent.running("a", "main").is_empty());
    engine::exec(&first, &["touch", "/v/up"]);
    let main = agent.wait_running("a", "main");
    agent.wait_status("1/2");
    engine::exec(&first, &["touch", "/v/ready"]);
    agent.wait_status("2/2");
    engine::exec(&first, &["rm", "/live"]);
    agent.wait_other("a", "side", &first);
    agent.wait_status("2/2");
    assert_eq!(agent.running("a", "main"), [main]);
}

#[test]
#[ignore = "needs dockerd"]
fn variables_come_from_a_file_of_an_init_container() {
    let agent = Agent::started("envfile");
    let manifest = |script: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  restartPolicy: Never\n  \
             volumes: [{{name: v, emptyDir: {{}}}}]\n  initContainers:\n  - {{name: i, image: 'busybox:1', \
             volumeMounts: [{{name: v, mountPath: /v}}], command: [sh, -c, \"{script}\"]}}\n  containers:\n  \
             - name: c\n    image: busybox:1\n    command: [sh, -c, 'echo -n got $K >/dev/termination-log']\n    \
             env: [{{name: K, valueFrom: {{fileKeyRef: {{volumeName: v, path: e, key: KEY}}}}}}]\n"
        )
    };
    let state =
        || agent.status_json()["items"][0]["status"]["containerStatuses"][0]["state"].clone();
    agent.put("a.yaml", &manifest("echo KEY=\\\\'value1\\\\' >/v/e"));
    eventually(&agent, "the value is there", SOON, || {
        state()["terminated"]["message"] == "got value1"
    });
    // A file that is none is no way out of the volume, and a message one can act on.
    agent.put("a.yaml", &manifest("ln -s /etc/passwd /v/e"));
    eventually(&agent, "the container waits", SOON, || {
        let waiting = &state()["waiting"];
        let said = waiting["message"].as_str().unwrap_or_default();
        waiting["reason"] == "CreateContainerConfigError" && said.contains("leads out")
    });
}
