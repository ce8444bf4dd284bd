//! What a container sees of its pod.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod};
use crate::support::engine;

#[test]
#[ignore = "needs dockerd"]
fn names_environment_and_files() {
    let agent = Agent::started("inside");
    let text = pod("i", "x", "  hostname: box\n  hostAliases: [{ip: 10.9.8.7, hostnames: [far.example]}]\n  dnsPolicy: None\n  dnsConfig: {nameservers: [192.0.2.53], searches: [a.example]}\n")
        .replace(
            "command: [sh, -c, \"x\"]",
            "command: [sh, -c, \"trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done\", '$(GREETING)', '$$(X)', '$(NONE)']\n    workingDir: /tmp\n    env: [{name: WHO, value: you}, {name: GREETING, value: 'hello $(WHO)'}, {name: IP, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]",
        );
    agent.put("i.yaml", &text);
    let id = agent.wait_running("i", "c");
    assert_eq!(engine::exec(&id, &["hostname"]).trim(), "box");
    let hosts = engine::exec(&id, &["cat", "/etc/hosts"]);
    assert!(
        hosts.contains("far.example") && hosts.contains("box"),
        "{hosts}"
    );
    let resolv = engine::exec(&id, &["cat", "/etc/resolv.conf"]);
    assert!(
        resolv.contains("nameserver 192.0.2.53") && resolv.contains("a.example"),
        "{resolv}"
    );
    let env = engine::exec(&id, &["env"]);
    assert!(env.contains("GREETING=hello you"), "{env}");
    assert!(env.contains(&format!("IP=i-{}", agent.node)), "{env}");
    let args = engine::inspect(&id)["Args"].to_string();
    assert!(
        args.contains("\"hello you\",\"$(X)\",\"$(NONE)\""),
        "{args}"
    );
    assert_eq!(
        engine::exec(&id, &["sh", "-c", "readlink /proc/1/cwd"]).trim(),
        "/tmp"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn volumes_are_shared_and_typed() {
    let agent = Agent::started("volumes");
    let host = agent.base.join("host");
    fs::create_dir(&host).unwrap();
    fs::write(host.join("there"), "from the host").unwrap();
    let text = format!(
        "{}    volumeMounts: &m [{{name: e, mountPath: /e}}, {{name: mem, mountPath: /mem}}, {{name: h, mountPath: /h, readOnly: true}}, {{name: made, mountPath: /made}}]\n  - name: d\n    image: busybox:1\n    imagePullPolicy: Never\n    command: [sh, -c, {}]\n    volumeMounts: *m\n  volumes:\n  - {{name: e, emptyDir: {{}}}}\n  - {{name: mem, emptyDir: {{medium: Memory}}}}\n  - {{name: h, hostPath: {{path: {h}, type: Directory}}}}\n  - {{name: made, hostPath: {{path: {h}/made, type: DirectoryOrCreate}}}}\n",
        pod("v", FOREVER, ""),
        serde_json::Value::String(FOREVER.to_owned()),
        h = host.display(),
    );
    agent.put("v.yaml", &text);
    let (c, d) = (agent.wait_running("v", "c"), agent.wait_running("v", "d"));
    engine::exec(
        &c,
        &[
            "sh",
            "-c",
            "echo one >/e/f; echo two >/mem/f; echo three >/made/f",
        ],
    );
    assert_eq!(engine::exec(&d, &["cat", "/e/f", "/mem/f"]), "one\ntwo\n");
    assert_eq!(engine::exec(&d, &["cat", "/h/there"]), "from the host");
    assert!(engine::exec(&d, &["sh", "-c", "echo x >/h/no"]).contains("ead-only"));
    assert!(
        engine::exec(&d, &["mount"])
            .lines()
            .any(|l| l.contains(" /mem type tmpfs"))
    );
    assert_eq!(fs::read_to_string(host.join("made/f")).unwrap(), "three\n");
    agent.remove("v.yaml");
    agent.wait_gone("v");
    eventually(&agent, "the pod's directory is gone", SOON, || {
        fs::read_dir(agent.base.join("root/pods")).map_or(true, |d| d.count() == 0)
    });
    assert!(host.join("there").exists() && host.join("made/f").exists());
}

#[test]
#[ignore = "needs dockerd"]
fn a_host_path_of_the_wrong_type_is_told_and_waited_for() {
    let agent = Agent::started("hostpath");
    let path = agent.base.join("late");
    let text = format!(
        "{}    volumeMounts: [{{name: h, mountPath: /h}}]\n  volumes: [{{name: h, hostPath: {{path: {}, type: Directory}}}}]\n",
        pod("h", FOREVER, ""),
        path.display()
    );
    agent.put("h.yaml", &text);
    agent.wait_status(&path.display().to_string());
    fs::create_dir(&path).unwrap();
    eventually(
        &agent,
        "it runs when the directory is there",
        SOON * 3,
        || agent.running("h", "c").len() == 1,
    );
}

#[test]
#[ignore = "needs dockerd"]
fn ports_reach_the_container() {
    let agent = Agent::started("ports");
    let text = pod(
        "w",
        "mkdir /w && echo served >/w/index.html && exec httpd -f -p 80 -h /w",
        "",
    ) + "    ports: [{containerPort: 80, hostPort: 28473}, {containerPort: 53, hostPort: 28473, protocol: UDP}]\n";
    agent.put("w.yaml", &text);
    agent.wait_running("w", "c");
    let sandbox = agent.wait_running("w", "POD");
    let bound = engine::inspect(&sandbox)["HostConfig"]["PortBindings"].clone();
    assert_eq!(bound["53/udp"][0]["HostPort"], "28473", "{bound}");
    eventually(&agent, "the port answers", SOON, || {
        let Ok(mut web) = TcpStream::connect("127.0.0.1:28473") else {
            return false;
        };
        let mut said = String::new();
        let _ = web.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = web.read_to_string(&mut said);
        said.contains("served")
    });
}

#[test]
#[ignore = "needs dockerd"]
fn the_last_words_of_a_container() {
    let agent = Agent::started("words");
    agent.put(
        "t.yaml",
        &pod(
            "t",
            "echo -n because >/dev/termination-log; exit 7",
            "  restartPolicy: Never\n",
        ),
    );
    eventually(&agent, "the message is shown", SOON, || {
        let ended = agent.status_json()["items"][0]["status"]["containerStatuses"][0]["state"]["terminated"].clone();
        ended["message"] == "because" && ended["exitCode"] == 7
    });
}

#[test]
#[ignore = "needs dockerd"]
fn the_hosts_network_and_the_size_of_logs() {
    let agent = Agent::started("hostnet");
    agent.put("net.yaml", &pod("net", FOREVER, "  hostNetwork: true\n"));
    let id = agent.wait_running("net", "c");
    let sandbox = agent.wait_running("net", "POD");
    assert_eq!(
        engine::inspect(&sandbox)["HostConfig"]["NetworkMode"],
        "host"
    );
    let here = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(engine::exec(&id, &["hostname"]).trim(), here.trim());
    let logs = engine::inspect(&id)["HostConfig"]["LogConfig"].clone();
    assert!(
        logs["Config"]["max-size"].is_string() && logs["Config"]["max-file"].is_string(),
        "{logs}"
    );
}
