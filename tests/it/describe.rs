//! `staticlet status POD`: what it says of what was published, with and without dockerd and an agent.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use staticlet::pod::Problem;
use staticlet::publish::{Occurrence, Publisher};
use staticlet::state::{FailReason, Failure, Node, Refusal, Source};
use staticlet::sys::{Mono, Now, Wall, now};

use crate::support::scratch::Scratch;
use crate::support::world::{World, healthy_with, key, name, told};

/// Publishes a world as an agent would that has its directories here.
fn published(dir: &Scratch, world: &World) {
    let path = |name: &str| dir.path().join(name).display().to_string();
    let node: Node = serde_json::from_value(json!({
        "name": "node1", "ip": "192.0.2.2", "root_dir": path("root"), "run_dir": path("run"),
        "pod_logs_dir": "/var/log/pods", "docker_socket": path("none.sock"), "pause_image": null,
        "cluster_dns": [], "cluster_domain": "", "resolv_conf": "", "log_bytes_max": 1, "log_files_max": 2,
        "crash_wait_max_seconds": 300,
    }))
    .unwrap();
    let event = |ago: i64, count, reason: &str, container: Option<&str>| Occurrence {
        last: Wall(now().wall.0 - ago * 1_000_000).to_string(),
        count,
        kind: "Warning".into(),
        reason: reason.into(),
        container: container.map(str::to_owned),
        message: format!("it is {reason}\nindeed"),
    };
    let events = vec![event(3600, 1, "Sad", None), event(60, 7, "Bad", Some("a"))];
    let events = BTreeMap::from([(key(), events)]);
    let told = told(world, &node, &events);
    Publisher::new(&node).publish(&told, now()).unwrap();
}

fn world() -> World {
    let container = |name: &str| json!({"name": name, "image": "busybox:1", "readinessProbe": {"tcpSocket": {"port": 80}}});
    let containers = json!({"containers": [container("a"), container("b")]});
    let mut world = healthy_with(&["a", "b"], containers);
    world.observed.docker.version = "20.10".into();
    let now: Now = now();
    world.memory.saw(&world.desired, &world.observed, now);
    let known = world.memory.pods.get_mut(&key()).unwrap();
    known.containers.entry(name("b")).or_default().failure = Some(Failure {
        reason: FailReason::CreateContainerError,
        message: "no room\n".into(),
        times: 1,
        retry: Mono(now.mono.0 + 90_000),
    });
    world
}

#[test]
fn everything_that_is_known_of_a_pod_is_told() {
    let dir = Scratch::new();
    let mut world = world();
    world
        .observed
        .pods
        .values_mut()
        .for_each(|pod| pod.containers.retain(|one| one.name.0 == "a"));
    let source = world.desired.pods[&key()].source.clone();
    world.desired.refusals.push(Refusal {
        source: source.clone(),
        problems: vec![Problem::new("spec.x", "unknown field")],
        keeps: Some(key()),
        good: Some(Wall(0)),
        since: Wall(0),
    });
    published(&dir, &world);
    let line = format!("status web --run-dir={}/run", dir.path().display());
    let (text, said, code) = dir.typed(&line);
    assert_eq!(code, 1, "{said}{text}");
    assert!(said.contains("the agent is not running"), "{said}");
    let Source::File(file) = &source else {
        panic!("{source:?}")
    };
    for wanted in [
        &format!("Pod         {}", key()),
        &format!("Manifest    {file}"),
        &format!(
            "Manifest    refused: {file}: spec.x: unknown field (pod {}: running last good of 1970-01-01T00:00:00Z)",
            key()
        ),
        "Docker      cannot be asked: ",
        "\nContainer a\n  State     Running since ",
        "\n  Probe     readiness: no verdict yet",
        "\n  Why       CreateContainerError: no room; next attempt in ",
        "\nConditions\n",
        "\n  Ready                      False ",
        "\nEvents\n  60m ago         Warning  Sad               it is Sad indeed\n  60s ago (x7)    Warning  Bad               a: it is Bad indeed\n",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }

    let (text, _, code) = dir.typed(&format!("{line} -o json"));
    assert_eq!(code, 1);
    let pod: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(pod["metadata"]["name"], key().name);
    assert_eq!(pod["staticlet"]["events"][1]["count"], 7);
    assert_eq!(pod["staticlet"]["probes"][0]["kind"], "Readiness");
    assert_eq!(
        pod["staticlet"]["refusals"][0]["problems"][0]["path"],
        "spec.x"
    );
    let (text, _, _) = dir.typed(&format!("{line} -o name"));
    assert_eq!(text, format!("{}\n", key()));
}

#[test]
fn a_pod_that_is_not_there_is_told_with_what_is_refused() {
    let dir = Scratch::new();
    let mut world = world();
    world.desired.refusals.push(Refusal {
        source: Source::File("/m/x.yaml".into()),
        problems: vec![Problem::new("", "not valid YAML")],
        keeps: None,
        good: None,
        since: Wall(0),
    });
    published(&dir, &world);
    let (text, said, code) = dir.typed(&format!("status x --run-dir={}/run", dir.path().display()));
    assert_eq!((text.as_str(), code), ("", 1));
    assert!(
        said.contains("there is no pod x")
            && said.ends_with("\nrefused: /m/x.yaml: not valid YAML\n"),
        "{said}"
    );
}
