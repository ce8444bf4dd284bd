//! One agent of the built binary, with directories and a node name of its own; all it made goes when it is dropped.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::engine;

pub const BIN: &str = env!("CARGO_BIN_EXE_staticlet");
/// Seconds on an idle machine; the deadline is for one where dockerd has much else to do.
pub const SOON: Duration = Duration::from_secs(60);

/// An agent and its directories.
pub struct Agent {
    pub base: PathBuf,
    pub node: String,
    pub args: Vec<String>,
    /// What is started: the built binary, or a copy of it.
    pub program: PathBuf,
    child: Option<Child>,
}

/// Waits until `ready` says yes; panics with `what` and what the agent said otherwise.
pub fn eventually(agent: &Agent, what: &str, within: Duration, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() {
        assert!(
            begin.elapsed() < within,
            "not within {within:?}: {what}\n--- status\n{}\n--- log\n{}",
            agent.status(),
            agent.log_tail()
        );
        thread::sleep(Duration::from_millis(50));
    }
}

impl Agent {
    /// Directories and a name for `test`, and no process yet.
    pub fn new(test: &str) -> Agent {
        require_docker();
        let name = test.replace('_', "-");
        let base =
            std::env::temp_dir().join(format!("staticlet-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        for dir in ["manifests", "root", "run"] {
            fs::create_dir_all(base.join(dir)).unwrap();
        }
        Agent {
            node: format!("t{}-{name}", std::process::id()),
            base,
            args: Vec::new(),
            program: BIN.into(),
            child: None,
        }
    }

    /// The same, started.
    pub fn started(test: &str) -> Agent {
        let mut agent = Agent::new(test);
        agent.start();
        agent
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(format!(
                "--pod-manifest-path={}/manifests",
                self.base.display()
            ))
            .arg(format!("--hostname-override={}", self.node))
            .arg(format!("--root-dir={}/root", self.base.display()))
            .arg(format!("--run-dir={}/run", self.base.display()))
            // The port is one for all agents of a machine.
            .arg("--healthz-port=0")
            .arg("-v=4")
            .args(&self.args)
            .stdin(Stdio::null());
        command
    }

    pub fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.base.join("log"))
            .unwrap();
        let child = self
            .command()
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Runs a second agent on the same directories to its end.
    pub fn second(&self) -> (Option<i32>, String) {
        let out = self.command().output().unwrap();
        (
            out.status.code(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a started agent").id()
    }

    pub fn is_alive(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|c| c.try_wait().unwrap().is_none())
    }

    /// Sends `signal` and waits for the end.
    pub fn end(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill")
                .args([format!("-{signal}"), child.id().to_string()])
                .status();
            let begin = Instant::now();
            while child.try_wait().unwrap().is_none() {
                if begin.elapsed() > Duration::from_secs(10) {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the agent did not end by SIG{signal} within 10 s");
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    pub fn manifest(&self, file: &str) -> PathBuf {
        self.base.join("manifests").join(file)
    }

    /// Puts a manifest in place by rename.
    pub fn put(&self, file: &str, text: &str) {
        let temp = self.base.join("new");
        fs::write(&temp, text).unwrap();
        fs::rename(temp, self.manifest(file)).unwrap();
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.manifest(file)).unwrap();
    }

    fn label(&self) -> String {
        format!("staticlet.root-dir={}/root", self.base.display())
    }

    /// All containers of a pod (named as in its manifest), sandbox included.
    pub fn all(&self, pod: &str) -> Vec<Value> {
        engine::list(&[
            self.label(),
            format!("io.kubernetes.pod.name={pod}-{}", self.node),
        ])
    }

    /// The ids of a pod's running containers of one name (`POD` for the sandbox).
    pub fn running(&self, pod: &str, container: &str) -> Vec<String> {
        self.all(pod)
            .iter()
            .filter(|c| {
                c["State"] == "running" && c["Labels"]["io.kubernetes.container.name"] == container
            })
            .filter_map(|c| c["Id"].as_str().map(str::to_owned))
            .collect()
    }

    /// Waits for the container and gives its id.
    pub fn wait_running(&self, pod: &str, container: &str) -> String {
        let mut id = None;
        eventually(self, &format!("{pod}/{container} runs"), SOON, || {
            id = self.running(pod, container).pop();
            id.is_some()
        });
        id.unwrap()
    }

    /// Waits until another instance than `old` runs.
    pub fn wait_other(&self, pod: &str, container: &str, old: &str) -> String {
        let mut id = None;
        eventually(self, &format!("{pod}/{container} runs anew"), SOON, || {
            id = self
                .running(pod, container)
                .into_iter()
                .find(|id| id != old);
            id.is_some()
        });
        id.unwrap()
    }

    pub fn wait_gone(&self, pod: &str) {
        eventually(self, &format!("{pod} is gone"), SOON, || {
            self.all(pod).is_empty()
        });
    }

    /// What `staticlet status` prints.
    pub fn status(&self) -> String {
        let out = Command::new(BIN)
            .arg("status")
            .arg(format!("--run-dir={}/run", self.base.display()))
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
    }

    /// Types a command about this agent: what it printed, what it complained of, and its exit code.
    pub fn typed(&self, line: &[&str]) -> (String, String, i32) {
        let out = self.typing(line).output().unwrap();
        (
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
            out.status.code().unwrap(),
        )
    }

    /// The same, not started yet.
    pub fn typing(&self, line: &[&str]) -> Command {
        let mut command = Command::new(BIN);
        command
            .args(line)
            .arg(format!("--run-dir={}/run", self.base.display()))
            .stdin(Stdio::null());
        command
    }

    pub fn status_json(&self) -> Value {
        let out = Command::new(BIN)
            .args(["status", "-o", "json"])
            .arg(format!("--run-dir={}/run", self.base.display()))
            .output()
            .unwrap();
        serde_json::from_slice(&out.stdout).unwrap_or(Value::Null)
    }

    pub fn wait_status(&self, words: &str) {
        eventually(self, &format!("status says {words:?}"), SOON, || {
            self.status().contains(words)
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.base.join("log")).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Processor time of the agent itself so far, in ticks of 10 ms.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let after = stat.rsplit(") ").next().unwrap();
        let fields: Vec<&str> = after.split(' ').collect();
        (11..15).map(|n| fields[n].parse::<u64>().unwrap()).sum()
    }
}

/// What is mounted at and below a path, in the kernel's order.
pub fn mounts(path: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    let places = places.map(PathBuf::from);
    places.filter(|at| at.starts_with(path)).collect()
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Its jobs die with it; what one of them was just creating needs a second look.
        for _ in 0..3 {
            for container in engine::list(&[self.label()]) {
                engine::remove(container["Id"].as_str().unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(100));
        }
        for at in mounts(&self.base).iter().rev() {
            let _ = Command::new("umount")
                .args(["-q", "-l"])
                .arg(at)
                .stderr(Stdio::null())
                .status();
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}

/// A run that asks for Docker and has none fails; it never skips.
pub fn require_docker() {
    let (status, _) = engine::call("GET", "/_ping", None);
    assert_eq!(status, 200, "dockerd does not answer");
    super::image::busybox();
}

/// The text of a pod with one busybox container `c` that runs a shell script, and more lines of its spec.
pub fn pod(name: &str, script: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  terminationGracePeriodSeconds: 2\n{spec}  containers:\n  - name: c\n    image: busybox:1\n    imagePullPolicy: Never\n    command: [sh, -c, {}]\n",
        Value::String(script.to_owned())
    )
}

/// A pod that sleeps and leaves at once on SIGTERM.
pub fn sleeper(name: &str) -> String {
    pod(name, FOREVER, "")
}

/// Runs for ever, and leaves at once on SIGTERM.
pub const FOREVER: &str = "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done";
