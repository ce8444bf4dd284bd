//! What is told an API server: the mirror beside the recorded one, what is changed there and what never, and the Node.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use staticlet::apiserver::wire::Listed;
use staticlet::decide::report::{Change, Shown, Stage, report};
use staticlet::pod::{Origin, PodKey, read};
use staticlet::status::mirror::{Owner, mirror, status_patch};
use staticlet::status::node::{
    Machine, NodeSettings, labels_patch, lease, node, status_patch as heartbeat,
};
use staticlet::sys::Wall;

const OWNER: Owner<'_> = Owner {
    name: "my-node1",
    uid: "u-node",
};

/// Mirrors that differ on purpose, or cannot be compared.
const DIFFERENT: &[(&str, &str)] = &[
    ("306-edit-with-explicit-uid", "an edit takes effect here"),
    (
        "317-edit-explicit-uid-image-and-containers",
        "an edit takes effect here",
    ),
];

fn pod(name: &str, hash: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "namespace": "default", "uid": "s", "resourceVersion": "5", "finalizers": ["x/y"],
            "annotations": {"kubernetes.io/config.hash": hash, "kubernetes.io/config.source": "file"}},
        "spec": {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"},
        "status": {"phase": "Running", "podIP": "10.0.0.2", "podIPs": [{"ip": "10.0.0.2"}], "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": "True"}]},
    }))
    .unwrap()
}

fn shown(name: &str, hash: &str, stage: Stage) -> Shown {
    Shown {
        key: key(name),
        stage,
        pod: pod(name, hash),
    }
}

fn key(name: &str) -> PodKey {
    PodKey {
        namespace: "default".to_owned(),
        name: name.to_owned(),
    }
}

/// A mirror as the server lists it; it says what its pod says.
fn listed(name: &str, hash: &str) -> Listed {
    Listed {
        key: key(name),
        uid: format!("u-{name}"),
        version: "7".to_owned(),
        hash: Some(hash.to_owned()),
        is_deleting: false,
        owner: Some("u-node".to_owned()),
        status: serde_json::to_string(&pod(name, hash).status).unwrap(),
    }
}

fn of_other_node(name: &str) -> Listed {
    Listed {
        owner: Some("u-before".to_owned()),
        ..listed(name, "1")
    }
}

fn words(changes: &[Change<'_>]) -> Vec<String> {
    let word = |change: &Change<'_>| match change {
        Change::Delete { mirror, why } => format!("delete {}: {why}", mirror.uid),
        Change::Create { pod } => format!("create {}", pod.key.name),
        Change::Patch { key, patch } => format!("patch {} {patch}", key.name),
        Change::Taken { key } => format!("taken {}", key.name),
    };
    changes.iter().map(word).collect()
}

/// A sentence, what is shown, what is listed, whether every source was read, and what is changed.
type Row = (
    &'static str,
    Vec<Shown>,
    Vec<Listed>,
    bool,
    Vec<&'static str>,
);

#[test]
fn what_differs_is_changed_and_nothing_else() {
    use Stage::{Leaving, Wanted};
    let wanted = |hash| vec![shown("a", hash, Wanted)];
    let rows: Vec<Row> = vec![
        (
            "all is well",
            wanted("1"),
            vec![listed("a", "1")],
            true,
            vec![],
        ),
        ("none there", wanted("1"), vec![], true, vec!["create a"]),
        (
            "another version",
            wanted("2"),
            vec![listed("a", "1")],
            true,
            vec!["delete u-a: it shows another version", "create a"],
        ),
        (
            "somebody deletes it",
            wanted("1"),
            vec![Listed {
                is_deleting: true,
                ..listed("a", "1")
            }],
            true,
            vec!["delete u-a: somebody deletes it", "create a"],
        ),
        (
            "its Node was made anew",
            wanted("1"),
            vec![of_other_node("a")],
            true,
            vec!["delete u-a: its Node was made anew", "create a"],
        ),
        (
            "and its containers are on their way out",
            vec![shown("a", "1", Leaving)],
            vec![of_other_node("a")],
            true,
            vec![],
        ),
        (
            "it goes with nothing",
            wanted("1"),
            vec![Listed {
                owner: None,
                ..listed("a", "1")
            }],
            true,
            vec![],
        ),
        (
            "its containers are on their way out: the mirror of the old version stays",
            vec![shown("a", "2", Leaving)],
            vec![listed("a", "1")],
            true,
            vec![],
        ),
        (
            "and is not made anew",
            vec![shown("a", "2", Leaving)],
            vec![],
            true,
            vec![],
        ),
        (
            "an orphan",
            vec![],
            vec![listed("a", "1")],
            true,
            vec!["delete u-a: no manifest names it"],
        ),
        (
            "not every source has been read",
            vec![],
            vec![listed("a", "1")],
            false,
            vec![],
        ),
        (
            "a pod of somebody else",
            vec![],
            vec![Listed {
                hash: None,
                ..listed("a", "1")
            }],
            true,
            vec![],
        ),
        (
            "that has the name of ours",
            wanted("1"),
            vec![Listed {
                hash: None,
                ..listed("a", "1")
            }],
            true,
            vec!["taken a"],
        ),
        (
            "an edited status",
            wanted("1"),
            vec![Listed {
                status: json!({"phase": "Failed", "reason": "Evil", "qosClass": "Burstable"})
                    .to_string(),
                ..listed("a", "1")
            }],
            true,
            vec![
                r#"patch a {"metadata":{"uid":"u-a"},"status":{"conditions":[{"status":"True","type":"Ready"}],"phase":"Running","podIP":"10.0.0.2","podIPs":[{"$patch":"replace"},{"ip":"10.0.0.2"}],"reason":null,"startTime":"2026-01-01T00:00:00Z"}}"#,
            ],
        ),
    ];
    for (what, wanted, there, orphans, changes) in rows {
        assert_eq!(
            words(&report(&wanted, &there, Some("u-node"), orphans)),
            changes,
            "{what}"
        );
    }
}

