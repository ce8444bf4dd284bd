//! A look at a dockerd that says what it likes, and what is decided and told of it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use staticlet::decide::decide;
use staticlet::observe::Observer;
use staticlet::pod::{Origin, PodUid, ValidPod, read};
use staticlet::state::{Memory, Node};
use staticlet::status::{Case, pod_status, reasons};

use super::docker::http;
use super::manifest::{LIMITS, NODE, NOW, wanted};
use super::server::{Script, Server};
use super::{is_short, parts, scratch};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::at(&scratch().join("observe.sock")));

/// The pod that is wanted.
const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, uid: u1}
spec:
  initContainers: [{name: first, image: 'i:1'}, {name: side, image: 'i:1', restartPolicy: Always}]
  containers:
  - {name: app, image: 'i:1', readinessProbe: {tcpSocket: {port: 1}}, lifecycle: {preStop: {exec: {command: [a]}}}}
  - {name: other, image: 'i:1'}
";

static WANTED: LazyLock<ValidPod> = LazyLock::new(|| {
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    read(POD.as_bytes(), &origin).expect("it is valid").pod
});

/// The list, an inspect, an image, a log, and what dockerd says of itself.
pub(super) fn observe(data: &[u8]) {
    let [list, inspect, image, log, info] = parts(data);
    let or = |given: &[u8], else_: &'static [u8]| match given {
        [] => http(3, else_),
        given => http(3, given),
    };
    let info_else: &[u8] = br#"{"ServerVersion": "20.10.24", "CgroupVersion": "2", "NCPU": 2, "MemTotal": 1000000000}"#;
    SERVER.play(Script {
        answers: vec![
            ("/containers/json", http(3, list)),
            ("/logs", http(3, log)),
            ("/images/", or(image, br#"{"Id": "sha256:1"}"#)),
            ("/info", or(info, info_else)),
            (
                "/version",
                or(b"", br#"{"Version": "20.10.24", "ApiVersion": "1.41"}"#),
            ),
            (
                "/_ping",
                b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK".to_vec(),
            ),
            ("", http(3, inspect)),
        ],
        ..Script::default()
    });
    let node = Node {
        docker_socket: scratch()
            .join("observe.sock")
            .to_string_lossy()
            .into_owned(),
        ..NODE.clone()
    };
    let mut observer = Observer::new(&node);
    let observed = match observer.look(&BTreeSet::new()) {
        Ok(observed) => observed,
        Err(error) => return is_short(&error),
    };
    let desired = wanted(&WANTED);
    let mut memory = Memory::default();
    memory.saw(&desired, &observed, NOW);
    drop(decide(&desired, &observed, &memory, LIMITS, NOW));
    let uid = PodUid("u1".into());
    let case = Case {
        key: &WANTED.key,
        uid: &uid,
        wanted: Some(&WANTED),
        there: observed.pods.get(&uid),
        memory: memory.pods.get(&WANTED.key),
        node: &node,
        previous: None,
        now: NOW,
    };
    let status = pod_status(&case);
    let text = serde_json::to_vec(&status).expect("a status has a form in JSON");
    let previous = serde_json::from_slice(&text).expect("it is read again");
    drop(reasons(&case));
    // Told again with what was told before, nothing has changed.
    let again = pod_status(&Case {
        previous: Some(&previous),
        ..case
    });
    assert_eq!(previous.conditions, again.conditions);
}
