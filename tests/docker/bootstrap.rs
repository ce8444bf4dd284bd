//! The bootstrap of a control plane: the four manifests as kubeadm writes them, images that stand in for the real ones, and an
//! API server that nobody but its own static pod brings up.
//!
//! The stand-ins are BusyBox under the names that the manifests call. They want of each other what the real ones want: the API
//! server waits for etcd, the others wait for the API server. What it answers comes from the fake one of the tests, which can be
//! reached under the address of the kubeconfig as long as its container runs.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::agent::{Agent, SOON, eventually};
use crate::support::apiserver::{ApiServer, Fault};
use crate::support::tls::{Wants, server};

const COMPONENTS: [&str; 4] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

/// The ports of the real ones in the fixtures, and free ones in their place.
struct Ports(Vec<(&'static str, u16)>);

impl Ports {
    fn free() -> Ports {
        let sockets = ["2381", "6443", "10257", "10259"]
            .map(|real| (real, TcpListener::bind("127.0.0.1:0").unwrap()));
        let ports = sockets
            .iter()
            .map(|(real, socket)| (*real, socket.local_addr().unwrap().port()));
        Ports(ports.collect())
    }

    fn of(&self, real: &str) -> u16 {
        self.0.iter().find(|(one, _)| *one == real).unwrap().1
    }
}

/// One image under four names; gone with the test.
struct StandIns(Vec<String>);

impl StandIns {
    fn make(dir: &Path, registry: &str, ports: &Ports, answers: u16) -> StandIns {
        let says_ok = server(Wants::Nothing);
        let (etcd, api) = (ports.of("2381"), ports.of("6443"));
        let scripts = [
            format!(
                "date >>/var/lib/etcd/member; mkdir /w; echo ok >/w/livez; echo ok >/w/readyz
                 exec httpd -f -p 127.0.0.1:{etcd} -h /w"
            ),
            format!(
                "grep -q PRIVATE /etc/kubernetes/pki/apiserver.key || exit 1
                 until wget -qO- http://127.0.0.1:{etcd}/readyz; do sleep 1; done
                 exec nc -ll -p {api} -e nc 127.0.0.1 {answers}"
            ),
            waiting("controller-manager.conf", api, ports.of("10257"), says_ok),
            waiting("scheduler.conf", api, ports.of("10259"), says_ok),
        ];
        fs::create_dir(dir).unwrap();
        for (name, script) in COMPONENTS.iter().zip(scripts) {
            fs::write(dir.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        }
        let names: Vec<_> = COMPONENTS
            .iter()
            .map(|name| format!("{registry}/{name}:1"))
            .collect();
        let script = "mkdir bin; chmod 755 *; mv etcd kube-* bin; cp $(command -v busybox) bin/
             for a in sh date mkdir httpd grep wget sleep nc; do ln -s busybox bin/$a; done
             mkdir -p var/lib/etcd; tar -c . | docker import -c 'ENV PATH=/bin' - \"$1\"
             for name; do docker tag \"$1\" \"$name\"; done";
        let made = Command::new("sh")
            .args(["-ec", script, "sh"])
            .args(&names)
            .current_dir(dir)
            .status();
        assert!(made.unwrap().success());
        StandIns(names)
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rmi", "-f"])
            .args(&self.0)
            .output();
    }
}

fn waiting(conf: &str, api: u16, own: u16, says_ok: u16) -> String {
    format!(
        "grep -q kind /etc/kubernetes/{conf} || exit 1
         until nc -w 1 127.0.0.1 {api} </dev/null; do sleep 1; done
         exec nc -ll -p {own} -e nc 127.0.0.1 {says_ok}"
    )
}

/// A manifest of the fixtures, with the ports, directories and images of this test, and a shorter wait for its probes.
fn manifest(component: &str, base: &Path, ports: &Ports, registry: &str) -> String {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kubeadm");
    let text = fs::read_to_string(format!("{dir}/{component}.yaml")).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let is_host_path = lines.last().is_some_and(|last| last.ends_with("hostPath:"));
        lines.push(match line.split_once(": ") {
            Some((key, path)) if is_host_path => format!("{key}: {}/node{path}", base.display()),
            Some((key, _)) if key.trim() == "image" => format!("{key}: {registry}/{component}:1"),
            Some((key, _)) if key.trim() == "initialDelaySeconds" => format!("{key}: 1"),
            Some((key, _)) if key.trim() == "periodSeconds" => format!("{key}: 2"),
            _ => line.replace("172.17.0.1", "127.0.0.1"),
        });
    }
    let mut text = lines.join("\n") + "\n";
    for (real, _) in &ports.0 {
        text = text.replace(real, &format!("@{real}@"));
    }
    for (real, free) in &ports.0 {
        text = text.replace(&format!("@{real}@"), &free.to_string());
    }
    text
}

#[test]
#[ignore = "needs dockerd"]
fn a_control_plane_is_bootstrapped_and_shows_itself() {
    let api = ApiServer::start_tls(Wants::Nothing);
    for path in ["GET /livez", "GET /readyz"] {
        api.fault(path, Fault::Says("200 OK".into(), "ok".into()));
    }
    let ports = Ports::free();
    let mut agent = Agent::new("bootstrap");
    let registry = format!("standin.test/t{}", std::process::id());
    let _images = StandIns::make(&agent.base.join("image"), &registry, &ports, api.at.port());

    // What `kubeadm init phase certs`, `kubeconfig`, `etcd` and `control-plane` leave, as far as anybody here reads it.
    let node = agent.base.join("node/etc/kubernetes");
    fs::create_dir_all(node.join("pki")).unwrap();
    fs::write(node.join("pki/apiserver.key"), "PRIVATE").unwrap();
    let kubeconfig = api.kubeconfig_of(&json!({"token": "node"})).replace(
        &format!(":{}", api.at.port()),
        &format!(":{}", ports.of("6443")),
    );
    for conf in ["kubelet.conf", "controller-manager.conf", "scheduler.conf"] {
        fs::write(node.join(conf), &kubeconfig).unwrap();
    }
    for component in COMPONENTS {
        let text = manifest(component, &agent.base, &ports, &registry);
        agent.put(&format!("{component}.yaml"), &text);
    }
    agent.args.push(format!(
        "--kubeconfig={}",
        node.join("kubelet.conf").display()
    ));
    agent.start();

    let name = |component: &str| format!("{component}-{}", agent.node);
    let mirror = |component: &str| -> Value {
        let space = "/api/v1/namespaces/kube-system/pods";
        api.object(&format!("{space}/{}", name(component)))
    };
    let is_ready = |mirror: &Value| {
        let conditions = mirror["status"]["conditions"].as_array();
        let is_true = |c: &Value| c["type"] == "Ready" && c["status"] == "True";
        conditions.is_some_and(|all| all.iter().any(is_true))
    };
    for component in COMPONENTS {
        let what = format!("{component} is ready and has a mirror");
        eventually(&agent, &what, SOON * 3, || is_ready(&mirror(component)));
        let mirror = mirror(component);
        assert_eq!(mirror["metadata"]["labels"]["tier"], "control-plane");
        assert_eq!(mirror["spec"]["nodeName"], agent.node.as_str());
    }
    let status = agent.status();
    for component in COMPONENTS {
        let line = status
            .lines()
            .find(|line| line.contains(&name(component)))
            .unwrap();
        assert!(line.contains("1/1") && line.contains("Running"), "{status}");
    }
    let ids = COMPONENTS.map(|component| agent.wait_running(component, component));

    // An upgrade, as `kubeadm upgrade` does it: the manifest of the API server is another one.
    let old = mirror("kube-apiserver");
    let text = manifest("kube-apiserver", &agent.base, &ports, &registry);
    let text = text.replace("--allow-privileged=true", "--allow-privileged=false");
    agent.put("kube-apiserver.yaml", &text);
    eventually(
        &agent,
        "the new API server shows its new mirror",
        SOON * 3,
        || {
            let new = mirror("kube-apiserver");
            let hash =
                |pod: &Value| pod["metadata"]["annotations"]["kubernetes.io/config.hash"].clone();
            new["metadata"].is_object() && hash(&new) != hash(&old) && is_ready(&new)
        },
    );
    for (component, id) in COMPONENTS.iter().zip(&ids) {
        let is_same = agent.running(component, component) == [id.clone()];
        assert_eq!(is_same, *component != "kube-apiserver", "{component}");
    }
}
