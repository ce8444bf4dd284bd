//! The Node: what flags and files say of it, and what an API server is told of it.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use staticlet::cli::{Command as Typed, parse};
use staticlet::config::{Settings, settings};
use staticlet::jobs::{MirrorRequest, Request};
use staticlet::status::node::NodeSettings;

use crate::support::apiserver::ApiServer;
use crate::support::bare::{Bare, job};
use crate::support::scratch::Scratch;
use crate::support::world;

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

/// What a file and flags come to.
fn set(file: &str, flags: &str) -> Result<Settings, Vec<String>> {
    let dir = Scratch::new();
    let config = dir.put("kubelet.yaml", &format!("{HEAD}{file}"));
    let line = format!(
        "--hostname-override=n --kubeconfig=/k --config={} {flags}",
        config.display()
    );
    match parse(line.split_whitespace().map(Into::into)) {
        Ok(Typed::Run(flags)) => settings(&flags, None),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn how_often_a_node_is_looked_at_and_told_of() {
    let paces = |file: &str, flags: &str| {
        let set = set(file, flags).unwrap();
        assert!(set.warnings.is_empty(), "{:?}", set.warnings);
        let mut shown = set.effective.iter();
        let shown = shown.find(|one| one.field == "nodeStatusReportFrequency");
        let api = set.api.unwrap();
        let said = shown.unwrap().value.clone();
        (api.look_every.as_millis(), api.tell_every.as_secs(), said)
    };
    let rows = [
        ("", "", (10_000, 300, "5m0s")),
        (
            "nodeStatusUpdateFrequency: 0s\nnodeStatusReportFrequency: 0s\n",
            "",
            (10_000, 300, "5m0s"),
        ),
        // Where only the first is in a file, it is the second as well.
        ("nodeStatusUpdateFrequency: 20s\n", "", (20_000, 20, "20s")),
        (
            "nodeStatusUpdateFrequency: 20s\nnodeStatusReportFrequency: 1m\n",
            "",
            (20_000, 60, "1m"),
        ),
        ("nodeStatusReportFrequency: 1m\n", "", (10_000, 60, "1m")),
        (
            "",
            "--node-status-update-frequency=500ms",
            (500, 300, "5m0s"),
        ),
        (
            "nodeStatusUpdateFrequency: 20s\n",
            "--node-status-update-frequency=5s",
            (5_000, 20, "20s"),
        ),
    ];
    for (file, flags, (look, tell, shown)) in rows {
        assert_eq!(
            paces(file, flags),
            (look, tell, shown.to_owned()),
            "{file}{flags}"
        );
    }
    let wrong = set(
        "nodeStatusUpdateFrequency: soon\nnodeLeaseDurationSeconds: -1\n",
        "",
    )
    .unwrap_err();
    assert!(
        wrong
            .iter()
            .any(|one| one.contains("nodeStatusUpdateFrequency=soon: ")),
        "{wrong:?}"
    );
    assert!(
        wrong
            .iter()
            .any(|one| one.contains("nodeLeaseDurationSeconds=-1: must be a number of seconds")),
        "{wrong:?}"
    );
}

#[test]
fn how_a_node_is_registered() {
    let register = |file: &str, flags: &str| set(file, flags).unwrap().api.unwrap().register;
    assert_eq!(register("registerNode: false\n", ""), None);
    let file = "registerNode: true\nnodeLeaseDurationSeconds: 20\nregisterWithTaints:\n- {key: k, value: v, effect: NoExecute}\n";
    let flags =
        "--node-labels=a=b,example.org/c=,topology.kubernetes.io/zone=z,a.node.kubernetes.io/x=1";
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let wanted = NodeSettings {
        labels: [
            label("a", "b"),
            label("example.org/c", ""),
            label("topology.kubernetes.io/zone", "z"),
            label("a.node.kubernetes.io/x", "1"),
        ]
        .into(),
        taints: vec![("k".to_owned(), "v".to_owned(), "NoExecute".to_owned())],
        lease_seconds: 20,
    };
    assert_eq!(register(file, flags), Some(wanted));
    let rows = [
        ("--node-labels==b", "has no key"),
        ("--node-labels=a_=b", "\"a_\" is no key"),
        ("--node-labels=a=b/c", "\"b/c\" is no value"),
        // The API server would refuse the Node for it.
        (
            "--node-labels=node-role.kubernetes.io/control-plane=",
            "a node may not give itself the label",
        ),
        (
            "--node-labels=x.k8s.io/a=b",
            "a node may not give itself the label",
        ),
        ("--register-with-taints=k:Never", "is no taint"),
        (
            "--register-with-taints=k=v/w:NoExecute",
            "\"v/w\" is no value",
        ),
    ];
    for (flags, said) in rows {
        let wrong = set("", flags).unwrap_err();
        assert!(
            wrong.iter().any(|one| one.contains(said)),
            "{flags}: {wrong:?}"
        );
    }
}

#[test]
fn an_agent_registers_its_node_as_the_files_say() {
    let mut agent = Bare::new("node");
    let server = ApiServer::start();
    agent.put("kubeconfig", server.kubeconfig());
    let config = agent.put(
        "config.yaml",
        format!(
            "{HEAD}nodeStatusUpdateFrequency: 1s\nnodeLeaseDurationSeconds: 4\nregisterWithTaints: [{{key: k, value: v, effect: NoSchedule}}]\n"
        ),
    );
    agent.start(&[
        &format!("--config={}", config.display()),
        "--node-labels=zone=a",
    ]);
    let node = || server.object("/api/v1/nodes/n1");
    let lease = || {
        server
            .objects("/apis/coordination.k8s.io/")
            .pop()
            .unwrap_or(Value::Null)
    };
    agent.eventually("a Lease", || lease()["spec"]["renewTime"].is_string());
    assert_eq!(lease()["spec"]["leaseDurationSeconds"], 4);
    assert_eq!(node()["metadata"]["labels"]["zone"], "a");
    assert_eq!(
        node()["spec"]["taints"],
        json!([{"key": "k", "value": "v", "effect": "NoSchedule"}])
    );
    // Sooner than with the defaults of 10 s and five minutes.
    let (first, begin) = (lease(), std::time::Instant::now());
    let count = |begins: &str| {
        let all = server.shared.requests.lock().unwrap();
        all.iter().filter(|asked| asked.starts_with(begins)).count()
    };
    agent.eventually("told and renewed often", || {
        count("PATCH /api/v1/nodes/n1/status") >= 5 && count("PATCH /apis/coordination") >= 5
    });
    assert_ne!(first["spec"]["renewTime"], lease()["spec"]["renewTime"]);
    println!("five times after {:?}", begin.elapsed());
    assert!(!agent.log().contains("no effect"), "{}", agent.log());
}

#[test]
fn an_agent_that_does_not_register_tells_nothing_of_the_node() {
    let mut agent = Bare::new("node-not");
    let server = ApiServer::start();
    agent.put("kubeconfig", server.kubeconfig());
    let config = agent.put(
        "config.yaml",
        format!("{HEAD}registerNode: false\nnodeStatusUpdateFrequency: 100ms\n"),
    );
    agent.start(&[&format!("--config={}", config.display())]);
    agent.eventually("its pods are listed", || {
        let all = server.shared.requests.lock().unwrap();
        all.iter().any(|asked| asked.contains("watch=true"))
    });
    std::thread::sleep(Duration::from_secs(2));
    let requests = server.requests();
    let is_read = |asked: &String| asked.starts_with("GET ");
    assert!(
        requests.iter().all(is_read) && requests.len() < 10,
        "{requests:#?}"
    );
}

/// What a job that looks at the machine told of it: its digest, where it told anything.
fn look(server: &ApiServer, dir: &Path, told: Option<String>) -> Option<String> {
    let kubeconfig = dir.join("kubeconfig");
    std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    let is_first = told.is_none();
    let request = Request::Mirror(Box::new(MirrorRequest {
        kubeconfig: kubeconfig.display().to_string(),
        credential: None,
        node: world::node(),
        docker_version: "1".to_owned(),
        trouble: None,
        register: Some(NodeSettings::default()),
        node_uid: (!is_first).then(|| "u".to_owned()),
        lease: false,
        tell_node: is_first,
        node_told: told,
        compare: false,
        orphans: false,
        pods: Vec::new(),
        events: Vec::new(),
    }));
    let mut told = job(&request).into_iter().filter_map(|line| {
        let digest = line.pointer("/api/nodeTold/digest")?;
        digest.as_str().map(str::to_owned)
    });
    told.next()
}

#[test]
fn a_machine_that_has_changed_is_told_of() {
    let dir = Scratch::new();
    let server = ApiServer::start();
    let first = look(&server, dir.path(), None).expect("it is registered");
    server.requests();
    assert_eq!(look(&server, dir.path(), Some(first.clone())), None);
    assert_eq!(server.requests(), Vec::<String>::new());
    assert_eq!(
        look(&server, dir.path(), Some("another".to_owned())),
        Some(first)
    );
    let asked = server.requests();
    assert_eq!(
        asked,
        [
            "GET /api/v1/nodes/node1",
            "PATCH /api/v1/nodes/node1/status"
        ]
    );
}
