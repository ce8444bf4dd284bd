//! What each field of a manifest changes in what is created: one directory a field, or a small group of fields.
//!
//! `tests/golden/01-minimal` holds everything that comes of a pod with nothing but a name and an image. Every other
//! case holds its `pod.yaml`, at will a `setting.json` (see [`Setting`]), and **only what differs** from case 01; `null`
//! is what is not there any more. `UPDATE_GOLDEN=1` rewrites; a missing or a surplus file fails.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use staticlet::pod::{Origin, ValidPod};
use staticlet::state::{ContainerId, DockerFacts, Node};
use staticlet::sys::Wall;
use staticlet::translate::{
    ContainerInput, ImageFacts, SandboxInput, container_body, env_files, hosts_file, paths,
    resolv_conf, sandbox_body, seccomp_file, sub_path_plans, volume_plans,
};

/// The files that a person writes; all others are made.
const GIVEN: [&str; 2] = ["pod.yaml", "setting.json"];

/// What surrounds the pod; each of them may be changed in part.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Setting {
    /// Over [`node`].
    node: Value,
    /// Over [`docker`].
    docker: Value,
    /// The `User` of every image.
    image_user: String,
    /// The text of every seccomp profile.
    seccomp: String,
    /// The text of every file of variables.
    env_file: String,
    /// The node's hosts file.
    node_hosts: String,
    /// The node's resolver file; when empty, one with the server 192.0.2.53.
    node_resolv_conf: String,
}

#[test]
fn each_field_changes_what_it_should() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    let base = outputs(cases.first().unwrap());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut faults = String::new();
    for (at, case) in cases.iter().enumerate() {
        let mut made = outputs(case);
        if at > 0 {
            made = made
                .into_iter()
                .filter_map(|(name, value)| {
                    let base = base.get(&name).or_else(|| base.get(like(&name)))?;
                    Some((name, difference(base, &value)?))
                })
                .collect();
        }
        let made = made.into_iter().map(|(name, value)| (name, text(&value)));
        check(case, made.collect(), update, &mut faults);
    }
    assert!(faults.is_empty(), "{faults}\nUPDATE_GOLDEN=1 accepts");
}

/// The file of case 01 that a file is compared with.
fn like(name: &str) -> &str {
    match name.split_once('.') {
        Some(("create", _)) => "create.app.json",
        Some(("subpaths", _)) => "subpaths.app.json",
        _ => "",
    }
}

