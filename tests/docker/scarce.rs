//! Too little of everything: disk, descriptors, processes, memory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::agent::{Agent, BIN, FOREVER, SOON, eventually, pod, sleeper};
use crate::support::engine;

const LONG: Duration = Duration::from_secs(600);

/// An agent that is started by a shell, after these lines.
fn after(test: &str, lines: &str) -> Agent {
    let mut agent = Agent::new(test);
    let program = agent.base.join("limited");
    fs::write(&program, format!("#!/bin/sh\n{lines}\nexec {BIN} \"$@\"\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    agent.program = program;
    agent
}

/// How many pods: `STATICLET_PODS`, or a dozen.
fn count() -> u32 {
    let given = std::env::var("STATICLET_PODS").ok();
    given.map_or(12, |text| text.parse().unwrap())
}

/// That many pods come to run, one of which has failed, and go again; the agent stays the same.
fn runs_all(agent: &mut Agent) {
    agent.start();
    let pid = agent.pid();
    let names: Vec<String> = (0..count()).map(|at| format!("p{at}")).collect();
    for name in &names {
        let text = pod(name, FOREVER, "  hostNetwork: true\n");
        agent.put(&format!("{name}.yaml"), &text);
    }
    eventually(agent, "all run", LONG, || {
        let status = agent.status();
        status.matches("1/1").count() == names.len()
    });
    for name in &names {
        let running = (
            agent.running(name, "POD").len(),
            agent.running(name, "c").len(),
        );
        assert_eq!(running, (1, 1), "{name}");
    }
    let first = agent.wait_running("p0", "c");
    engine::call("POST", &format!("/containers/{first}/kill"), None);
    agent.wait_other("p0", "c", &first);
    for name in &names {
        agent.remove(&format!("{name}.yaml"));
    }
    eventually(agent, "all are gone", LONG, || {
        names.iter().all(|name| agent.all(name).is_empty())
    });
    assert!(agent.is_alive() && agent.pid() == pid, "{}", agent.log());
    let dirs = fs::read_dir(agent.base.join("root/pods")).unwrap().count();
    assert_eq!(dirs, 0, "directories are left over");
}

#[test]
#[ignore = "needs dockerd"]
fn few_file_descriptors() {
    // A job takes the agent four for a moment, and one as long as it runs.
    let mut agent = after("files", "ulimit -n 20");
    runs_all(&mut agent);
}

/// A cgroup of the test's own, in the hierarchy of this controller or in the only one.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(controller: &str, name: &str, limits: &[(&str, &str, &str)]) -> Cgroup {
        let root = Path::new("/sys/fs/cgroup");
        let own = root.join(controller);
        let is_first = own.is_dir();
        let root = if is_first { own } else { root.to_owned() };
        if !is_first {
            let _ = fs::write(
                root.join("cgroup.subtree_control"),
                format!("+{controller}"),
            );
        }
        let dir = root.join(format!("staticlet-test-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        for (first, unified, value) in limits {
            let file = if is_first { first } else { unified };
            fs::write(dir.join(file), value).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
        Cgroup(dir)
    }

    fn join(&self) -> String {
        format!("echo $$ >{}/cgroup.procs", self.0.display())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..50 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
#[ignore = "needs dockerd"]
fn few_processes() {
    // The agent, the job that follows the events, and two more.
    let cgroup = Cgroup::new("pids", "few", &[("pids.max", "pids.max", "4")]);
    let mut agent = after("processes", &cgroup.join());
    runs_all(&mut agent);
    drop(agent);
}

#[test]
#[ignore = "needs dockerd"]
fn sixteen_megabytes_of_memory() {
    let limits = [("memory.limit_in_bytes", "memory.max", "16777216")];
    let cgroup = Cgroup::new("memory", "small", &limits);
    let mut agent = after("memory", &cgroup.join());
    runs_all(&mut agent);
    println!(
        "{} pods in 16 MB: at most {} bytes, at the limit {} times, {}",
        count(),
        cgroup.read("memory.max_usage_in_bytes") + &cgroup.read("memory.peak"),
        cgroup.read("memory.failcnt"),
        cgroup.read("memory.oom_control").replace('\n', " ") + &cgroup.read("memory.events"),
    );
    drop(agent);
}

fn mount(root: &Path, options: &str) {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(root)
        .status()
        .unwrap();
    assert!(mounted.success(), "mounting a tmpfs needs root");
}

#[test]
#[ignore = "needs dockerd"]
fn a_read_only_root_directory() {
    let mut agent = Agent::new("read-only");
    let root = agent.base.join("root");
    mount(&root, "size=8m");
    agent.start();
    agent.put("a.yaml", &sleeper("a"));
    let id = agent.wait_running("a", "c");
    agent.wait_status("1/1");
    agent.end("KILL");
    // Nobody writes there at this moment, or the kernel would not allow it.
    mount(&root, "remount,ro");
    agent.start();
    eventually(&agent, "it says what is wrong", SOON, || {
        agent.log().contains("ead-only file system")
    });
    assert_eq!(agent.running("a", "c"), [id.as_str()]);
    agent.end("KILL");
    mount(&root, "remount,rw");
    agent.start();
    agent.put("b.yaml", &sleeper("b"));
    agent.wait_running("b", "c");
    assert_eq!(agent.running("a", "c"), [id]);
}
