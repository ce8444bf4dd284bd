//! The status of a pod, beside what a kubelet had said of the same containers.
//!
//! The recorded containers are shown to the real observer by a dockerd of the test, so that everything from an inspect
//! to the v1 PodStatus is under test.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;

use serde_json::{Value, json};
use staticlet::observe::Observer;
use staticlet::pod::ValidPod;
use staticlet::state::{Desired, DesiredPod, Memory, Node, Observed, Source};
use staticlet::status::{Case, pod_status};
use staticlet::sys::{Mono, Now, Wall};

use super::recorded::{node, read, sorted_dirs, valid};
use crate::support::listener::socket_path;

/// So many pods at least have to be compared when a folder is named.
const PODS_MIN: usize = 80;

/// The reasons that follow from what a job said or from a timer, neither of which is in a recording of containers. Their
/// words are tested where they are made; everything else of such a container is compared.
const OF_JOBS: [&str; 8] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// What is said differently, and why.
const DIFFERENT: [(&str, &str, &str); 10] = [
    (
        "09-dumped",
        "",
        "a dumped pod: its status in the manifest counts for nothing here, its generation neither",
    ),
    (
        "15-sidecar-crash",
        "initContainerStatuses[0].state",
        "the kubelet lost a container that dockerd still has",
    ),
    (
        "20-resources-odd",
        "containerStatuses[4].resources",
        "the kubelet reads a memory of 0 back from the container",
    ),
    (
        "21-resources-ephemeral",
        "containerStatuses[0].resources",
        "the same",
    ),
    (
        "311-replaced-by-invalid",
        "",
        "recorded after the kubelet had stopped the pod of a manifest turned bad",
    ),
    (
        "332-docker-rm-f-app",
        "containerStatuses[0].lastState",
        "follows from what was told before, not from dockerd",
    ),
    (
        "335-docker-rm-f-sandbox",
        "conditions[0]",
        "recorded while the sandbox was away",
    ),
    (
        "76-poststart-fail",
        "containerStatuses[0].lastState",
        "recorded while dockerd removed it",
    ),
    (
        "81-restart-onfailure",
        "containerStatuses[1].lastState",
        "recorded while dockerd removed it",
    ),
    (
        "90-termination-message",
        "state.terminated.message",
        "the files of the messages are not recorded",
    ),
];

/// Pods that a kubelet never made a container of, and what is made of their manifests here.
const NEVER_RAN: [(&str, &str); 8] = [
    ("116-r-nfs-volume", "refused"),
    ("185-r-runtimeclass", "refused"),
    ("186-r-nodeselector", "runs: a nodeSelector is carried"),
    (
        "188-r-deletiontimestamp",
        "runs: it was recorded at its end",
    ),
    (
        "23-resources-too-big",
        "runs: requests are not held against the node",
    ),
    ("32-sec-supplemental-strict", "refused"),
    ("41-sec-procmount", "refused"),
    ("49-host-users-false", "refused"),
];

/// Cases of which no pod was recorded, only what dockerd had.
const NO_POD: [&str; 4] = [
    "316-file-names",
    "317-edit-explicit-uid-image-and-containers",
    "405-pull-in-flight-and-ifnotpresent",
    "410-static-path-single-file",
];

#[test]
fn says_of_a_pod_what_a_kubelet_says() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let named = std::env::var_os("STATICLET_CAPTURES").map(PathBuf::from);
    let (mut pods, mut cases, mut refused, mut differences) = (0, 0, 0, Vec::new());
    let mut left_out = Vec::new();
    for dir in sorted_dirs(named.as_deref().unwrap_or(&own)) {
        let title = dir.file_name().unwrap().to_string_lossy().into_owned();
        let (recorded, docker) = match (read(&dir, "pods.json"), read(&dir, "docker.json")) {
            (Some(recorded), Some(docker)) => (recorded, docker),
            // Refused by the kubelet as well, or no case at all: `verdict.rs` has them.
            (None, None) => {
                refused += 1;
                continue;
            }
            (Some(_), None) | (None, Some(_)) => {
                left_out.push(title);
                continue;
            }
        };
        cases += 1;
        let recorded = match recorded {
            Value::Array(pods) => pods,
            pod => vec![pod],
        };
        for pod in recorded {
            assert!(!pod["status"]["phase"].is_null(), "{title}: no status");
            let mut theirs = pod["status"].clone();
            let mut ours = status_of(&valid(pod), &docker);
            leave_out_jobs(&mut ours, &mut theirs);
            pods += 1;
            compare(
                &title,
                "status",
                &plain(&ours),
                &plain(&theirs),
                &mut differences,
            );
        }
    }
    println!(
        "{pods} pods of {cases} cases compared; {refused} are no pods; left out: {}",
        left_out.join(", ")
    );
    let mut known: Vec<&str> = NEVER_RAN.iter().map(|(title, _)| *title).collect();
    known.extend(NO_POD);
    left_out.retain(|title| !known.contains(&title.as_str()));
    assert!(left_out.is_empty(), "not compared: {left_out:?}");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let least = if named.is_some() { PODS_MIN } else { 10 };
    assert!(pods >= least, "only {pods} pods");
}

