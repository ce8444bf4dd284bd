//! A dockerd of a test's own, with its own data, socket, containerd, network and mounts, that may be ended and started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::image;

/// How long one of its starts and ends may take.
const LONG: Duration = Duration::from_secs(90);

/// A dockerd, and where it keeps everything. Its network and its mounts are its own.
pub struct Dockerd {
    pub base: PathBuf,
    child: Option<Child>,
}

impl Dockerd {
    /// Its directories, and no process yet.
    pub fn new(base: &Path) -> Dockerd {
        fs::create_dir_all(base).unwrap();
        fs::write(base.join("config.json"), "{}").unwrap();
        Dockerd {
            base: base.into(),
            child: None,
        }
    }

    /// Starts it and waits until it answers.
    pub fn start(&mut self) {
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

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        if let Some(child) = &self.child {
            let _ = Command::new("kill")
                .args([format!("-{signal}"), child.id().to_string()])
                .status();
        }
    }

    /// Ends it by a signal.
    pub fn end(&mut self, signal: &str) {
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

    /// The docker command, told to talk to it.
    pub fn docker(&self, args: &[&str]) -> Output {
        Command::new("docker")
            .arg(format!("--host=unix://{}/docker.sock", self.base.display()))
            .args(args)
            .output()
            .expect("the docker command")
    }

    /// Takes `busybox:1` over from the machine's dockerd.
    pub fn load_busybox(&self) {
        image::busybox();
        let tar = self.base.join("image.tar").display().to_string();
        let saved = Command::new("docker")
            .args(["save", "busybox:1", "-o", &tar])
            .status();
        assert!(saved.unwrap().success());
        let loaded = self.docker(&["load", "-i", &tar]);
        assert!(loaded.status.success(), "{loaded:?}");
    }

    /// The flag that shows it to an agent.
    pub fn flag(&self) -> String {
        let socket = self.base.join("docker.sock");
        format!("--container-runtime-endpoint=unix://{}", socket.display())
    }

    /// The running containers, names and ids, that are no sandbox.
    pub fn running(&self) -> Vec<String> {
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
