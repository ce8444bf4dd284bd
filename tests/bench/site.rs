//! A place of its own for one run: directories, image, agent; all of it goes when it is dropped.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use staticlet::docker::{Docker, ImportCall};
use staticlet::state::Node;

use crate::floor::{of_node, remove_all, text};
use crate::usage;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_staticlet");

const SOCKET: &str = "/var/run/docker.sock";

/// The place.
pub struct Site {
    dir: PathBuf,
    /// The agent's node name.
    pub name: String,
    /// The image of the pods' containers.
    pub image: String,
    /// The sandbox image, once the agent has made it.
    pub pause_image: String,
    agent: Option<Child>,
}

impl Site {
    /// Makes the directories and the image: the program's own pause, which leaves at once when told to.
    pub fn new() -> Result<Site, String> {
        let name = format!("bench{}", std::process::id());
        let site = Site {
            dir: std::env::temp_dir().join(format!("staticlet-{name}")),
            image: format!("staticlet/{name}:1"),
            name,
            pause_image: String::new(),
            agent: None,
        };
        for dir in ["manifests", "staged", "root", "run", "floor"] {
            std::fs::create_dir_all(site.dir.join(dir)).map_err(text)?;
        }
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_path_with_name(PROGRAM, "staticlet")
            .map_err(text)?;
        let import = ImportCall {
            repo: format!("staticlet/{}", site.name),
            tag: "1".into(),
            changes: vec![r#"ENTRYPOINT ["/staticlet","pause"]"#.into()],
        };
        let tar = tar.into_inner().map_err(text)?;
        let docker = Docker::new(SOCKET, None);
        docker.import_image(&import, tar.as_slice()).map_err(text)?;
        Ok(site)
    }

    /// The node that the floor's bodies are made for: like the agent's, but not its.
    pub fn floor_node(&self) -> Node {
        Node {
            name: format!("{}floor", self.name),
            ip: "192.0.2.1".into(),
            root_dir: self.path("floor").display().to_string(),
            run_dir: self.path("run").display().to_string(),
            pod_logs_dir: "/var/log/pods".into(),
            docker_socket: SOCKET.into(),
            pause_image: None,
            cluster_dns: Vec::new(),
            cluster_domain: String::new(),
            resolv_conf: "/etc/resolv.conf".into(),
            log_bytes_max: 10 << 20,
            log_files_max: 5,
            pod_pids_max: None,
            crash_wait_max_seconds: 300,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A manifest; `version` is what an edit changes.
    pub fn manifest(&self, pod: &str, version: u32) -> String {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {pod}\n  labels: {{app: bench}}\nspec:\n  \
             terminationGracePeriodSeconds: 5\n  containers:\n  - name: app\n    image: {}\n    env:\n    \
             - {{name: VERSION, value: \"{version}\"}}\n",
            self.image
        )
    }

    /// Writes manifests beside the directory and then renames them into it; when the first rename was made.
    pub fn put(&self, pods: &[String], version: u32) -> Result<Instant, String> {
        let with_text = |pod: &String| (pod.clone(), self.manifest(pod, version));
        self.put_texts(&pods.iter().map(with_text).collect::<Vec<_>>())
    }

    /// The same with names and texts of one's own.
    pub fn put_texts(&self, manifests: &[(String, String)]) -> Result<Instant, String> {
        let staged = self.path("staged");
        for (pod, text_of) in manifests {
            std::fs::write(staged.join(pod), text_of).map_err(text)?;
        }
        let began = Instant::now();
        for (pod, _) in manifests {
            std::fs::rename(staged.join(pod), self.file(pod)).map_err(text)?;
        }
        Ok(began)
    }

    /// Removes manifests.
    pub fn take(&self, pods: &[String]) -> Result<Instant, String> {
        let began = Instant::now();
        for pod in pods {
            std::fs::remove_file(self.file(pod)).map_err(text)?;
        }
        Ok(began)
    }

    fn file(&self, pod: &str) -> PathBuf {
        self.path("manifests").join(format!("{pod}.yaml"))
    }

    /// Starts the agent, and waits until it has published for the first time.
    pub fn start_agent(&mut self) -> Result<u32, String> {
        let log = std::fs::File::create(self.path("log")).map_err(text)?;
        let flag = |name: &str, path: &str| format!("--{name}={}", self.path(path).display());
        let agent = Command::new(PROGRAM)
            .arg(flag("pod-manifest-path", "manifests"))
            .arg(flag("root-dir", "root"))
            .arg(flag("run-dir", "run"))
            .arg(format!("--hostname-override={}", self.name))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(text)?;
        let pid = agent.id();
        self.agent = Some(agent);
        let until = Instant::now() + Duration::from_secs(20);
        while !self.path("run").join("pods.json").exists() {
            if Instant::now() > until {
                return Err("the agent publishes nothing within 20 s".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300));
        Ok(pid)
    }

    /// Holds the agent and its jobs still, so that they cost the floor nothing.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets them go on, and gives them time to see that nothing concerns them.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
        std::thread::sleep(Duration::from_millis(700));
    }

    fn signal(&self, signal: Signal) {
        let Some(agent) = &self.agent else { return };
        let mut pids = vec![agent.id()];
        pids.extend(usage::children(agent.id()));
        for pid in pids {
            let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal);
        }
    }

    /// The last lines of the agent's log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The node's socket.
    pub fn socket(&self) -> &'static str {
        SOCKET
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.signal(Signal::SIGCONT);
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        // A job of the agent may just have made one more.
        for _ in 0..3 {
            let mut ids = of_node(SOCKET, &self.name);
            ids.extend(of_node(SOCKET, &format!("{}floor", self.name)));
            if let Err(error) = remove_all(SOCKET, &ids) {
                eprintln!("a container stays: {error}");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        remove_image(&self.image);
        remove_image(&self.pause_image);
        remove_links(Path::new("/var/log/pods"), &self.name);
        remove_links(Path::new("/var/log/containers"), &self.name);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// An image that a container still uses stays.
fn remove_image(name: &str) {
    let request =
        format!("DELETE /images/{name} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    if let Ok(mut stream) = UnixStream::connect(SOCKET) {
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

fn remove_links(dir: &Path, node: &str) {
    let mark = format!("-{node}_");
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(&mark) {
            let _ = std::fs::remove_dir_all(entry.path())
                .or_else(|_| std::fs::remove_file(entry.path()));
        }
    }
}
