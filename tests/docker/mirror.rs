//! The pods at an API server: a fake one, strict where NodeRestriction, UIDs and patches are concerned.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::{Agent, SOON, eventually, sleeper};
use crate::support::apiserver::{ApiServer, Fault};

/// An agent that shows its pods at a server.
fn both(test: &str) -> (ApiServer, Agent) {
    let server = ApiServer::start();
    let agent = shown_at(&server, test);
    (server, agent)
}

fn shown_at(server: &ApiServer, test: &str) -> Agent {
    let mut agent = Agent::new(test);
    let file = agent.base.join("kubeconfig");
    let user = json!({"token": format!("node:{}", agent.node)});
    fs::write(&file, server.kubeconfig_of(&user)).unwrap();
    agent.args.push(format!("--kubeconfig={}", file.display()));
    agent.start();
    agent
}

fn name(agent: &Agent, pod: &str) -> String {
    format!("{pod}-{}", agent.node)
}

fn path(agent: &Agent, pod: &str) -> String {
    format!("/api/v1/namespaces/default/pods/{}", name(agent, pod))
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}

/// Waits for the mirror to be ready; gives it.
fn wait_ready(server: &ApiServer, agent: &Agent, pod: &str) -> Value {
    let name = name(agent, pod);
    eventually(agent, &format!("the mirror {name} is ready"), SOON, || {
        is_ready(&server.pod(&name))
    });
    server.pod(&name)
}

/// Waits for another mirror than `old`; gives how long that took.
fn wait_other(server: &ApiServer, agent: &Agent, pod: &str, old: &Value) -> Duration {
    let begin = Instant::now();
    let name = name(agent, pod);
    eventually(agent, &format!("the mirror {name} is back"), SOON, || {
        let new = server.pod(&name);
        new["metadata"]["uid"].is_string()
            && new["metadata"]["uid"] != old["metadata"]["uid"]
            && new["metadata"]["deletionTimestamp"].is_null()
            && is_ready(&new)
    });
    begin.elapsed()
}

#[test]
#[ignore = "needs dockerd"]
fn a_mirror_comes_is_kept_and_goes() {
    let (server, agent) = both("mirror");
    let text = sleeper("web").replace("metadata:\n", "metadata:\n  labels: {role: myrole}\n");
    agent.put("web.yaml", &text);
    let id = agent.wait_running("web", "c");
    let mirror = wait_ready(&server, &agent, "web");
    let node = server.object(&format!("/api/v1/nodes/{}", agent.node));
    let notes = &mirror["metadata"]["annotations"];
    assert_eq!(mirror["metadata"]["labels"]["role"], "myrole");
    assert_eq!(
        notes["kubernetes.io/config.mirror"],
        notes["kubernetes.io/config.hash"]
    );
    assert_eq!(notes["kubernetes.io/config.source"], "file");
    assert!(notes["kubernetes.io/config.seen"].is_string(), "{mirror}");
    assert_eq!(
        mirror["metadata"]["ownerReferences"][0]["uid"],
        node["metadata"]["uid"]
    );
    assert_eq!(mirror["status"]["phase"], "Running");
    assert!(
        node["status"]["nodeInfo"]["containerRuntimeVersion"]
            .as_str()
            .unwrap()
            .starts_with("docker://"),
        "{node}"
    );
    let lease = server.objects("/apis/coordination.k8s.io/");
    assert_eq!(lease[0]["spec"]["holderIdentity"], agent.node.as_str());
    for grace in [30, 0] {
        let old = server.pod(&name(&agent, "web"));
        let body = json!({"gracePeriodSeconds": grace});
        assert_eq!(server.ask("DELETE", &path(&agent, "web"), &body).0, 200);
        let took = wait_other(&server, &agent, "web", &old);
        println!("grace {grace}: back after {took:?}");
        assert!(took < Duration::from_secs(10), "back after {took:?}");
        assert_eq!(
            agent.running("web", "c"),
            [id.clone()],
            "the container was touched"
        );
    }
    let reasons: Vec<Value> = server.objects("/api/v1/namespaces/default/events/");
    for reason in ["Created", "Started"] {
        assert!(
            reasons.iter().any(|event| event["reason"] == reason),
            "{reason}: {reasons:?}"
        );
    }
    agent.remove("web.yaml");
    agent.wait_gone("web");
    eventually(&agent, "the mirror is gone", SOON, || {
        server.pod(&name(&agent, "web")).is_null()
    });
}