/// Everything that comes of one case, by file name.
fn outputs(case: &Path) -> BTreeMap<String, Value> {
    let pod = load(case);
    let setting: Setting = std::fs::read_to_string(case.join("setting.json"))
        .map(|text| serde_json::from_str(&text).unwrap())
        .unwrap_or_default();
    let node: Node = patched(node(), &setting.node);
    let docker: DockerFacts = patched(docker(), &setting.docker);
    let mut out = BTreeMap::new();
    let sandbox = sandbox_body(&SandboxInput {
        pod: &pod,
        node: &node,
        docker: &docker,
        image: "pause",
        seen: Wall(1_800_000_000_000_000),
    });
    put(&mut out, "sandbox.json", sandbox);
    let spec = pod.pod.spec.as_ref().unwrap();
    let ips = match spec.host_network {
        Some(true) => vec![],
        _ => vec!["172.17.0.2".to_owned()],
    };
    let sandbox_id = ContainerId("5".repeat(64));
    let init = spec.init_containers.iter().flatten();
    for container in spec.containers.iter().chain(init) {
        let name = staticlet::pod::ContainerName(container.name.clone());
        let log = paths::termination_log(&node, &pod.uid, &name, 3);
        let hosts = paths::hosts_file(&node, &pod.uid);
        let profile = seccomp_file(&pod, container, &node);
        let files = env_files(&pod, container, &node).into_iter();
        let files = files
            .map(|file| (file, Ok(setting.env_file.clone())))
            .collect();
        let body = profile.and_then(|profile| {
            let input = ContainerInput {
                pod: &pod,
                container,
                node: &node,
                docker: &docker,
                attempt: 3,
                sandbox: &sandbox_id,
                pod_ips: &ips,
                image: ImageFacts {
                    id: "sha256:1",
                    user: &setting.image_user,
                },
                termination_log: Some(&log),
                hosts_file: Some(&hosts),
                seccomp: profile.map(|_| setting.seccomp.as_str()),
                env_files: &files,
                disk_bytes: 100_000_000_000,
            };
            let plans = sub_path_plans(&input);
            let plans = plans.map(|plans| plans.iter().map(|plan| format!("{plan:?}")).collect());
            put::<Vec<String>>(&mut out, &format!("subpaths.{name}.json"), plans);
            container_body(&input)
        });
        put(&mut out, &format!("create.{name}.json"), body);
    }
    let plans = volume_plans(&pod, &node, &docker, 100_000_000_000)
        .map(|plans| plans.iter().map(|plan| format!("{plan:?}")).collect());
    put::<Vec<String>>(&mut out, "volumes.json", plans);
    let hosts = hosts_file(&pod, &node, &ips, &setting.node_hosts);
    put(&mut out, "hosts.json", hosts.map(|text| lines(&text)));
    let resolver = match setting.node_resolv_conf.as_str() {
        "" => "nameserver 192.0.2.53\n",
        text => text,
    };
    let resolver = resolv_conf(&pod, &node, resolver);
    let resolver = resolver.map(|r| (lines(&r.text), r.remarks));
    put(&mut out, "resolv.json", resolver);
    out
}

fn lines(text: &Option<String>) -> Option<Vec<String>> {
    let text = text.as_ref()?;
    Some(text.split_inclusive('\n').map(str::to_owned).collect())
}

fn put<T: serde::Serialize>(
    out: &mut BTreeMap<String, Value>,
    name: &str,
    value: Result<T, staticlet::pod::Problem>,
) {
    let value = match value {
        Ok(value) => serde_json::to_value(value).unwrap(),
        Err(problem) => Value::from(format!("problem: {problem}")),
    };
    out.insert(name.to_owned(), value);
}

fn load(case: &Path) -> ValidPod {
    let bytes = std::fs::read(case.join("pod.yaml")).unwrap();
    let origin = Origin {
        node_name: "node1".into(),
        from_file: true,
        allow_unknown_fields: false,
    };
    let mut pod = match staticlet::pod::read(&bytes, &origin) {
        Ok(reading) => reading.pod,
        Err(problems) if problems[0].text == "manifests cannot be read yet" => stand_in(&bytes),
        Err(problems) => panic!("{}: {problems:?}", case.display()),
    };
    // The hash is the business of the pod room.
    pod.hash.0 = "<hash>".into();
    pod
}

fn patched<T: serde::Serialize + serde::de::DeserializeOwned>(plain: T, patch: &Value) -> T {
    let mut value = serde_json::to_value(plain).unwrap();
    for (key, new) in patch.as_object().into_iter().flatten() {
        assert!(!value[key].is_null() || key == "oom_floor", "{key}");
        value[key] = new.clone();
    }
    serde_json::from_value(value).unwrap()
}

/// What is different in `value`; `None` for nothing. Objects are gone into, everything else is told whole.
fn difference(base: &Value, value: &Value) -> Option<Value> {
    if base == value {
        return None;
    }
    let (Value::Object(base), Value::Object(new)) = (base, value) else {
        return Some(value.clone());
    };
    let mut out = Map::new();
    for (key, new) in new {
        let changed = match base.get(key) {
            Some(old) => difference(old, new),
            None => Some(new.clone()),
        };
        out.extend(changed.map(|changed| (key.clone(), changed)));
    }
    for key in base.keys().filter(|key| !new.contains_key(*key)) {
        out.insert(key.clone(), Value::Null);
    }
    Some(Value::Object(out))
}

