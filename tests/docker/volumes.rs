//! Volumes, as their containers see them.

use std::fs;

use crate::support::agent::{Agent, FOREVER, SOON, eventually};
use crate::support::engine;
use crate::support::image;

#[test]
#[ignore = "needs dockerd"]
fn files_of_the_downward_api() {
    image::busybox();
    let agent = Agent::started("downward");
    let pod = format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: a, labels: {{k: v, role: web}}}}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {{fsGroup: 4321, runAsUser: 1000}}
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, \"{FOREVER}\"]
    resources: {{limits: {{memory: 64Mi}}}}
    volumeMounts:
    - {{name: p, mountPath: /p}}
    - {{name: d, mountPath: /d}}
  volumes:
  - name: p
    projected:
      sources:
      - downwardAPI: {{items: [{{path: name, fieldRef: {{fieldPath: metadata.name}}}}]}}
      - downwardAPI: {{items: [{{path: labels, fieldRef: {{fieldPath: metadata.labels}}, mode: 0400}}]}}
  - name: d
    downwardAPI:
      items: [{{path: sub/memory, resourceFieldRef: {{containerName: c, resource: limits.memory, divisor: 1Mi}}}}]
"
    );
    agent.put("a.yaml", &pod);
    let id = agent.wait_running("a", "c");
    let inside = |script: &str| engine::exec(&id, &["sh", "-c", script]);
    let name = format!("a-{}", agent.node);
    assert_eq!(inside("cat /p/name"), name);
    assert_eq!(inside("cat /p/labels"), "k=\"v\"\nrole=\"web\"");
    assert_eq!(inside("cat /d/sub/memory"), "64");
    // As the kubelet lays them: modes with the group's share, links through one directory.
    let modes =
        inside("cd /p; stat -c '%A %u %g %n' . ..data/. ..data/*; readlink name; readlink ..data");
    let lines: Vec<&str> = modes.lines().collect();
    assert_eq!(
        lines[..5],
        [
            "drwxrwsrwt 0 4321 .",
            "drwxr-sr-x 0 4321 ..data/.",
            "-r--r----- 0 4321 ..data/labels",
            "-rw-r--r-- 0 4321 ..data/name",
            "..data/name",
        ]
    );
    assert!(lines[5].starts_with("..20"), "{modes}");
    let mounts = inside("grep ' /p ' /proc/mounts");
    assert!(mounts.starts_with("tmpfs /p tmpfs ro,"), "{mounts}");
    assert!(inside("echo x >/p/name").contains("Read-only"));
    // A restart of the container, and then of the agent, leaves the volume as it is.
    engine::call("POST", &format!("/containers/{id}/kill"), None);
    let id = agent.wait_other("a", "c", &id);
    assert_eq!(engine::exec(&id, &["cat", "/p/name"]), name);
    fs::remove_file(agent.manifest("a.yaml")).unwrap();
    eventually(&agent, "pod and volumes are gone", SOON, || {
        let pods = fs::read_dir(agent.base.join("root/pods"));
        agent.all("a").is_empty() && pods.is_ok_and(|mut pods| pods.next().is_none())
    });
}

/// Where Docker, its runtime and the kernel can; else the one is told, and the other is as if it were not there.
#[test]
#[ignore = "needs dockerd"]
fn read_only_with_all_below_or_told() {
    let agent = Agent::started("below");
    let host = agent.base.join("host");
    let below = host.join("below");
    fs::create_dir_all(&below).unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs"])
        .arg(&below)
        .status();
    assert!(mounted.unwrap().success());
    for (name, mode) in [("d", "Disabled"), ("i", "IfPossible"), ("e", "Enabled")] {
        let text = format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, \"{FOREVER}\"]
    volumeMounts: [{{name: h, mountPath: /h, readOnly: true, recursiveReadOnly: {mode}}}]
  volumes: [{{name: h, hostPath: {{path: {}}}}}]
",
            host.display()
        );
        agent.put(&format!("{name}.yaml"), &text);
    }
    let write = |id: &str| engine::exec(id, &["sh", "-c", "echo x >/h/below/x; echo x >/h/x"]);
    let refusals = |pod: &str| {
        write(&agent.wait_running(pod, "c"))
            .matches("Read-only")
            .count()
    };
    assert_eq!(refusals("d"), 1);
    let info = engine::call("GET", "/info", None).1.to_string();
    if info.contains("\\\"rro\\\"") {
        assert_eq!((refusals("i"), refusals("e")), (2, 2));
    } else {
        assert_eq!(refusals("i"), 1);
        agent.wait_status("but it is not supported by the runtime");
        assert!(agent.running("e", "c").is_empty());
    }
}

/// Where the machine has set pages of 2 MiB aside; else the pod says what is missing, and runs as soon as it is there.
#[test]
#[ignore = "needs dockerd"]
fn a_volume_of_huge_pages_or_what_is_missing() {
    let agent = Agent::started("huge");
    let pod = |memory: &str| {
        format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, \"{FOREVER}\"]
    resources: {{limits: {{memory: 64Mi, hugepages-2Mi: {memory}}}}}
    volumeMounts: [{{name: h, mountPath: /h}}]
  volumes: [{{name: h, emptyDir: {{medium: HugePages}}}}]
"
        )
    };
    agent.put("a.yaml", &pod("1Ei"));
    agent.wait_status("hugepages-2Mi: ");
    assert!(agent.running("a", "c").is_empty());
    let sizes = "/sys/kernel/mm/hugepages/hugepages-2048kB";
    let count = fs::read_to_string(format!("{sizes}/nr_hugepages")).unwrap_or_default();
    if count.trim().parse().unwrap_or(0) == 0 {
        println!("no huge pages are set aside here: that a volume is made of them is not tested");
        return;
    }
    agent.put("a.yaml", &pod("2Mi"));
    let id = agent.wait_running("a", "c");
    let mounts = engine::exec(&id, &["grep", " /h ", "/proc/mounts"]);
    assert!(
        mounts.contains("hugetlbfs") && mounts.contains("pagesize=2M"),
        "{mounts}"
    );
    agent.remove("a.yaml");
    eventually(&agent, "pod and volume are gone", SOON, || {
        let pods = fs::read_dir(agent.base.join("root/pods"));
        agent.all("a").is_empty() && pods.is_ok_and(|mut pods| pods.next().is_none())
    });
}
