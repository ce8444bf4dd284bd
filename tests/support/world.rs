//! Hand-made worlds for the tests of the pure rooms.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;
use staticlet::pod::{ContainerName, PodKey, PodUid, SpecHash, ValidPod};
use staticlet::publish::{Occurrence, World as Told};
use staticlet::state::{
    Container, ContainerId, ContainerState, Desired, DesiredPod, Exit, Memory, Node, Observed,
    ObservedPod, Sandbox, Source,
};
use staticlet::sys::{Mono, Now, Wall};

/// A point in time, in seconds after an arbitrary start.
pub fn at(seconds: u64) -> Now {
    at_ms(seconds * 1000)
}

/// The same in milliseconds.
pub fn at_ms(ms: u64) -> Now {
    let wall = 1_800_000_000_000_000 + i64::try_from(ms).unwrap() * 1000;
    Now {
        wall: Wall(wall),
        mono: Mono(1_000_000 + ms),
    }
}

/// What is wanted, what is there, what is remembered.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub desired: Desired,
    pub observed: Observed,
    pub memory: Memory,
}

pub fn key() -> PodKey {
    PodKey {
        namespace: "default".into(),
        name: "web-node1".into(),
    }
}

pub fn name(text: &str) -> ContainerName {
    ContainerName(text.into())
}

pub fn id(text: &str) -> ContainerId {
    ContainerId(text.into())
}

/// The pod `web` in version `version` with these containers, as the sources would give it.
pub fn pod(version: &str, containers: &[&str], patch: serde_json::Value) -> ValidPod {
    let list: Vec<_> = containers
        .iter()
        .map(|name| json!({"name": name, "image": "busybox:1", "imagePullPolicy": "IfNotPresent"}))
        .collect();
    let mut spec =
        json!({"containers": list, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30});
    merge(&mut spec, patch);
    let object = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-node1", "namespace": "default", "uid": version},
        "spec": spec,
    });
    ValidPod {
        key: key(),
        uid: PodUid(version.into()),
        hash: SpecHash(version.into()),
        pod: serde_json::from_value(object).unwrap(),
    }
}

fn merge(into: &mut serde_json::Value, patch: serde_json::Value) {
    use serde_json::Value::Object;
    match (into, patch) {
        (Object(into), Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(serde_json::Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

pub fn want(desired: &mut Desired, pod: ValidPod) {
    let source = Source::File("/etc/kubelet.d/web.yaml".into());
    let wanted = DesiredPod {
        pod: Rc::new(pod.clone()),
        source,
    };
    desired.pods.insert(pod.key, wanted);
}

pub fn sandbox(version: &str, attempt: u32, state: ContainerState) -> Sandbox {
    let ips = match &state {
        ContainerState::Running { .. } => vec!["172.17.0.2".to_owned()],
        ContainerState::Created | ContainerState::Exited(_) | ContainerState::Unknown { .. } => {
            Vec::new()
        }
    };
    Sandbox {
        id: id(&format!("{version}-POD-{attempt}")),
        attempt,
        state,
        hash: Some(SpecHash(version.into())),
        seen: None,
        ips,
        host_network: false,
    }
}

pub fn container(version: &str, name: &str, attempt: u32, state: ContainerState) -> Container {
    Container {
        id: id(&format!("{version}-{name}-{attempt}")),
        name: ContainerName(name.into()),
        attempt,
        sandbox: id(&format!("{version}-POD-0")),
        state,
        grace_seconds: Some(30),
        sidecar: None,
        starting: false,
        pre_stop: false,
        image: "busybox:1".into(),
        image_id: "docker://sha256:1".into(),
    }
}

pub fn running() -> ContainerState {
    ContainerState::Running {
        started: at(0).wall,
    }
}

pub fn exited(code: i32, finished: Now) -> ContainerState {
    ContainerState::Exited(Exit {
        code,
        reason: if code == 0 { "Completed" } else { "Error" }.into(),
        message: String::new(),
        started: at(0).wall,
        finished: finished.wall,
    })
}

/// A pod of containers that all run, wanted and quiet.
pub fn healthy_with(containers: &[&str], patch: serde_json::Value) -> World {
    let mut world = World::default();
    world.desired.complete = true;
    want(&mut world.desired, pod("v1", containers, patch));
    world.observed.pods.insert(
        PodUid("v1".into()),
        ObservedPod {
            key: key(),
            uid: PodUid("v1".into()),
            sandboxes: vec![sandbox("v1", 0, running())],
            containers: containers
                .iter()
                .map(|name| container("v1", name, 0, running()))
                .collect(),
        },
    );
    world.observed.dirs.insert(PodUid("v1".into()));
    world.memory.saw(&world.desired, &world.observed, at(0));
    world
}

/// The healthy world of most rows: one pod with the containers `app` and `side`.
pub fn healthy() -> World {
    healthy_with(&["app", "side"], json!({}))
}

impl World {
    /// What is there of version `uid`.
    pub fn there(&mut self, uid: &str) -> &mut ObservedPod {
        self.observed.pods.get_mut(&PodUid(uid.into())).unwrap()
    }

    /// Puts a newer instance of a container in front of the others.
    pub fn newest(&mut self, uid: &str, container: Container) {
        let there = self.there(uid);
        there.containers.retain(|old| old.name != container.name);
        there.containers.insert(0, container);
    }
}

/// A node as jobs are told of it.
pub fn node() -> Node {
    let node = json!({
        "name": "node1", "ip": "192.0.2.2", "root_dir": "/var/lib/staticlet", "run_dir": "/run/staticlet",
        "pod_logs_dir": "/var/log/pods", "docker_socket": "/var/run/docker.sock", "pause_image": null,
        "cluster_dns": [], "cluster_domain": "", "resolv_conf": "", "log_bytes_max": 1, "log_files_max": 2,
        "crash_wait_max_seconds": 300,
    });
    serde_json::from_value(node).unwrap()
}

/// What is published of a world in which nothing else is known.
pub fn told<'a>(
    world: &'a World,
    node: &'a Node,
    events: &'a BTreeMap<PodKey, Vec<Occurrence>>,
) -> Told<'a> {
    Told {
        desired: &world.desired,
        observed: &world.observed,
        memory: &world.memory,
        node,
        docker_error: None,
        disk_short: None,
        archives: Vec::new(),
        api: None,
        events,
    }
}