#[test]
#[ignore = "needs dockerd"]
fn an_edited_manifest_has_a_new_mirror() {
    let (server, agent) = both("mirror_edit");
    agent.put("web.yaml", &sleeper("web"));
    let old = wait_ready(&server, &agent, "web");
    agent.put(
        "web.yaml",
        &sleeper("web").replace("spec:\n", "  labels: {v: two}\nspec:\n"),
    );
    wait_other(&server, &agent, "web", &old);
    assert_eq!(
        server.pod(&name(&agent, "web"))["metadata"]["labels"]["v"],
        "two"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn whatever_happens_to_the_server_the_pods_go_on() {
    let (server, agent) = both("mirror_faults");
    agent.put("web.yaml", &sleeper("web"));
    let id = agent.wait_running("web", "c");
    let mut old = wait_ready(&server, &agent, "web");
    let refused = Fault::Says(
        "503 Down\r\nRetry-After: 1".to_owned(),
        "{\"message\": \"going down\"}".to_owned(),
    );
    let faults = [
        ("hung", Fault::Hang),
        ("cut", Fault::Cut),
        ("refused", refused),
        (
            "garbled",
            Fault::Says("200 OK".to_owned(), "[1,2".to_owned()),
        ),
        (
            "deep",
            Fault::Says("200 OK".to_owned(), "[".repeat(100_000)),
        ),
        (
            "redirected",
            Fault::Says(
                "302 Found\r\nLocation: http://127.0.0.1:1/".to_owned(),
                String::new(),
            ),
        ),
        ("endless", Fault::Endless(vec![b' '; 1 << 16])),
    ];
    for (n, (what, fault)) in faults.into_iter().enumerate() {
        server.fault("", fault);
        server.wipe();
        let file = format!("new{n}");
        let begin = Instant::now();
        agent.put(&format!("{file}.yaml"), &sleeper(&file));
        agent.wait_running(&file, "c");
        println!("{what}: a new pod runs after {:?}", begin.elapsed());
        if n == 0 {
            agent.wait_status("API server");
        }
        agent.remove(&format!("{file}.yaml"));
        server.heal();
        let took = wait_other(&server, &agent, "web", &json!(null));
        println!("{what}: the mirror is back after {took:?}");
        assert_eq!(
            agent.running("web", "c"),
            [id.clone()],
            "{what}: the container was touched"
        );
        old = server.pod(&name(&agent, "web"));
    }
    assert!(is_ready(&old));
}

#[test]
#[ignore = "needs dockerd"]
fn a_node_that_is_deleted_is_registered_again() {
    let (server, agent) = both("mirror_node");
    agent.put("web.yaml", &sleeper("web"));
    let old = wait_ready(&server, &agent, "web");
    let node = format!("/api/v1/nodes/{}", agent.node);
    let first = server.object(&node);
    assert_eq!(server.ask("DELETE", &node, &Value::Null).0, 200);
    wait_other(&server, &agent, "web", &old);
    assert_ne!(
        server.object(&node)["metadata"]["uid"],
        first["metadata"]["uid"]
    );
}

#[test]
#[ignore = "needs dockerd"]
fn two_agents_touch_only_their_own() {
    let (server, one) = both("mirror_one");
    let two = shown_at(&server, "mirror_two");
    one.put("web.yaml", &sleeper("web"));
    two.put("web.yaml", &sleeper("web"));
    wait_ready(&server, &one, "web");
    let theirs = wait_ready(&server, &two, "web");
    // Not a mirror, on this node: somebody else's.
    let stray = json!({"metadata": {"name": "stray", "namespace": "default", "uid": "x", "resourceVersion": "1"}, "spec": {"nodeName": one.node}});
    let at = "/api/v1/namespaces/default/pods/stray";
    server
        .shared
        .store
        .lock()
        .unwrap()
        .objects
        .insert(at.to_owned(), stray);
    one.remove("web.yaml");
    one.wait_gone("web");
    eventually(&one, "the mirror is gone", SOON, || {
        server.pod(&name(&one, "web")).is_null()
    });
    assert_eq!(
        server.pod(&name(&two, "web"))["metadata"]["uid"],
        theirs["metadata"]["uid"]
    );
    assert!(
        !server.pod("stray").is_null(),
        "a pod that is no mirror was deleted"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn what_is_refused_is_shown_and_the_pod_runs() {
    let (server, agent) = both("mirror_refused");
    let lost = sleeper("lost").replace("metadata:\n", "metadata:\n  namespace: nowhere\n");
    agent.put("lost.yaml", &lost);
    agent.wait_running("lost", "c");
    agent.wait_status("namespaces \"nowhere\" not found");
    server.fault(
        "POST /api/v1/namespaces/default/pods",
        Fault::Says(
            "403 Forbidden".to_owned(),
            "{\"message\": \"exceeded quota\"}".to_owned(),
        ),
    );
    agent.put("web.yaml", &sleeper("web"));
    agent.wait_running("web", "c");
    agent.wait_status("exceeded quota");
}

#[test]
#[ignore = "needs dockerd"]
fn at_rest_there_is_a_lease_and_nothing_more() {
    let (server, agent) = both("mirror_rest");
    agent.put("web.yaml", &sleeper("web"));
    wait_ready(&server, &agent, "web");
    std::thread::sleep(Duration::from_secs(5));
    server.requests();
    std::thread::sleep(Duration::from_secs(31));
    let requests = server.requests();
    let leases = requests.iter().filter(|r| r.contains("/leases/")).count();
    assert!((2..=4).contains(&leases), "{requests:#?}");
    assert!(requests.len() - leases <= 1, "{requests:#?}");
}
