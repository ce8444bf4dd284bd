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

/// Each refusal is told of what it is about, in the server's own words, and what is not refused goes on.
#[test]
#[ignore = "needs dockerd"]
fn whatever_is_refused_is_told_by_status_and_shown_once_it_is_taken() {
    let (server, agent) = both("mirror_codes");
    agent.put("web.yaml", &sleeper("web"));
    wait_ready(&server, &agent, "web");
    let here = "POST /api/v1/namespaces/default/pods";
    let leases = "*/leases/";
    let webhook = "Internal error occurred: failed calling webhook";
    let rows = [
        (
            here,
            "403 Forbidden",
            "exceeded quota: limit, requested: pods=1",
        ),
        (here, "403 Forbidden", "violates PodSecurity restricted"),
        (here, "409 Conflict", "the object has been modified"),
        (here, "410 Gone", "expired"),
        (here, "422 Invalid", "spec.hostname: Invalid value"),
        (here, "500 Internal Server Error", webhook),
        (
            here,
            "504 Gateway Timeout",
            "request did not complete within 34s",
        ),
        ("", "401 Unauthorized", "Unauthorized"),
        (
            "",
            "429 Too Many Requests\r\nRetry-After: 1",
            "too many requests",
        ),
        (
            "",
            "500 Internal Server Error",
            "etcdserver: request timed out",
        ),
        (
            "",
            "503 Service Unavailable\r\nRetry-After: 1",
            "apiserver is shutting down",
        ),
        (leases, "403 Forbidden", "cannot patch resource leases"),
        (
            "GET /api/v1/nodes/",
            "403 Forbidden",
            "cannot get resource nodes",
        ),
    ];
    for (n, (what, head, said)) in rows.iter().enumerate() {
        let pod = format!("new{n}");
        let body = json!({"kind": "Status", "message": said}).to_string();
        server.fault(what, Fault::Says((*head).to_owned(), body));
        agent.put(&format!("{pod}.yaml"), &sleeper(&pod));
        agent.wait_running(&pod, "c");
        let code = &head[..3];
        let words = format!("{code}: {said}");
        agent.wait_status(&words);
        if *what == leases {
            // Nobody may have a Lease, and the pods are shown all the same.
            wait_ready(&server, &agent, &pod);
        }
        let begin = Instant::now();
        server.heal();
        wait_ready(&server, &agent, &pod);
        println!(
            "{what:?} {code}: shown {:?} after it is taken",
            begin.elapsed()
        );
        eventually(&agent, "status says no more of it", SOON, || {
            !agent.status().contains(&words)
        });
        agent.remove(&format!("{pod}.yaml"));
    }
}

/// A webhook that hangs for one namespace holds up the mirror of its pods alone.
#[test]
#[ignore = "needs dockerd"]
fn one_mirror_that_is_not_made_in_time_holds_up_no_other() {
    let (server, agent) = both("mirror_slow");
    server
        .shared
        .store
        .lock()
        .unwrap()
        .namespaces
        .insert("aaa".to_owned());
    server.fault("POST /api/v1/namespaces/aaa/pods", Fault::Hang);
    let slow = sleeper("slow").replace("metadata:\n", "metadata:\n  namespace: aaa\n");
    agent.put("slow.yaml", &slow);
    agent.wait_running("slow", "c");
    agent.put("web.yaml", &sleeper("web"));
    wait_ready(&server, &agent, "web");
    agent.wait_status("no answer within 12 s");
    server.heal();
    let at = format!("/api/v1/namespaces/aaa/pods/{}", name(&agent, "slow"));
    eventually(&agent, "the mirror is ready", SOON, || {
        is_ready(&server.object(&at))
    });
}

/// It is there a little later than the pod, as at the first start of a cluster.
#[test]
#[ignore = "needs dockerd"]
fn a_namespace_that_comes_later_has_its_mirrors_soon() {
    let (server, agent) = both("mirror_space");
    let late = sleeper("late").replace("metadata:\n", "metadata:\n  namespace: later\n");
    agent.put("late.yaml", &late);
    agent.wait_running("late", "c");
    agent.wait_status("namespaces \"later\" not found");
    server
        .shared
        .store
        .lock()
        .unwrap()
        .namespaces
        .insert("later".to_owned());
    let begin = Instant::now();
    let at = format!("/api/v1/namespaces/later/pods/{}", name(&agent, "late"));
    eventually(&agent, "the mirror is ready", SOON, || {
        is_ready(&server.object(&at))
    });
    println!("shown {:?} after its namespace came", begin.elapsed());
}

/// The finalizer of somebody else keeps the mirror that was deleted, and its name.
#[test]
#[ignore = "needs dockerd"]
fn a_mirror_that_a_finalizer_holds_is_made_anew_when_it_is_gone() {
    let (server, agent) = both("mirror_held");
    agent.put("web.yaml", &sleeper("web"));
    let id = agent.wait_running("web", "c");
    let old = wait_ready(&server, &agent, "web");
    let at = path(&agent, "web");
    let hold = |held: Value| {
        let patch = json!({"metadata": {"finalizers": held}});
        assert_eq!(server.ask("PATCH", &at, &patch).0, 200);
    };
    hold(json!(["example.org/held"]));
    assert_eq!(server.ask("DELETE", &at, &Value::Null).0, 200);
    agent.wait_status("object is being deleted");
    server.requests();
    std::thread::sleep(Duration::from_secs(10));
    let asked = server.requests().len();
    assert!(asked < 40, "{asked} requests in 10 s");
    hold(Value::Null);
    wait_other(&server, &agent, "web", &old);
    assert_eq!(agent.running("web", "c"), [id], "the container was touched");
}
