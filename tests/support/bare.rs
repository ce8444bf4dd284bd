//! An agent that has no dockerd: what it tells others, it tells all the same.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use staticlet::jobs::Request;

/// A job of the built program, with its request given.
pub fn start_job(request: &Request) -> Child {
    let mut job = Command::new(env!("CARGO_BIN_EXE_staticlet"))
        .arg("job")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = serde_json::to_vec(request).unwrap();
    job.stdin.take().unwrap().write_all(&text).unwrap();
    job
}

/// What a job says until its end.
pub fn job(request: &Request) -> Vec<Value> {
    let out = start_job(request).wait_with_output().unwrap();
    let lines = out.stdout.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// Its directories go with it.
pub struct Bare {
    pub base: PathBuf,
    pub node: String,
    child: Option<Child>,
}

impl Bare {
    /// Directories for `test`, and no process yet.
    pub fn new(test: &str) -> Bare {
        let name = format!("staticlet-bare-{}-{test}", std::process::id());
        let base = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&base);
        fs::create_dir_all(base.join("m")).unwrap();
        Bare {
            base: base.canonicalize().unwrap(),
            node: "n1".to_owned(),
            child: None,
        }
    }

    /// Starts it with `kubeconfig` in its directory, and these flags.
    pub fn start(&mut self, flags: &[&str]) {
        let dir = self.base.display();
        let log = fs::File::create(self.base.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_staticlet"))
            .args([
                format!("--pod-manifest-path={dir}/m"),
                format!("--root-dir={dir}/root"),
                format!("--run-dir={dir}/run"),
                format!("--kubeconfig={dir}/kubeconfig"),
                format!("--container-runtime-endpoint=unix://{dir}/none.sock"),
                format!("--hostname-override={}", self.node),
            ])
            .args(["--healthz-port=0", "-v=4"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Writes a file into its directory, in one piece.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let (new, path) = (self.base.join(".new"), self.base.join(name));
        fs::write(&new, bytes).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.base.join("log")).unwrap_or_default()
    }

    /// Waits until `ready` says yes; panics with `what` and the log otherwise.
    pub fn eventually(&self, what: &str, mut ready: impl FnMut() -> bool) {
        let begin = Instant::now();
        while !ready() {
            let late = begin.elapsed() > Duration::from_secs(120);
            assert!(!late, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.base);
    }
}
