//! The recorded side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::Value;
use staticlet::pod::{PodKey, PodUid, SpecHash, ValidPod};
use staticlet::state::{ContainerId, DockerFacts, Node};

/// One container as dockerd described it.
pub(super) struct Inspect(pub(super) Value);

impl Inspect {
    pub(super) fn name(&self) -> &str {
        self.0["Name"].as_str().unwrap().trim_start_matches('/')
    }

    pub(super) fn config(&self, field: &str) -> &Value {
        &self.0["Config"][field]
    }

    pub(super) fn label(&self, key: &str) -> &str {
        self.config("Labels")[key].as_str().unwrap_or_default()
    }

    pub(super) fn mount_source(&self, target: &str) -> Option<String> {
        let mounts = self.0["HostConfig"]["Mounts"].as_array()?;
        let mount = mounts.iter().find(|m| m["Target"] == target)?;
        Some(mount["Source"].as_str()?.to_owned())
    }
}

/// The addresses that the containers of a sandbox were told.
pub(super) fn ips_of(all: &[Inspect], sandbox: &ContainerId) -> Vec<String> {
    let sandbox = all.iter().find(|c| c.0["Id"] == sandbox.0.as_str());
    let ip = sandbox.and_then(|c| c.0["NetworkSettings"]["IPAddress"].as_str());
    let ip = ip.filter(|ip| !ip.is_empty());
    ip.map(str::to_owned).into_iter().collect()
}

pub(super) fn container_of<'a>(pod: &'a ValidPod, name: &str) -> Option<&'a Container> {
    let spec = pod.pod.spec.as_ref()?;
    spec.containers.iter().find(|c| c.name == name)
}

/// A recorded pod; it is as defaulted as ours are.
pub(super) fn valid(pod: Value) -> ValidPod {
    let mut pod: Pod = serde_json::from_value(pod).unwrap();
    pod.status = None;
    let meta = &pod.metadata;
    let annotations = meta.annotations.clone().unwrap_or_default();
    ValidPod {
        key: PodKey {
            namespace: meta.namespace.clone().unwrap(),
            name: meta.name.clone().unwrap(),
        },
        uid: PodUid(meta.uid.clone().unwrap()),
        hash: SpecHash(annotations["kubernetes.io/config.hash"].clone()),
        pod,
    }
}

/// What a pod has that `pod::read` refuses for now and that changes a create body.
pub(super) fn unsupported(pod: &ValidPod) -> Vec<String> {
    let spec = pod.pod.spec.as_ref().unwrap();
    let mut out = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        let ours = volume.empty_dir.is_some() || volume.host_path.is_some();
        if !ours && volume.downward_api.is_none() && volume.projected.is_none() {
            out.push(format!("volume {}", volume.name));
        }
    }
    if spec.resources.is_some() {
        out.push("pod-level resources".into());
    }
    out
}

pub(super) fn node() -> Node {
    Node {
        name: "my-node1".into(),
        ip: "192.0.2.2".into(),
        root_dir: "/var/lib/kubelet".into(),
        run_dir: "/run/staticlet".into(),
        pod_logs_dir: "/var/log/pods".into(),
        docker_socket: "/var/run/docker.sock".into(),
        pause_image: None,
        cluster_dns: Vec::new(),
        cluster_domain: String::new(),
        resolv_conf: "/etc/resolv.conf".into(),
        log_bytes_max: 10 << 20,
        log_files_max: 5,
        pod_pids_max: None,
        crash_wait_max_seconds: 300,
    }
}

pub(super) fn facts() -> DockerFacts {
    DockerFacts {
        version: "20.10.24".into(),
        api: (1, 41),
        cgroup_driver: "cgroupfs".into(),
        cgroup_version: 1,
        logging_driver: "json-file".into(),
        memory_bytes: 24_683_656 << 10,
        cpus: 2,
        oom_floor: None,
        recursive_read_only: false,
    }
}

pub(super) fn sorted_dirs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder);
    let entries = entries.unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut dirs: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    dirs.retain(|d| d.is_dir());
    dirs.sort();
    dirs
}

pub(super) fn read(dir: &Path, name: &str) -> Option<Value> {
    let text = std::fs::read_to_string(dir.join(name)).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// What the container's own program printed, by its `== section`; `None` if it is not one that prints.
pub(super) fn inside(dir: &Path, inspect: &Inspect) -> Option<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(dir.join("inside.txt")).ok()?;
    // From standard error, and therefore anywhere.
    let text = text.replace("umask: applet not found\n", "");
    let head = format!("##### /{} ", inspect.name());
    let part = text
        .split("##### ")
        .find(|part| format!("##### {part}").starts_with(&head))?;
    let mut sections = BTreeMap::new();
    for section in part.split("\n== ").skip(1) {
        let (name, rest) = section.split_once('\n').unwrap_or((section, ""));
        // The program's own text is among what it prints.
        sections
            .entry(name.to_owned())
            .or_insert(format!("{}\n", rest.trim_end()));
    }
    sections
        .contains_key("/etc/resolv.conf")
        .then_some(sections)
}
