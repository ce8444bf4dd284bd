//! Names and labels lead back to what they were made from, and whatever does not is left alone.

use std::collections::BTreeMap;

use serde_json::json;
use staticlet::pod::ValidPod;
use staticlet::state::{ContainerId, DockerFacts, Node};
use staticlet::sys::Wall;
use staticlet::translate::{
    ContainerInput, Identity, ImageFacts, ROOT_LABEL, Role, SandboxInput, container_body,
    container_name, read_identity, sandbox_body, sandbox_name,
};

use crate::support::world;

type Labels = BTreeMap<String, String>;

fn node() -> Node {
    serde_json::from_value(json!({
        "name": "node1", "ip": "", "root_dir": "/var/lib/staticlet", "run_dir": "", "pod_logs_dir": "/var/log/pods",
        "docker_socket": "", "pause_image": null, "cluster_dns": [], "cluster_domain": "", "resolv_conf": "",
        "log_bytes_max": 0, "log_files_max": 0, "crash_wait_max_seconds": 300
    }))
    .unwrap()
}

fn pod() -> ValidPod {
    let patch = json!({"terminationGracePeriodSeconds": 7});
    let mut pod = world::pod("v1", &["app"], patch);
    let container = &mut pod.pod.spec.as_mut().unwrap().containers[0];
    container.termination_message_path = Some("/dev/termination-log".into());
    container.termination_message_policy = Some("FallbackToLogsOnError".into());
    pod
}

fn sandbox(pod: &ValidPod) -> (String, Labels) {
    let body = sandbox_body(&SandboxInput {
        pod,
        node: &node(),
        docker: &DockerFacts::default(),
        image: "pause",
        seen: Wall(0),
    });
    let name = sandbox_name(&pod.key, &pod.uid, 4);
    (name, body.unwrap().labels)
}

fn container(pod: &ValidPod) -> (String, Labels) {
    let body = container_body(&ContainerInput {
        pod,
        container: &pod.pod.spec.as_ref().unwrap().containers[0],
        node: &node(),
        docker: &DockerFacts::default(),
        attempt: 12,
        sandbox: &world::id("abc"),
        pod_ips: &[],
        image: ImageFacts { id: "", user: "" },
        termination_log: None,
        hosts_file: None,
        seccomp: None,
        env_files: &staticlet::translate::EnvFiles::new(),
        disk_bytes: 0,
    });
    let name = container_name(&pod.key, &pod.uid, &world::name("app"), 12);
    (name, body.unwrap().labels)
}

#[test]
fn labels_lead_back() {
    let pod = pod();
    let (name, labels) = sandbox(&pod);
    let want = Identity {
        key: pod.key.clone(),
        uid: pod.uid.clone(),
        attempt: 4,
        role: Role::Sandbox {
            hash: Some(pod.hash.clone()),
            seen: Some(Wall(0)),
        },
    };
    assert_eq!(read_identity(&name, &labels, &node()), Ok(want.clone()));
    assert_eq!(
        read_identity(&format!("/{name}_0a1b2c3d"), &labels, &node()),
        Ok(want),
        "with the part that cri-dockerd adds after a name conflict"
    );

    let (name, labels) = container(&pod);
    let want = Identity {
        key: pod.key.clone(),
        uid: pod.uid.clone(),
        attempt: 12,
        role: Role::Container {
            name: world::name("app"),
            sandbox: ContainerId("abc".into()),
            grace_seconds: Some(7),
            sidecar: None,
            pre_stop: false,
            message_path: "/dev/termination-log".into(),
            message_from_log: true,
        },
    };
    assert_eq!(
        read_identity(&format!("/{name}"), &labels, &node()),
        Ok(want)
    );
}

#[test]
fn a_pods_own_labels_cannot_forge_ours() {
    let mut pod = pod();
    let (_, honest) = sandbox(&pod);
    let forged = |key: &String| (key.clone(), "forged".to_owned());
    pod.pod.metadata.labels = Some(honest.keys().map(forged).collect());
    let (_, labels) = sandbox(&pod);
    for (key, value) in honest {
        // Annotations that the pod room sets are not in this pod.
        assert_eq!(labels.get(&key), Some(&value), "{key}");
    }
}

#[test]
fn what_is_not_ours_is_not_read() {
    let pod = pod();
    let (name, labels) = container(&pod);
    let without = |key: &str| {
        let mut labels = labels.clone();
        labels.remove(key).unwrap();
        labels
    };
    let with = |key: &str, value: &str| {
        let mut labels = labels.clone();
        labels.insert(key.into(), value.into()).unwrap();
        labels
    };
    let other_attempt = name.replace("_12", "_x");
    for (labels, name, why) in [
        (without(ROOT_LABEL), &name, "it was not made by staticlet"),
        (
            with(ROOT_LABEL, "/srv/other"),
            &name,
            "it belongs to the staticlet with --root-dir=/srv/other",
        ),
        (
            without("io.kubernetes.pod.uid"),
            &name,
            "it has no label io.kubernetes.pod.uid",
        ),
        (
            with("io.kubernetes.pod.uid", "../../etc"),
            &name,
            "its label io.kubernetes.pod.uid is \"../../etc\"",
        ),
        (
            with("io.kubernetes.container.name", ".."),
            &name,
            "its label io.kubernetes.container.name is \"..\"",
        ),
        (
            with("io.kubernetes.docker.type", "podsandbox"),
            &name,
            "its label io.kubernetes.docker.type is \"podsandbox\"",
        ),
        (
            labels.clone(),
            &"renamed".to_owned(),
            "its name \"renamed\" does not agree with its labels",
        ),
        (
            labels.clone(),
            &other_attempt,
            &format!("its name {other_attempt:?} does not agree with its labels"),
        ),
    ] {
        assert_eq!(read_identity(name, &labels, &node()), Err(why.to_owned()));
    }
}
