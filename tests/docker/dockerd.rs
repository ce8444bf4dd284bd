//! A dockerd that is really restarted: one of the test's own, with its own data, socket and containerd.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::health::{free_port, get};
use crate::support::agent::{Agent, eventually};
use crate::support::image;

const LONG: Duration = Duration::from_secs(90);

/// A dockerd, and where it keeps everything. Its network and its mounts are its own.
struct Dockerd {
    base: PathBuf,
    child: Option<Child>,
}

impl Dockerd {
    fn new(base: &Path) -> Dockerd {
        fs::create_dir_all(base).unwrap();
        fs::write(base.join("config.json"), "{}").unwrap();
        Dockerd {
            base: base.into(),
            child: None,
        }
    }

    fn start(&mut self) {
        let at = |name: &str| self.base.join(name).display().to_string();
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.base.join("log"))
            .unwrap();
        // Even without a bridge of its own, a starting dockerd takes docker0 away: it gets a network namespace.
        let child = Command::new("unshare")
            .args(["--net", "--mount", "dockerd"])
            .args(["--config-file", &at("config.json")])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec")])
            .args(["--pidfile", &at("pid"), "--bridge=none", "--iptables=false"])
            .arg(format!("--host=unix://{}", at("docker.sock")))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("the unshare command");
        self.child = Some(child);
        let begin = Instant::now();
        while !self.docker(&["version"]).status.success() {
            let said = fs::read_to_string(self.base.join("log")).unwrap_or_default();
            assert!(begin.elapsed() < LONG, "dockerd does not come up\n{said}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let _ = Command::new("kill")
                .args([format!("-{signal}"), child.id().to_string()])
                .status();
        }
    }

    fn end(&mut self, signal: &str) {
        self.signal(signal);
        let Some(mut child) = self.child.take() else {
            return;
        };
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > LONG {
                let _ = child.kill();
            }
            thread::sleep(Duration::from_millis(50));
        }
        // A containerd that died with a killed dockerd stays a zombie where PID 1 reaps nobody, and the next dockerd
        // takes it for alive.
        let _ = fs::remove_file(self.base.join("exec/containerd/containerd.pid"));
    }

    fn docker(&self, args: &[&str]) -> std::process::Output {
        Command::new("docker")
            .arg(format!("--host=unix://{}/docker.sock", self.base.display()))
            .args(args)
            .output()
            .expect("the docker command")
    }

    /// The running containers, names and ids, that are no sandbox.
    fn running(&self) -> Vec<String> {
        let out = self.docker(&["ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}"]);
        let lines = String::from_utf8_lossy(&out.stdout).into_owned();
        lines
            .lines()
            .filter(|line| !line.starts_with("k8s_POD_"))
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.signal("CONT");
        let ids = self.docker(&["ps", "-aq"]);
        for id in String::from_utf8_lossy(&ids.stdout).lines() {
            self.docker(&["rm", "-f", id]);
        }
        self.end("TERM");
        let _ = fs::remove_dir_all(&self.base);
    }
}

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: busybox:1
    command: [sh, -c, 'trap \"exit 0\" TERM; while :; do sleep 1 & wait; done']
";

/// An agent on a dockerd of its own, and a pod that runs there.
fn running(test: &str, args: &[String]) -> (Agent, Dockerd) {
    image::busybox();
    let mut agent = Agent::new(test);
    agent.args.extend_from_slice(args);
    let mut dockerd = Dockerd::new(&agent.base.join("dockerd"));
    dockerd.start();
    let tar = agent.base.join("image.tar");
    let saved = Command::new("docker")
        .args(["save", "busybox:1", "-o"])
        .arg(&tar)
        .status();
    assert!(saved.unwrap().success());
    let loaded = dockerd.docker(&["load", "-i", &tar.display().to_string()]);
    assert!(loaded.status.success(), "{loaded:?}");
    agent.args.push(format!(
        "--container-runtime-endpoint=unix://{}/docker.sock",
        dockerd.base.display()
    ));
    agent.put("a.yaml", POD);
    agent.start();
    eventually(&agent, "the pod runs", LONG, || {
        dockerd.running().len() == 1
    });
    (agent, dockerd)
}

/// Ends dockerd by `signal`, starts it again, and gives what ran before and after.
fn survives(signal: &str) -> (String, String) {
    let (mut agent, mut dockerd) = running(&format!("dockerd_{signal}"), &[]);
    let before = dockerd.running().remove(0);

    dockerd.end(signal);
    eventually(&agent, "the loss is told", LONG, || {
        agent.log().contains("dockerd cannot be read")
    });
    assert!(agent.is_alive(), "{}", agent.log());
    dockerd.start();
    eventually(&agent, "the pod runs again", LONG, || {
        dockerd.running().len() == 1 && agent.status().contains("1/1")
    });
    let after = dockerd.running().remove(0);
    let stopped = dockerd.docker(&["ps", "-q", "--filter", "name=k8s_POD_"]);
    let sandboxes = String::from_utf8_lossy(&stopped.stdout).lines().count();
    assert_eq!(sandboxes, 1, "one sandbox runs");
    fs::remove_file(agent.manifest("a.yaml")).unwrap();
    eventually(&agent, "the pod is gone", LONG, || {
        dockerd.docker(&["ps", "-aq"]).stdout.is_empty()
    });
    (before, after)
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_restarted() {
    let (before, after) = survives("TERM");
    assert!(before.starts_with("k8s_c_a-"), "{before}");
    // dockerd stopped its containers: the pod was started anew, and the restart is counted.
    assert_ne!(before, after);
    assert!(
        after
            .split(' ')
            .next()
            .is_some_and(|name| name.ends_with("_1")),
        "{after}"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_killed() {
    survives("KILL");
}

#[test]
#[ignore = "needs dockerd"]
fn a_dockerd_that_is_stuck_turns_healthz_red_and_green_again() {
    let port = free_port();
    // A long interval must not make it blind.
    let args = [
        "--file-check-frequency=10m".to_owned(),
        format!("--healthz-port={port}"),
    ];
    let (agent, dockerd) = running("dockerd_stuck", &args);
    let before = dockerd.running();
    let turns = |what: &str, sign: &str| {
        let begin = Instant::now();
        eventually(&agent, what, Duration::from_secs(30), || {
            get(port, "/healthz").contains(sign)
        });
        println!("{what} after {:?}", begin.elapsed());
    };
    turns("green", " 200 ");
    dockerd.signal("STOP");
    turns("red", " 500 ");
    dockerd.signal("CONT");
    turns("green again", " 200 ");
    assert_eq!(dockerd.running(), before, "nothing was restarted");
}
