//! Manifests, and what a valid one becomes.

use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Container;
use staticlet::decide::{Limits, decide};
use staticlet::docker::wire;
use staticlet::pod::{ContainerName, Origin, Problem, ValidPod, all_containers, read, read_list};
use staticlet::state::{
    ContainerId, Desired, DesiredPod, DockerFacts, Memory, Node, Observed, Source,
};
use staticlet::status::{Case, pod_status, reasons};
use staticlet::sys::{Mono, Now, Wall};
use staticlet::translate::{
    self, ContainerInput, ImageFacts, Role, SandboxInput, container_body, container_name,
    read_identity, sandbox_body, sandbox_name,
};

/// Everything that is made of one manifest, many times as large as it: labels repeat annotations, each container the
/// pod's labels, and variables may hold each other.
const MADE_BYTES_MAX: usize = 64 << 20;

pub(super) static NODE: LazyLock<Node> = LazyLock::new(|| {
    let node = serde_json::json!({
        "name": "node1", "ip": "192.0.2.2", "root_dir": "/var/lib/staticlet", "run_dir": "/run/staticlet",
        "pod_logs_dir": "/var/log/pods", "docker_socket": "/nowhere", "pause_image": null,
        "cluster_dns": ["192.0.2.53"], "cluster_domain": "cluster.local", "resolv_conf": "/etc/resolv.conf",
        "log_bytes_max": 1000, "log_files_max": 2, "crash_wait_max_seconds": 300,
    });
    serde_json::from_value(node).unwrap()
});

pub(super) const NOW: Now = Now {
    wall: Wall(1_800_000_000_000_000),
    mono: Mono(1_000_000),
};

pub(super) const LIMITS: Limits = Limits {
    pod_jobs: 4,
    pulls: 2,
    probes: 4,
};

fn origin(allow_unknown_fields: bool) -> Origin {
    Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields,
    }
}

/// One manifest.
pub(super) fn manifest(data: &[u8]) {
    let strict = read(data, &origin(false));
    let lenient = read(data, &origin(true));
    match (strict, lenient) {
        (Ok(strict), Ok(lenient)) => {
            assert_eq!(strict.pod, lenient.pod, "leniency changes no pod");
            assert!(lenient.warnings.is_empty() || !strict.warnings.is_empty());
            valid(&strict.pod);
        }
        (Ok(_), Err(problems)) => panic!("fine only without leniency: {problems:?}"),
        (Err(problems), Ok(lenient)) => {
            told(&problems);
            assert!(
                !lenient.warnings.is_empty(),
                "nothing was unknown: {problems:?}"
            );
            valid(&lenient.pod);
        }
        (Err(problems), Err(_)) => told(&problems),
    }
}

/// What the manifest URL gives.
pub(super) fn list(data: &[u8]) {
    match read_list(data, &origin(false)) {
        Ok(readings) => readings.iter().for_each(|reading| valid(&reading.pod)),
        Err(problems) => assert!(!problems.is_empty()),
    }
}

fn told(problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused without a reason");
    assert!(problems.len() <= 102, "{} problems", problems.len());
}

/// What must be true of a pod that may run.
fn valid(pod: &ValidPod) {
    let text = serde_json::to_vec(pod).unwrap();
    // As it comes back in a job, and from the cache.
    let again: ValidPod = staticlet::sys::json::read(&text).unwrap();
    assert_eq!(*pod, again, "it does not come back from JSON");
    let desired = wanted(pod);
    let key = &pod.key;
    let mut memory = Memory::default();
    let observed = Observed::default();
    memory.saw(&desired, &observed, NOW);
    let decision = decide(&desired, &observed, &memory, LIMITS, NOW);
    assert!(
        !decision.actions.is_empty(),
        "{key:?} is wanted, and nothing is done"
    );
    let case = Case {
        key,
        uid: &pod.uid,
        wanted: Some(pod),
        there: None,
        memory: memory.pods.get(key),
        node: &NODE,
        previous: None,
        now: NOW,
    };
    let status = pod_status(&case);
    assert_eq!(status.phase.as_deref(), Some("Pending"));
    drop(reasons(&case));
    translated(pod);
}

