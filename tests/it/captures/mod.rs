//! What is sent to dockerd, beside what a real kubelet 1.36 with cri-dockerd had sent for the same pod.
//!
//! `tests/captures/` holds some recorded cases, cut to what is compared: the pod as the kubelet had defaulted it,
//! dockerd's `inspect` of every container, and what some of these had printed of their files. `STATICLET_CAPTURES` names
//! a folder with more of them, used instead. Every field that both sides know is compared; what is meant to differ
//! stands in `fields.rs` with its reason, and nowhere else.

mod fields;
mod recorded;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use staticlet::pod::{ContainerName, ValidPod};
use staticlet::state::ContainerId;
use staticlet::sys::Wall;
use staticlet::translate::{
    ContainerInput, ImageFacts, SandboxInput, container_body, container_name, hostname, hosts_file,
    read_identity, resolv_conf, sandbox_body, sandbox_name,
};

use fields::{expect_difference, fields};
use recorded::{
    Inspect, container_of, facts, inside, ips_of, node, read, sorted_dirs, unsupported, valid,
};

/// So many cases at least have to be compared when a folder is named.
const CASES_MIN: usize = 25;

/// Recorded after an edit under a fixed UID, which a kubelet does not carry out: the recorded pod is not the one that
/// the containers were made from.
const EDITED_IN_PLACE: [&str; 1] = ["306-edit-with-explicit-uid"];

/// The size of the file system of the recorded node's root directory.
const DISK_BYTES: u64 = 243_497_856_212;

#[test]
fn creates_what_a_kubelet_creates() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let named = std::env::var_os("STATICLET_CAPTURES").map(PathBuf::from);
    let mut tally = Tally::default();
    let folder = named.clone().unwrap_or(own);
    for case in sorted_dirs(&folder) {
        tally.case(&case);
    }
    println!(
        "{} cases with {} containers compared, {} of them with their files, {} left out:",
        tally.cases,
        tally.containers,
        tally.files,
        tally.left_out.len()
    );
    for line in &tally.left_out {
        println!("  {line}");
    }
    assert!(
        tally.differences.is_empty(),
        "{}",
        tally.differences.join("\n")
    );
    let least = if named.is_some() { CASES_MIN } else { 10 };
    assert!(tally.cases >= least, "only {} cases", tally.cases);
}

#[derive(Default)]
struct Tally {
    cases: usize,
    containers: usize,
    files: usize,
    left_out: Vec<String>,
    differences: Vec<String>,
}

impl Tally {
    fn case(&mut self, dir: &Path) {
        let title = dir.file_name().unwrap().to_string_lossy().into_owned();
        if EDITED_IN_PLACE.contains(&title.as_str()) {
            self.left_out.push(format!("{title}: edited in place"));
            return;
        }
        let (pods, docker) = match (read(dir, "pods.json"), read(dir, "docker.json")) {
            (Some(pods), Some(docker)) => (pods, docker),
            // Never ran: `verdict.rs` and `status.rs` have those.
            (_, None) => return,
            (None, Some(_)) => {
                let why = "no pod was recorded, only containers";
                return self.left_out.push(format!("{title}: {why}"));
            }
        };
        let pods = match pods {
            Value::Array(pods) => pods,
            pod => vec![pod],
        };
        let inspects: Vec<Inspect> = docker
            .as_array()
            .unwrap()
            .iter()
            .map(|c| Inspect(c.clone()))
            .collect();
        let mut compared = 0;
        for pod in pods {
            let pod = valid(pod);
            let unsupported = unsupported(&pod);
            if !unsupported.is_empty() {
                self.left_out
                    .push(format!("{title}: {}", unsupported.join(", ")));
                continue;
            }
            let ours = |c: &&Inspect| c.label("io.kubernetes.pod.uid") == pod.uid.as_str();
            for inspect in inspects.iter().filter(ours) {
                compared += self.container(&title, &pod, inspect, &inspects);
                self.files(dir, &pod, inspect, &inspects);
            }
        }
        self.cases += usize::from(compared > 0);
        self.containers += compared;
    }

