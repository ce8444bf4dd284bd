//! Pulls from a real registry (Debian's docker-registry) and from one that stalls.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, eventually, sleeper};
use crate::support::engine;

/// A registry on 127.0.0.1, killed when dropped.
struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The bcrypt line of `user:secret` that the registry wants.
const HTPASSWD: &str = "user:$2y$05$6qOAwp6Ei7wv/M1Eri8/KeD2vMDhsrTZF8kl0MFqpS8OGC1Ew/LVa\n";

fn registry(base: &Path, port: u16, with_password: bool) -> Registry {
    let mut config = format!(
        "version: 0.1\nstorage:\n  filesystem: {{rootdirectory: {}/registry}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
        base.display()
    );
    if with_password {
        fs::write(base.join("htpasswd"), HTPASSWD).unwrap();
        config += &format!(
            "auth:\n  htpasswd: {{realm: test, path: {}/htpasswd}}\n",
            base.display()
        );
    }
    fs::write(base.join("registry.yml"), config).unwrap();
    let child = Command::new("docker-registry")
        .arg("serve")
        .arg(base.join("registry.yml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("docker-registry is installed");
    let registry = Registry(child);
    let begin = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "the registry does not listen"
        );
        thread::sleep(Duration::from_millis(50));
    }
    registry
}

fn push(image: &str) {
    let (repo, tag) = image.rsplit_once(':').unwrap();
    let tagged = engine::call(
        "POST",
        &format!("/images/busybox:1/tag?repo={repo}&tag={tag}"),
        None,
    );
    assert_eq!(tagged.0, 201, "{tagged:?}");
    let out = Command::new("docker")
        .args(["push", "-q", image])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    forget(image);
}

fn forget(image: &str) {
    engine::call("DELETE", &format!("/images/{image}?noprune=1"), None);
}

#[test]
#[ignore = "needs dockerd"]
fn pull_policies_on_a_real_registry() {
    let agent = Agent::started("registry");
    let image = "127.0.0.1:28480/team/web:1";
    let served = registry(&agent.base, 28480, false);
    push(image);
    for (name, policy) in [("always", "Always"), ("absent", "IfNotPresent")] {
        let text = sleeper(name)
            .replace("busybox:1", image)
            .replace("Never", policy);
        agent.put(&format!("{name}.yaml"), &text);
        agent.wait_running(name, "c");
    }
    drop(served);
    let text = sleeper("nosuch").replace("busybox:1", "127.0.0.1:28480/team/none:1");
    agent.put("nosuch.yaml", &text.replace("Never", "IfNotPresent"));
    agent.wait_status("connection refused");
    drop(agent);
    forget(image);
}

#[test]
#[ignore = "needs dockerd"]
fn credentials_come_from_the_root_directory() {
    let agent = Agent::started("login");
    let image = "127.0.0.1:28481/private/web:1";
    let open = registry(&agent.base, 28481, false);
    push(image);
    drop(open);
    let _locked = registry(&agent.base, 28481, true);
    let text = sleeper("p")
        .replace("busybox:1", image)
        .replace("Never", "IfNotPresent");
    agent.put("p.yaml", &text);
    agent.wait_status("no basic auth credentials");
    let config =
        |auth: &str| format!("{{\"auths\": {{\"127.0.0.1:28481\": {{\"auth\": \"{auth}\"}}}}}}");
    fs::write(
        agent.base.join("root/config.json"),
        config("dXNlcjpzZWNyZXQ="),
    )
    .unwrap();
    eventually(
        &agent,
        "the pull is allowed",
        Duration::from_secs(60),
        || agent.running("p", "c").len() == 1,
    );
    assert!(!agent.log().contains("secret") && !agent.log().contains("dXNlcjpzZWNyZXQ="));
    drop(agent);
    forget(image);
}

/// Answers everything up to the first blob, which never comes.
fn stalling_registry(listener: TcpListener) {
    let digest = format!("sha256:{}", "a".repeat(64));
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"config\":{{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"size\":100,\"digest\":\"{digest}\"}},\"layers\":[{{\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\",\"size\":1000000,\"digest\":\"sha256:{}\"}}]}}",
        "b".repeat(64)
    );
    for mut client in listener.incoming().flatten() {
        let manifest = manifest.clone();
        thread::spawn(move || {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            loop {
                let Some(Ok(first)) = lines.next() else {
                    return;
                };
                while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
                let (kind, body) = if first.contains("/manifests/") {
                    (
                        "application/vnd.docker.distribution.manifest.v2+json",
                        manifest.as_str(),
                    )
                } else if first.contains("/blobs/") {
                    let _ = client
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n12345");
                    thread::sleep(Duration::from_secs(120));
                    return;
                } else {
                    ("application/json", "{}")
                };
                let shown = if first.starts_with("HEAD") { "" } else { body };
                let _ = write!(
                    client,
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Distribution-Api-Version: registry/2.0\r\n\r\n{shown}",
                    body.len()
                );
            }
        });
    }
}

#[test]
#[ignore = "needs dockerd"]
fn a_registry_that_stalls_holds_up_no_restart() {
    let mut agent = Agent::started("stall");
    let listener = TcpListener::bind("127.0.0.1:28482").unwrap();
    thread::spawn(move || stalling_registry(listener));
    agent.put("well.yaml", &sleeper("well"));
    let first = agent.wait_running("well", "c");
    let stuck = sleeper("stuck")
        .replace("busybox:1", "127.0.0.1:28482/stall/web:1")
        .replace("Never", "IfNotPresent");
    agent.put("stuck.yaml", &stuck);
    eventually(
        &agent,
        "the pull is under way",
        Duration::from_secs(20),
        || agent.log().contains("pull started"),
    );
    thread::sleep(Duration::from_secs(2));
    let begin = Instant::now();
    engine::call("POST", &format!("/containers/{first}/kill"), None);
    agent.wait_other("well", "c", &first);
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    // The same after a kill in the middle of the pull.
    agent.end("KILL");
    agent.start();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(agent.running("well", "c").len(), 1);
    agent.remove("stuck.yaml");
    agent.wait_gone("stuck");
}