fn text(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn check(case: &Path, made: BTreeMap<String, String>, update: bool, faults: &mut String) {
    let mut found: BTreeMap<String, String> = std::fs::read_dir(case)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !GIVEN.contains(&name.as_str()))
        .map(|name| {
            let text = std::fs::read_to_string(case.join(&name)).unwrap();
            (name, text)
        })
        .collect();
    let title = case.file_name().unwrap().to_string_lossy();
    for (name, text) in made {
        let old = found.remove(&name);
        if old.as_ref() == Some(&text) {
            continue;
        }
        if update {
            std::fs::write(case.join(&name), text).unwrap();
            continue;
        }
        let old = old.unwrap_or_else(|| "(no such file)\n".into());
        let _ = write!(faults, "{title}/{name}\n--- is\n{text}--- was\n{old}");
    }
    for name in found.into_keys() {
        if update {
            std::fs::remove_file(case.join(&name)).unwrap();
        } else {
            let _ = writeln!(faults, "{title}/{name} is not made any more");
        }
    }
}

fn node() -> Node {
    Node {
        name: "node1".into(),
        ip: "192.0.2.2".into(),
        root_dir: "/var/lib/staticlet".into(),
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

fn docker() -> DockerFacts {
    DockerFacts {
        version: "20.10.24".into(),
        api: (1, 41),
        cgroup_driver: "cgroupfs".into(),
        cgroup_version: 1,
        logging_driver: "json-file".into(),
        memory_bytes: 8_000_000_000,
        cpus: 4,
        oom_floor: None,
        recursive_read_only: false,
    }
}

/// Until `pod::read` is there: decodes, and defaults what matters here.
fn stand_in(bytes: &[u8]) -> ValidPod {
    use staticlet::pod::{PodKey, PodUid, SpecHash};
    let mut value: Value = serde_yaml::from_slice(bytes).unwrap();
    let default = |value: &mut Value, key: &str, text: Value| {
        if value[key].is_null() {
            value[key] = text;
        }
    };
    let meta = &mut value["metadata"];
    meta["name"] = "web-node1".into();
    default(meta, "namespace", "default".into());
    meta["annotations"]["kubernetes.io/config.source"] = "file".into();
    meta["annotations"]["kubernetes.io/config.hash"] = "<hash>".into();
    let spec = &mut value["spec"];
    let host_network = spec["hostNetwork"] == true;
    default(spec, "terminationGracePeriodSeconds", 30.into());
    default(spec, "dnsPolicy", "ClusterFirst".into());
    let mut lists: Vec<_> = ["initContainers", "containers"]
        .into_iter()
        .filter_map(|list| Some(spec.get(list)?.as_array()?.clone()).map(|all| (list, all)))
        .collect();
    for container in lists.iter_mut().flat_map(|(_, all)| all) {
        default(
            container,
            "terminationMessagePath",
            "/dev/termination-log".into(),
        );
        default(container, "terminationMessagePolicy", "File".into());
        for port in container["ports"].as_array_mut().into_iter().flatten() {
            default(port, "protocol", "TCP".into());
            if host_network {
                let number = port["containerPort"].clone();
                default(port, "hostPort", number);
            }
        }
        let limits = container["resources"]["limits"].clone();
        for (key, limit) in limits.as_object().into_iter().flatten() {
            default(&mut container["resources"]["requests"], key, limit.clone());
        }
    }
    for (list, all) in lists {
        value["spec"][list] = all.into();
    }
    let pod: k8s_openapi::api::core::v1::Pod = serde_json::from_value(value).unwrap();
    ValidPod {
        key: PodKey {
            namespace: pod.metadata.namespace.clone().unwrap(),
            name: "web-node1".into(),
        },
        uid: PodUid(pod.metadata.uid.clone().unwrap()),
        hash: SpecHash("<hash>".into()),
        pod,
    }
}
