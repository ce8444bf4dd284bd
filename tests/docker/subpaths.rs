//! Parts of volumes, and containers that try to get at what is not theirs with them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, FOREVER, SOON, eventually, mounts};
use crate::support::engine;

fn run(command: &[&str]) {
    let status = Command::new(command[0]).args(&command[1..]).status();
    assert!(status.unwrap().success(), "{command:?}");
}

fn show(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn wait_clean(agent: &Agent, pod: &str) {
    eventually(agent, "pod and directory are gone", SOON, || {
        let pods = fs::read_dir(agent.base.join("root/pods"));
        agent.all(pod).is_empty() && pods.is_ok_and(|mut pods| pods.next().is_none())
    });
    assert!(mounts(&agent.base.join("root")).is_empty());
}

/// The lines of all files in a directory.
fn lines_in(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let text: String = files
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect();
    text.lines().map(str::to_owned).collect()
}

/// The directory of the only pod.
fn pod_dir(agent: &Agent) -> PathBuf {
    let pods = fs::read_dir(agent.base.join("root/pods")).unwrap();
    pods.map(|entry| entry.unwrap().path()).next().unwrap()
}

#[test]
#[ignore = "needs dockerd"]
fn parts_of_volumes_are_what_a_kubelet_mounts() {
    let mut agent = Agent::started("subpath");
    let host = agent.base.join("host");
    fs::create_dir_all(host.join("sub")).unwrap();
    fs::write(host.join("sub/f"), "below\n").unwrap();
    fs::write(host.join("f1"), "single\n").unwrap();
    agent.put(
        "a.yaml",
        &format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
  - name: fill
    image: busybox:1
    command: [sh, -c, 'mkdir -p /d/one/two /m/x; echo file >/d/one/f; echo mem >/m/x/y; ln -s one /d/link']
    volumeMounts: [{{name: d, mountPath: /d}}, {{name: m, mountPath: /m}}]
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, \"{FOREVER}\"]
    env: [{{name: POD, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
    volumeMounts:
    - {{name: d, mountPath: /d}}
    - {{name: d, mountPath: /sub, subPath: link}}
    - {{name: d, mountPath: /new, subPath: made/by/us}}
    - {{name: d, mountPath: /single, subPath: one/f}}
    - {{name: d, mountPath: /expr, subPathExpr: logs/$(POD)}}
    - {{name: d, mountPath: /ro, subPath: one/two, readOnly: true}}
    - {{name: h, mountPath: /hp, subPath: sub}}
    - {{name: h, mountPath: /hpf, subPath: f1}}
    - {{name: m, mountPath: /m, subPath: x}}
    - {{name: i, mountPath: /name, subPath: name}}
  volumes:
  - {{name: d, emptyDir: {{}}}}
  - {{name: m, emptyDir: {{medium: Memory}}}}
  - {{name: h, hostPath: {{path: {host}}}}}
  - {{name: i, downwardAPI: {{items: [{{path: name, fieldRef: {{fieldPath: metadata.name}}}}]}}}}
",
            host = host.display()
        ),
    );
    let id = agent.wait_running("a", "c");
    let name = format!("a-{}", agent.node);
    let check = |id: &str| {
        let inside = |script: &str| engine::exec(id, &["sh", "-c", script]);
        assert_eq!(
            inside("ls /sub; cat /single /hp/f /hpf /m/y; ls /hp; cat /name"),
            { format!("f\ntwo\nfile\nbelow\nsingle\nmem\nf\n{name}") }
        );
        // As the kubelet makes them: with the mode of the volume, whatever the umask.
        let made = inside("cd /d; stat -c '%a %u %n' made made/by made/by/us logs logs/*");
        let paths = [
            "made",
            "made/by",
            "made/by/us",
            "logs",
            &format!("logs/{name}"),
        ];
        let paths = paths.map(|path| format!("777 0 {path}"));
        assert_eq!(made.lines().collect::<Vec<_>>(), paths);
        assert!(inside("touch /ro/x").contains("Read-only"));
        assert_eq!(
            inside("echo 1 >/new/a; echo 2 >/expr/b; cat /d/made/by/us/a /d/logs/*/b"),
            "1\n2\n"
        );
    };
    check(&id);
    let parts = pod_dir(&agent).join("volume-subpaths");
    let info = engine::inspect(&id);
    let source = |target: &str| {
        let mounts = info["HostConfig"]["Mounts"].as_array().unwrap();
        let of = mounts.iter().find(|mount| mount["Target"] == target);
        of.unwrap()["Source"].as_str().unwrap().to_owned()
    };
    assert_eq!(source("/sub"), show(&parts.join("d/c/1")));
    assert_eq!(source("/hpf"), show(&parts.join("h/c/7")));
    assert_eq!(mounts(&parts).len(), 9);
    // What is bound already is used again, by the next container and by the next agent.
    engine::call("POST", &format!("/containers/{id}/kill"), None);
    let id = agent.wait_other("a", "c", &id);
    check(&id);
    assert_eq!(mounts(&parts).len(), 9);
    agent.end("KILL");
    // Nothing is there any more that it knew, and one is another's.
    run(&["umount", show(&parts.join("d/c/1"))]);
    run(&["umount", show(&parts.join("d/c/3"))]);
    run(&["mount", "--bind", show(&host), show(&parts.join("d/c/1"))]);
    engine::remove(&id);
    agent.start();
    let id = agent.wait_other("a", "c", &id);
    check(&id);
    assert_eq!(mounts(&parts).len(), 9);
    agent.end("KILL");
    agent.remove("a.yaml");
    agent.start();
    wait_clean(&agent, "a");
    assert_eq!(fs::read_to_string(host.join("sub/f")).unwrap(), "below\n");
    assert_eq!(fs::read_to_string(host.join("f1")).unwrap(), "single\n");
}

/// CVE-2017-1002101, CVE-2021-25741: one container changes a directory for a link all the time, the others of its pod mount
/// a part of it.
#[test]
#[ignore = "needs dockerd"]
fn no_link_leads_a_mount_out_of_its_volume() {
    const SEEN_MIN: usize = 40;
    const ATTACK: Duration = Duration::from_secs(20);
    let mut agent = Agent::new("swap");
    let config = agent.base.join("config.yaml");
    fs::write(
        &config,
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncrashLoopBackOff: {maxContainerRestartPeriod: 1s}\n",
    )
    .unwrap();
    agent.args = vec![format!("--config={}", config.display())];
    let secret = agent.base.join("secret");
    let seen = agent.base.join("seen");
    for dir in [&secret.join("b"), &seen] {
        fs::create_dir_all(dir).unwrap();
    }
    for file in ["mark", "b/mark"] {
        fs::write(secret.join(file), "OUTSIDE\n").unwrap();
    }
    agent.start();
    // `/etc` by an absolute link, the secret by one and by a relative one: from `pods/<uid>/volumes/<plugin>/v`.
    let attack = format!(
        "mkdir -p /v/a/b; echo INSIDE >/v/a/mark; echo INSIDE >/v/a/b/mark
         ln -s {secret} /v/l1; ln -s ../../../../../../secret /v/l2; ln -s /etc /v/l3
         while :; do for l in l1 l2 l3; do mv /v/a /v/k; mv -T /v/$l /v/a; mv -T /v/a /v/$l; rm -rf /v/a; mv -T /v/k /v/a; done; done",
        secret = secret.display()
    );
    let victim = "for f in /s/mark /s/hostname /s/passwd; do cat $f 2>/dev/null || echo NONE; done >>/seen/$HOSTNAME-$ME; exit 1";
    let mut text = format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{{name: v, emptyDir: {{}}}}, {{name: seen, hostPath: {{path: {seen}}}}}]
  containers:
  - name: attack
    image: busybox:1
    command: [sh, -c, {attack}]
    volumeMounts: [{{name: v, mountPath: /v}}]
",
        seen = seen.display(),
        attack = serde_json::Value::from(attack)
    );
    for (at, path) in ["a", "a/b", "a/c/d", "k/b"].iter().enumerate() {
        text += &format!(
            "  - name: c{at}
    image: busybox:1
    command: [sh, -c, '{victim}']
    env: [{{name: ME, value: c{at}}}]
    volumeMounts: [{{name: v, mountPath: /s, subPath: {path}}}, {{name: seen, mountPath: /seen}}]
"
        );
    }
    agent.put("a.yaml", &text);
    let begin = Instant::now();
    let (mut lines, mut tries) = (Vec::new(), 0);
    while lines.len() < SEEN_MIN || tries == 0 || begin.elapsed() < ATTACK {
        std::thread::sleep(Duration::from_millis(500));
        lines = lines_in(&seen);
        let strange: BTreeSet<&str> = lines
            .iter()
            .map(String::as_str)
            .filter(|line| !["INSIDE", "NONE"].contains(line))
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
        tries = agent.log().matches("leads out").count();
        assert!(
            begin.elapsed() < Duration::from_secs(240),
            "{} lines, {tries} tries\n{}",
            lines.len(),
            agent.log()
        );
    }
    agent.remove("a.yaml");
    wait_clean(&agent, "a");
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 2);
    assert_eq!(
        fs::read_to_string(secret.join("b/mark")).unwrap(),
        "OUTSIDE\n"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn nothing_a_container_leaves_leads_the_cleanup_out() {
    let agent = Agent::started("leavings");
    let outside = agent.base.join("outside");
    fs::create_dir_all(outside.join("deep/er")).unwrap();
    fs::write(outside.join("deep/er/file"), "kept").unwrap();
    let leave = "cd $D; ln -s $OUT dir; ln -s $OUT/deep/er/file file; ln -s / root; ln -s . self; mkfifo fifo; mkdir -p hidden/.x
        for n in $(seq 300); do mkdir deep; cd deep; ln -s $OUT out; mkfifo f; done";
    let script = format!(
        "export OUT={out}; for D in /d /m; do {leave}; done; echo done >/d/done; {FOREVER}",
        out = outside.display()
    );
    let text = format!(
        "apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{{name: d, emptyDir: {{}}}}, {{name: m, emptyDir: {{medium: Memory}}}}, {{name: h, hostPath: {{path: {out}}}}}]
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, {script}]
    volumeMounts:
    - {{name: d, mountPath: /d}}
    - {{name: m, mountPath: /m}}
    - {{name: h, mountPath: /h, subPath: deep}}
",
        out = outside.display(),
        script = serde_json::Value::from(script)
    );
    agent.put("a.yaml", &text);
    agent.wait_running("a", "c");
    let dir = pod_dir(&agent);
    let volume = dir.join("volumes/kubernetes.io~empty-dir/d");
    eventually(&agent, "all is left", SOON, || volume.join("done").exists());
    // As an agent leaves it that is killed: bound, twice over, by a container that is not in the manifest any more.
    let old = dir.join("volume-subpaths/d/old/7");
    fs::create_dir_all(&old).unwrap();
    for _ in 0..2 {
        run(&["mount", "--bind", show(&outside), show(&old)]);
    }
    // And what nobody here has mounted, of the same file system.
    let foreign = volume.join("foreign");
    fs::create_dir(&foreign).unwrap();
    run(&["mount", "--bind", show(&outside), show(&foreign)]);
    agent.remove("a.yaml");
    eventually(&agent, "the mount is told", SOON, || {
        agent.log().contains("staticlet did not mount this")
    });
    assert_eq!(mounts(&dir).len(), 2, "{:?}", mounts(&dir));
    assert!(volume.join("done").exists());
    run(&["umount", show(&foreign)]);
    wait_clean(&agent, "a");
    assert_eq!(
        fs::read_to_string(outside.join("deep/er/file")).unwrap(),
        "kept"
    );
}

/// A bind mount of a shared mount shows what is mounted in its source later, and unmounting that in the one place unmounts
/// it in the other.
#[test]
#[ignore = "needs dockerd"]
fn what_the_machine_mounts_in_a_part_outlives_the_pod() {
    let agent = Agent::started("shared");
    let shared = agent.base.join("shared");
    fs::create_dir(&shared).unwrap();
    run(&["mount", "-t", "tmpfs", "tmpfs", show(&shared)]);
    run(&["mount", "--make-shared", show(&shared)]);
    let late = shared.join("volume/part/late");
    fs::create_dir_all(&late).unwrap();
    symlink("part", shared.join("volume/name")).unwrap();
    agent.put(
        "a.yaml",
        &format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: a}}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{{name: h, hostPath: {{path: {shared}/volume}}}}]
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, \"{FOREVER}\"]
    volumeMounts: [{{name: h, mountPath: /h, subPath: name, mountPropagation: HostToContainer}}]
",
            shared = shared.display()
        ),
    );
    let id = agent.wait_running("a", "c");
    run(&["mount", "-t", "tmpfs", "tmpfs", show(&late)]);
    fs::write(late.join("file"), "kept").unwrap();
    assert_eq!(engine::exec(&id, &["cat", "/h/late/file"]), "kept");
    agent.remove("a.yaml");
    wait_clean(&agent, "a");
    assert_eq!(fs::read_to_string(late.join("file")).unwrap(), "kept");
    run(&["umount", show(&late)]);
    run(&["umount", show(&shared)]);
}