/// The world in which nothing but this pod is wanted.
pub(super) fn wanted(pod: &ValidPod) -> Desired {
    let mut desired = Desired::default();
    let wanted = DesiredPod {
        pod: pod.clone().into(),
        source: Source::File("/m/p.yaml".into()),
    };
    desired.pods.insert(pod.key.clone(), wanted);
    desired.complete = true;
    desired
}

fn translated(pod: &ValidPod) {
    let docker = DockerFacts::default();
    let ips = [ADDRESS.to_owned()];
    let mut bytes = 0;
    let sandbox = sandbox_body(&SandboxInput {
        pod,
        node: &NODE,
        docker: &docker,
        image: "pause",
        seen: NOW.wall,
    });
    if let Ok(body) = sandbox {
        bytes += size(&body);
        let name = sandbox_name(&pod.key, &pod.uid, 3);
        let identity = read_identity(&name, &body.labels, &NODE).expect("a sandbox of ours");
        assert_eq!(
            (&identity.key, &identity.uid, identity.attempt),
            (&pod.key, &pod.uid, 3)
        );
        assert!(
            matches!(identity.role, Role::Sandbox { hash: Some(hash), .. } if hash == pod.hash)
        );
    }
    for container in pod.pod.spec.iter().flat_map(all_containers) {
        bytes += of_container(pod, container);
    }
    drop(translate::volume_plans(pod, &NODE, &docker, 1 << 40));
    drop(translate::hosts_file(
        pod,
        &NODE,
        &ips,
        "127.0.0.1 localhost\n",
    ));
    drop(translate::resolv_conf(pod, &NODE, "nameserver 192.0.2.1\n"));
    drop(translate::cgroup_limits(pod, &NODE));
    drop(translate::huge_pages(pod));
    assert!(bytes <= MADE_BYTES_MAX, "{bytes} bytes are sent to dockerd");
}

const SANDBOX: &str = "5555555555555555";
const ADDRESS: &str = "172.17.0.2";

/// What dockerd is asked to create for a container; `text` is in each of its files of variables.
pub(super) fn made(pod: &ValidPod, container: &Container, text: &str) -> Option<wire::CreateBody> {
    let sandbox = ContainerId(SANDBOX.into());
    let files = translate::env_files(pod, container, &NODE).into_iter();
    let files = files.map(|file| (file, Ok(text.to_owned()))).collect();
    let input = ContainerInput {
        pod,
        container,
        node: &NODE,
        docker: &DockerFacts::default(),
        attempt: 7,
        sandbox: &sandbox,
        pod_ips: &[ADDRESS.to_owned()],
        image: ImageFacts {
            id: "sha256:1",
            user: "app",
        },
        termination_log: Some("/t"),
        hosts_file: Some("/h"),
        seccomp: None,
        env_files: &files,
        disk_bytes: 1 << 40,
    };
    for part in translate::sub_path_plans(&input).unwrap_or_default() {
        let is_inside =
            !part.path.starts_with('/') && part.path.split('/').all(|part| part != "..");
        assert!(is_inside, "{part:?}");
    }
    container_body(&input).ok()
}

/// The bytes of its create body.
fn of_container(pod: &ValidPod, container: &Container) -> usize {
    let Some(body) = made(pod, container, "A='1'\nB='2'\n") else {
        return 0;
    };
    let name = ContainerName(container.name.clone());
    let full = container_name(&pod.key, &pod.uid, &name, 7);
    let identity = read_identity(&full, &body.labels, &NODE).expect("a container of ours");
    assert_eq!(
        (&identity.key, &identity.uid, identity.attempt),
        (&pod.key, &pod.uid, 7)
    );
    let is_same = matches!(&identity.role, Role::Container { name: found, sandbox: s, .. } if *found == name && s.0 == SANDBOX);
    assert!(is_same, "{identity:?}");
    let hook = container
        .lifecycle
        .as_ref()
        .and_then(|l| l.pre_stop.as_ref());
    let back = translate::pre_stop(&body.labels).expect("a hook of ours");
    assert_eq!(back.is_some(), hook.is_some(), "a hook is lost");
    size(&body)
}

fn size(body: &wire::CreateBody) -> usize {
    serde_json::to_vec(body).unwrap().len()
}