#[test]
fn a_patch_says_what_differs_and_leaves_the_conditions_of_others() {
    let status = pod("a", "1").status.unwrap();
    let mut there = serde_json::to_value(&status).unwrap();
    // As the server gives it back, and with what others have put there.
    there["conditions"][0]["lastProbeTime"] = Value::Null;
    there["conditions"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "example.org/gate", "status": "True"}));
    there["hostIPs"] = json!([]);
    there["resources"] = json!({});
    assert_eq!(status_patch(&status, &there, "u"), None);
    there["conditions"][0]["status"] = json!("False");
    there["conditions"][0]["reason"] = json!("ContainersNotReady");
    let patch = status_patch(&status, &there, "u").unwrap();
    let wanted = json!({"metadata": {"uid": "u"}, "status": {"conditions": [
        {"type": "Ready", "status": "True", "reason": null, "message": null}]}});
    assert_eq!(patch, wanted);
}

#[test]
fn the_mirror_is_the_one_that_a_kubelet_posts() {
    let posted = mirror(&pod("a", "h"), OWNER).unwrap();
    let wanted = json!({
        "name": "a", "namespace": "default",
        "annotations": {
            "kubernetes.io/config.hash": "h", "kubernetes.io/config.mirror": "h",
            "kubernetes.io/config.source": "file", "kubernetes.io/config.seen": "2026-01-01T00:00:00Z",
        },
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "my-node1", "uid": "u-node", "controller": true}],
    });
    assert_eq!(posted["metadata"], wanted);
    assert_eq!(posted.get("status"), None);
    let Some(folder) = std::env::var_os("STATICLET_CAPTURES").map(PathBuf::from) else {
        println!("not compared with recorded ones: STATICLET_CAPTURES names no folder");
        return;
    };
    let (mut compared, mut differences) = (0, Vec::new());
    for case in std::fs::read_dir(folder).unwrap() {
        let dir = case.unwrap().path();
        let title = dir.file_name().unwrap().to_string_lossy().into_owned();
        if DIFFERENT.iter().any(|(known, _)| *known == title) {
            continue;
        }
        if let Some(said) = compare(&dir) {
            compared += 1;
            differences.extend(said.into_iter().map(|line| format!("{title}: {line}")));
        }
    }
    println!("{compared} mirrors compared");
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    assert!(compared >= 40, "only {compared}");
}