fn status_of(pod: &ValidPod, docker: &Value) -> Value {
    let path = socket_path();
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let containers = docker.as_array().unwrap().clone();
    thread::spawn(move || serve(&listener, &containers));
    let node = Node {
        docker_socket: path.display().to_string(),
        ..node()
    };
    let observed = Observer::new(&node).look(&BTreeSet::new()).unwrap();
    let _ = std::fs::remove_file(path);
    let now = last_change(docker);
    let mut desired = Desired {
        complete: true,
        ..Desired::default()
    };
    desired.pods.insert(
        pod.key.clone(),
        DesiredPod {
            pod: Rc::new(pod.clone()),
            source: Source::File("a.yaml".into()),
        },
    );
    let mut memory = Memory::default();
    memory.wants(&desired, &Observed::default(), now);
    memory.saw(&desired, &observed, now);
    let case = Case {
        key: &pod.key,
        uid: &pod.uid,
        wanted: Some(pod),
        there: observed.pods.get(&pod.uid),
        memory: memory.pods.get(&pod.key),
        node: &node,
        previous: None,
        now,
    };
    serde_json::to_value(pod_status(&case)).unwrap()
}

/// A second after the last thing that happened to a container: what is decided then is what the kubelet had decided.
fn last_change(docker: &Value) -> Now {
    let times = docker.as_array().into_iter().flatten().flat_map(|c| {
        let state = &c["State"];
        [&state["StartedAt"], &state["FinishedAt"]].map(|at| at.as_str().and_then(Wall::parse))
    });
    let last = times.flatten().max().unwrap_or_default();
    Now {
        wall: Wall(last.0 + 1_000_000),
        mono: Mono(1_000_000),
    }
}

/// What is compared: no times, no ids, no addresses, and nothing that says nothing.
fn plain(value: &Value) -> Value {
    const PASSING: [&str; 13] = [
        "startTime",
        "startedAt",
        "finishedAt",
        "lastTransitionTime",
        "lastProbeTime",
        "hostIP",
        "hostIPs",
        "podIP",
        "podIPs",
        "ip",
        "containerID",
        "imageID",
        "image",
    ];
    match value {
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter(|(key, _)| !PASSING.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), plain(value)))
                .filter(|(_, value)| {
                    !value.is_null() && *value != json!({}) && *value != json!([])
                });
            Value::Object(kept.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// Takes out the states that follow from jobs, on both sides.
fn leave_out_jobs(ours: &mut Value, theirs: &mut Value) {
    for list in ["initContainerStatuses", "containerStatuses"] {
        let statuses = theirs[list].as_array_mut().into_iter().flatten();
        for (at, theirs) in statuses.enumerate() {
            let reason = theirs["state"]["waiting"]["reason"].as_str();
            if reason.is_some_and(|reason| OF_JOBS.contains(&reason)) {
                for status in [theirs, &mut ours[list][at]] {
                    status["state"] = Value::Null;
                    // The run before the one that is waited after.
                    status["lastState"] = Value::Null;
                }
            }
        }
    }
}

fn is_different(title: &str, path: &str) -> bool {
    DIFFERENT
        .iter()
        .any(|(case, part, _)| title.starts_with(case) && path.contains(part))
}

fn compare(title: &str, path: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let [a, b] = [a, b].map(|map| map.get(key).unwrap_or(&Value::Null));
                compare(title, &format!("{path}.{key}"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(title, &format!("{path}[{at}]"), a, b, out);
            }
        }
        (a, b) if a == b || is_different(title, path) => {}
        (a, b) => out.push(format!("{title}: {path}\n   ours   {a}\n   theirs {b}")),
    }
}

/// Answers what the observer asks, one request for each connection.
fn serve(listener: &UnixListener, containers: &[Value]) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        let _ = reader.read_line(&mut first);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
            line.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let answer = answer(path, containers);
        let (status, body) = match answer {
            Some(value) => ("200 OK", value.to_string()),
            None => (
                "404 Not Found",
                json!({"message": "no such thing"}).to_string(),
            ),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all((head + &body).as_bytes());
    }
}

fn answer(path: &str, containers: &[Value]) -> Option<Value> {
    if path == "/_ping" {
        return Some(json!("OK"));
    }
    if path.ends_with("/version") {
        return Some(json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}));
    }
    if path.ends_with("/info") {
        return Some(
            json!({"CgroupDriver": "cgroupfs", "CgroupVersion": "1", "LoggingDriver": "json-file",
            "MemTotal": 24_683_656_u64 << 10, "NCPU": 2}),
        );
    }
    if path.ends_with("/containers/json") {
        return Some(containers.iter().map(listed).collect());
    }
    let id = path.strip_suffix("/json")?.rsplit('/').next()?;
    let mut container = containers.iter().find(|c| c["Id"] == id)?.clone();
    // The recording has the names of the networks and one address.
    let ip = container["NetworkSettings"]["IPAddress"].clone();
    let names = container["NetworkSettings"]["Networks"].clone();
    let networks = names.as_array().into_iter().flatten();
    let networks = networks.map(|n| (n.as_str().unwrap().into(), json!({"IPAddress": ip})));
    container["NetworkSettings"]["Networks"] = Value::Object(networks.collect());
    Some(container)
}

/// An inspect as it stands in a list.
fn listed(container: &Value) -> Value {
    let mut labels: BTreeMap<String, Value> =
        serde_json::from_value(container["Config"]["Labels"].clone()).unwrap();
    labels.insert("staticlet.root-dir".into(), json!("/var/lib/kubelet"));
    json!({"Id": container["Id"], "Names": [container["Name"]], "Labels": labels, "Image": "busybox:1",
        "ImageID": container["Image"], "State": container["State"]["Status"], "Status": ""})
}