    fn container(
        &mut self,
        title: &str,
        pod: &ValidPod,
        inspect: &Inspect,
        all: &[Inspect],
    ) -> usize {
        let (node, facts) = (node(), facts());
        let name = inspect.label("io.kubernetes.container.name");
        let attempt: u32 = inspect.name().rsplit('_').next().unwrap().parse().unwrap();
        let (body, own_name) = if name == "POD" {
            let seen = inspect.label("annotation.kubernetes.io/config.seen");
            let seen = Wall::parse(seen).unwrap();
            let input = SandboxInput {
                pod,
                node: &node,
                docker: &facts,
                image: inspect.config("Image").as_str().unwrap(),
                seen,
            };
            let name = sandbox_name(&pod.key, &pod.uid, attempt);
            (sandbox_body(&input), name)
        } else {
            let Some(container) = container_of(pod, name) else {
                return 0;
            };
            let sandbox = ContainerId(inspect.label("io.kubernetes.sandbox.id").into());
            let mount = |target: &str| inspect.mount_source(target);
            let message = container.termination_message_path.as_deref().unwrap_or("");
            let message = mount(message);
            let hosts = mount("/etc/hosts").filter(|s| s.ends_with("/etc-hosts"));
            let pod_ips = ips_of(all, &sandbox);
            let input = ContainerInput {
                pod,
                container,
                node: &node,
                docker: &facts,
                attempt,
                sandbox: &sandbox,
                pod_ips: &pod_ips,
                image: ImageFacts {
                    id: inspect.config("Image").as_str().unwrap(),
                    user: "",
                },
                termination_log: message.as_deref(),
                hosts_file: hosts.as_deref(),
                seccomp: None,
                env_files: &staticlet::translate::EnvFiles::new(),
                disk_bytes: DISK_BYTES,
            };
            let name = ContainerName(name.into());
            let name = container_name(&pod.key, &pod.uid, &name, attempt);
            (container_body(&input), name)
        };
        let place = format!("{title} {name} #{attempt}");
        let body = match body {
            Ok(body) => serde_json::to_value(body).unwrap(),
            Err(problem) => {
                self.differences.push(format!("{place}: {problem}"));
                return 1;
            }
        };
        if own_name != inspect.name() {
            self.differences
                .push(format!("{place}: name {own_name}, not {}", inspect.name()));
        }
        self.round_trip(&place, &own_name, &body);
        for (field, (ours, theirs)) in fields(&body, inspect, name == "POD") {
            if ours != theirs && !expect_difference(&field, pod, name, (&ours, &theirs)) {
                self.differences.push(format!(
                    "{place}: {field}\n   ours   {ours}\n   theirs {theirs}"
                ));
            }
        }
        1
    }

    /// The labels just made lead back to the same names.
    fn round_trip(&mut self, place: &str, name: &str, body: &Value) {
        let labels: BTreeMap<String, String> =
            serde_json::from_value(body["Labels"].clone()).unwrap();
        match read_identity(&format!("/{name}"), &labels, &node()) {
            Ok(_) => {}
            Err(why) => self.differences.push(format!("{place}: {why}")),
        }
    }

    /// The hostname and the two files, as the container's own program had printed them.
    fn files(&mut self, dir: &Path, pod: &ValidPod, inspect: &Inspect, all: &[Inspect]) {
        let Some(seen) = inside(dir, inspect) else {
            return;
        };
        let sandbox = ContainerId(inspect.label("io.kubernetes.sandbox.id").into());
        let (node, ips) = (node(), ips_of(all, &sandbox));
        let node_hosts = "127.0.0.1 localhost\n127.0.0.1 runsc\n127.0.0.1 vm\n";
        // A kubelet without a cluster domain ends the name in a dot.
        let theirs = |section: &str| {
            seen[section]
                .replace(".svc.\n", ".svc\n")
                .replace(".svc.\t", ".svc\t")
        };
        let host = match hostname(pod, &node).unwrap() {
            empty if empty.is_empty() => "vm".to_owned(),
            host => host,
        };
        let hosts = hosts_file(pod, &node, &ips, node_hosts).unwrap();
        let resolver = resolv_conf(pod, &node, "nameserver 192.0.2.1\n").unwrap();
        let pairs = [
            ("hostname", format!("{host}\n{host}\n(none)\n")),
            ("/etc/hosts", hosts.unwrap()),
            ("/etc/resolv.conf", resolver.text.unwrap()),
        ];
        for (section, ours) in pairs {
            if ours != theirs(section) {
                self.differences.push(format!(
                    "{} {section}\n--- ours\n{ours}--- theirs\n{}",
                    dir.display(),
                    theirs(section)
                ));
            }
        }
        self.files += 1;
    }
}