/// What differs between our mirror and the recorded one; `None` when there is nothing to compare.
fn compare(dir: &Path) -> Option<Vec<String>> {
    let manifest = ["manifest.yaml", "manifest.json"].map(|name| dir.join(name));
    let text = manifest.iter().find_map(|path| std::fs::read(path).ok())?;
    let recorded: Value =
        serde_json::from_slice(&std::fs::read(dir.join("mirror.json")).ok()?).ok()?;
    let origin = Origin {
        node_name: "my-node1".to_owned(),
        from_file: true,
        allow_unknown_fields: true,
    };
    let ours = read(&text, &origin).ok()?.pod.pod;
    let mut ours = mirror(&ours, OWNER)?;
    let hash = recorded["metadata"]["annotations"]["kubernetes.io/config.hash"].clone();
    let seen = recorded["metadata"]["annotations"]["kubernetes.io/config.seen"].clone();
    for (name, value) in [("hash", &hash), ("mirror", &hash), ("seen", &seen)] {
        ours["metadata"]["annotations"][format!("kubernetes.io/config.{name}")] = value.clone();
    }
    // What the API server's admission adds.
    let spec = &mut ours["spec"];
    for field in ["priority", "preemptionPolicy"] {
        if spec.get(field).is_none() {
            spec[field] = recorded["spec"][field].clone();
        }
    }
    // What it makes of an annotation of old.
    if let Some(profile) = recorded.pointer("/spec/containers/0/securityContext/appArmorProfile")
        && text.windows(8).any(|part| part == b"apparmor")
    {
        spec["containers"][0]["securityContext"]["appArmorProfile"] = profile.clone();
    }
    let mut out = Vec::new();
    let sides = [
        (
            "labels",
            &ours["metadata"]["labels"],
            &recorded["metadata"]["labels"],
        ),
        (
            "annotations",
            &ours["metadata"]["annotations"],
            &recorded["metadata"]["annotations"],
        ),
        ("spec", &ours["spec"], &recorded["spec"]),
    ];
    for (what, ours, theirs) in sides {
        differ(what, ours, theirs, &mut out);
    }
    Some(out)
}

fn differ(at: &str, ours: &Value, theirs: &Value, out: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(one), Value::Object(two)) => {
            for key in one
                .keys()
                .chain(two.keys().filter(|key| !one.contains_key(*key)))
            {
                differ(&format!("{at}.{key}"), &ours[key], &theirs[key], out);
            }
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            for (n, (one, two)) in one.iter().zip(two).enumerate() {
                differ(&format!("{at}[{n}]"), one, two, out);
            }
        }
        (ours, theirs) => {
            // The API server writes empty objects out, and the divisor that means none.
            let empty = |value: &Value| {
                let none = *value == "0" && at.ends_with(".divisor");
                none || value.is_null() || *value == json!({}) || *value == json!([])
            };
            if ours != theirs && !(empty(ours) && empty(theirs)) {
                out.push(format!("{at}: {ours}, recorded {theirs}"));
            }
        }
    }
}

fn machine() -> Machine {
    Machine {
        name: "my-node1".to_owned(),
        ip: "192.0.2.2".to_owned(),
        cpus: 2,
        memory_kib: 24_683_656,
        disk_kib: 264_212_084,
        hugepages: [("1Gi".to_owned(), 0), ("2Mi".to_owned(), 0)].into(),
        architecture: "amd64".to_owned(),
        docker_version: "20.10.24+dfsg1".to_owned(),
        ..Machine::default()
    }
}

/// The numbers are those that a kubelet told of this machine.
#[test]
fn the_node_is_the_one_that_a_kubelet_registers() {
    let settings = NodeSettings {
        labels: [("zone".to_owned(), "a".to_owned())].into(),
        taints: vec![("k".to_owned(), "v".to_owned(), "NoSchedule".to_owned())],
        lease_seconds: 40,
    };
    let at = Wall::parse("2026-11-23T06:26:08.025064Z").unwrap();
    let made = node(&machine(), &settings, at);
    assert_eq!(made["metadata"]["labels"]["zone"], "a");
    assert_eq!(
        made["metadata"]["labels"]["kubernetes.io/hostname"],
        "my-node1"
    );
    assert_eq!(
        made["spec"]["taints"],
        json!([{"key": "k", "value": "v", "effect": "NoSchedule"}])
    );
    let allocatable = json!({
        "cpu": "2", "ephemeral-storage": "243497856212", "hugepages-1Gi": "0", "hugepages-2Mi": "0",
        "memory": "24581256Ki", "pods": "110",
    });
    assert_eq!(made["status"]["allocatable"], allocatable);
    let kinds: Vec<&str> = made["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"]
    );
    assert_eq!(labels_patch(&machine(), &made), None);
    let later = Wall(at.0 + 300_000_000);
    let patch = heartbeat(&machine(), &made, later);
    let ready = &patch["status"]["conditions"][3];
    assert_eq!(ready["lastTransitionTime"], "2026-11-23T06:26:08Z");
    assert_eq!(ready["lastHeartbeatTime"], "2026-11-23T06:31:08Z");
    let trouble = Machine {
        trouble: Some("gone".to_owned()),
        ..machine()
    };
    let ready = heartbeat(&trouble, &made, later)["status"]["conditions"][3].clone();
    assert_eq!(
        (&ready["status"], &ready["lastTransitionTime"]),
        (&json!("False"), &json!("2026-11-23T06:31:08Z"))
    );
    let lease = lease("my-node1", "u", 40, at);
    assert_eq!(lease["spec"]["renewTime"], "2026-11-23T06:26:08.025064Z");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 40);
}
