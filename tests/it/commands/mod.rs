//! The commands about pods that are there, on a published state and a dockerd that follow a script.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use staticlet::sys::Lock;

use crate::support::listener::Answer;

mod logs;
mod restart;
mod status;
mod wait;

/// Directories of an agent that is not there, removed at the end.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let dir = std::env::temp_dir().join(format!("staticlet-cmd-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("root")).unwrap();
        fs::create_dir_all(dir.join("run")).unwrap();
        Site(dir)
    }

    fn root(&self) -> String {
        format!("{}/root", self.0.display())
    }

    /// What an agent of node `n` published: its `items`, and of the rest what is not as always.
    fn publish(&self, mut state: Value) {
        let mut extra = json!({
            "version": "0", "pid": 1, "written": "2026-01-01T00:00:00Z", "node": "n", "rootDir": self.root(), "complete": true,
            "refusals": [], "docker": {"version": "1"}, "strangers": [], "pods": {},
        });
        let items = state["items"].take();
        for (name, value) in state.as_object_mut().unwrap() {
            if name != "items" {
                extra[name] = value.take();
            }
        }
        let file =
            json!({"apiVersion": "v1", "kind": "PodList", "items": items, "staticlet": extra});
        let (new, path) = (self.0.join("new"), self.0.join("run/pods.json"));
        fs::write(&new, file.to_string()).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// As long as it is there an agent seems to run.
    fn agent(&self) -> Lock {
        Lock::take(&self.0.join("root/agent.lock")).unwrap()
    }

    /// A command about it.
    fn typing(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_staticlet"));
        command
            .args(line.split_whitespace())
            .arg(format!("--run-dir={}/run", self.0.display()))
            .stdin(Stdio::null());
        command
    }

    /// The same, done: what it printed and complained of, and its exit code.
    fn typed(&self, line: &str) -> (String, i32) {
        let out = self.typing(line).output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        (
            text + &String::from_utf8_lossy(&out.stderr),
            out.status.code().unwrap(),
        )
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What dockerd lists of pod `default/web-n`: container `c`, attempt 1, running.
fn listed(site: &Site) -> String {
    let labels = json!({
        "staticlet.root-dir": site.root(), "io.kubernetes.docker.type": "container",
        "io.kubernetes.pod.name": "web-n", "io.kubernetes.pod.namespace": "default",
        "io.kubernetes.pod.uid": "u1", "io.kubernetes.container.name": "c", "io.kubernetes.sandbox.id": "s1",
    });
    json!([{"Id": "c1", "Names": ["/k8s_c_web-n_default_u1_1"], "State": "running", "Created": 5, "Labels": labels}])
        .to_string()
}

/// A dockerd says its version first.
fn ping() -> Answer {
    Answer::Bytes(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK".to_vec())
}

/// A published pod.
fn pod(name: &str, containers: &[&str]) -> Value {
    let containers: Vec<Value> = containers
        .iter()
        .map(|name| json!({"name": name, "image": "i"}))
        .collect();
    json!({"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": containers}})
}

/// A published pod that its manifest wants, with a container that runs and is ready or not.
fn told(name: &str, phase: &str, ready: bool) -> Value {
    let mut pod = pod(name, &["c"]);
    let state = match phase {
        "Running" => json!({"running": {}}),
        phase => {
            json!({"terminated": {"exitCode": i32::from(phase == "Failed"), "reason": if phase == "Failed" { "Error" } else { "Completed" }}})
        }
    };
    pod["status"] = json!({"phase": phase, "containerStatuses": [{
        "name": "c", "image": "i", "imageID": "i", "ready": ready, "restartCount": 0, "state": state}]});
    pod
}

fn wanted(name: &str) -> (String, Value) {
    (
        format!("default/{name}"),
        json!({"source": {"file": format!("/m/{name}.yaml")}}),
    )
}
