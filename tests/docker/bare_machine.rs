//! A machine whose `/etc` holds nothing, as an initramfs: no resolver file, no users, no hosts, no CA certificates.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::agent::{Agent, BIN, FOREVER, SOON, eventually, pod};
use crate::support::engine;
use crate::support::proxy::Proxy;

/// An agent that has an empty `/etc` for itself; dockerd has the machine's.
fn agent(test: &str) -> Agent {
    let mut agent = Agent::new(test);
    agent.program = agent.base.join("bare");
    let script = format!(
        "#!/bin/sh\nexec unshare --mount --propagation private sh -ec \
         'mount -t tmpfs tmpfs /etc; exec {BIN} \"$@\"' sh \"$@\"\n"
    );
    fs::write(&agent.program, script).unwrap();
    fs::set_permissions(&agent.program, fs::Permissions::from_mode(0o755)).unwrap();
    agent
}

/// Does something to the `/etc` that this agent sees.
fn there(agent: &Agent, script: &str) {
    let pid = agent.pid().to_string();
    let done = Command::new("nsenter")
        .args(["-t", &pid, "-m", "sh", "-ec", script])
        .status();
    assert!(done.unwrap().success(), "{script}");
}

fn resolver(id: &str) -> String {
    engine::exec(id, &["cat", "/etc/resolv.conf"])
}

#[test]
#[ignore = "needs dockerd"]
fn pods_run_without_a_resolver_file() {
    let mut agent = agent("bare_machine");
    let servers = ["--cluster-dns=192.0.2.10", "--cluster-domain=c.example"];
    agent.args.extend(servers.map(str::to_owned));
    agent.start();
    for (name, spec) in [
        ("own", "  dnsPolicy: Default\n"),
        ("host", "  hostNetwork: true\n"),
        ("cluster", ""),
        (
            "given",
            "  dnsPolicy: Default\n  dnsConfig: {nameservers: [192.0.2.53]}\n",
        ),
    ] {
        agent.put(&format!("{name}.yaml"), &pod(name, FOREVER, spec));
    }
    // Docker's own choice, which a container of nobody has as well.
    let out = Command::new("docker")
        .args([
            "run",
            "--rm",
            "--net=bridge",
            "busybox:1",
            "cat",
            "/etc/resolv.conf",
        ])
        .output();
    let docker = String::from_utf8(out.unwrap().stdout).unwrap();
    assert!(docker.contains("nameserver"), "{docker}");
    assert_eq!(resolver(&agent.wait_running("own", "c")), docker);
    assert_eq!(
        resolver(&agent.wait_running("given", "c")),
        "nameserver 192.0.2.53\n"
    );
    assert_eq!(
        resolver(&agent.wait_running("cluster", "c")),
        "nameserver 192.0.2.10\nsearch default.svc.c.example svc.c.example c.example\noptions ndots:5\n"
    );
    agent.wait_running("host", "c");
    let warnings = |pod: &str| {
        let log = agent.log();
        let lines = log.lines().filter(|line| line.contains("WARN"));
        lines
            .filter(|line| {
                line.contains("there is no /etc/resolv.conf") && line.contains(&format!("/{pod}-"))
            })
            .count()
    };
    for (pod, times) in [("own", 1), ("host", 1), ("cluster", 0), ("given", 0)] {
        assert_eq!(warnings(pod), times, "{pod}:\n{}", agent.log());
    }
    there(
        &agent,
        &format!("{BIN} doctor | grep -q 'warn: dns: /etc/resolv.conf: there is none: Docker'"),
    );
    // A link to nowhere is a file that somebody is going to write.
    there(&agent, "ln -s late /etc/resolv.conf");
    let late = pod("late", FOREVER, "  dnsPolicy: Default\n");
    agent.put("late.yaml", &late);
    agent.wait_status("/etc/resolv.conf: No such file or directory");
    there(&agent, "echo nameserver 192.0.2.7 >/etc/late");
    eventually(&agent, "it runs when there is one", SOON * 2, || {
        agent.running("late", "c").len() == 1
    });
    let id = agent.wait_running("late", "c");
    assert_eq!(resolver(&id), "nameserver 192.0.2.7\n");
}

#[test]
#[ignore = "needs dockerd"]
fn the_binary_is_the_only_file_of_a_read_only_root_and_docker_comes_later() {
    let mut agent = Agent::new("only_file");
    let base = agent.base.display().to_string();
    let room = agent.base.join("room");
    for dir in ["proc", "dev", &base[1..]] {
        fs::create_dir_all(room.join(dir)).unwrap();
    }
    for dir in ["root", "run", "manifests"] {
        fs::create_dir(room.join(&base[1..]).join(dir)).unwrap();
    }
    fs::copy(BIN, room.join("staticlet")).unwrap();
    agent.program = agent.base.join("alone");
    // The root directory has its path outside too: dockerd mounts from there.
    let script = format!(
        "#!/bin/sh\nexec unshare --mount --propagation slave sh -ec '\n\
         cd {base}; mount --bind room room; mount -t proc proc room/proc; mount --bind /dev room/dev\n\
         for dir in root run manifests; do mount --bind $dir room{base}/$dir; done\n\
         mount -o remount,ro,bind room; exec chroot room /staticlet \"$@\"' sh \"$@\"\n"
    );
    fs::write(&agent.program, script).unwrap();
    fs::set_permissions(&agent.program, fs::Permissions::from_mode(0o755)).unwrap();
    let tmpfs = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
        .arg(agent.base.join("root"))
        .status();
    assert!(tmpfs.unwrap().success());
    let socket = agent.base.join("run/docker.sock");
    agent.args.push(format!(
        "--container-runtime-endpoint=unix://{}",
        socket.display()
    ));
    let script =
        "echo in >/v/x && cat /v/x && echo hi >/tmp/index.html && exec httpd -f -p 8080 -h /tmp";
    let text = pod("w", script, "  volumes: [{name: v, emptyDir: {}}]\n")
        + "    volumeMounts: [{name: v, mountPath: /v}]\n    \
             livenessProbe: {exec: {command: [cat, /v/x]}, periodSeconds: 1}\n    \
             readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}\n";
    agent.put("w.yaml", &text);
    agent.start();
    agent.wait_status("is dockerd running?");
    let _docker = Proxy::listen(&socket);
    eventually(&agent, "ready", SOON * 2, || agent.status().contains("1/1"));
    assert!(agent.is_alive());
}
