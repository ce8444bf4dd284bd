//! The floor: the containers that the agent would make, made straight through the Docker API.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use staticlet::docker::Docker;
use staticlet::docker::wire::CreateBody;
use staticlet::observe::Observer;
use staticlet::pod::{self, ContainerName, Origin, ValidPod};
use staticlet::state::{ContainerId, DockerFacts, Node};
use staticlet::sys;
use staticlet::translate::{
    ContainerInput, ImageFacts, SandboxInput, container_body, container_name, paths, sandbox_body,
    sandbox_name,
};

/// What is made from the agent's own bodies, without the agent.
pub struct Floor {
    node: Node,
    facts: DockerFacts,
    pause_image: String,
    image_id: String,
}

/// A pod, ready to be sent.
pub struct Ready {
    pod: ValidPod,
    sandbox: CreateBody,
}

/// What one pod took.
#[derive(Clone, Copy, Default)]
pub struct Took {
    /// From nothing to running.
    pub up: Duration,
    /// The container's part of that.
    pub container: Duration,
}

impl Floor {
    /// `pause_image` as the agent calls it, `image` as the manifests do.
    pub fn new(node: Node, pause_image: String, image: &str) -> Result<Floor, String> {
        let docker = Docker::new(&node.docker_socket, None);
        let image = docker.inspect_image(image).map_err(text)?;
        let facts = Observer::new(&node)
            .look(&BTreeSet::new())
            .map_err(text)?
            .docker;
        Ok(Floor {
            image_id: image.id,
            node,
            facts,
            pause_image,
        })
    }

    /// The pod of a manifest, with the files that its container mounts.
    pub fn ready(&self, manifest: &str) -> Result<Ready, String> {
        let origin = Origin {
            node_name: self.node.name.clone(),
            from_file: true,
            allow_unknown_fields: false,
        };
        let reading = pod::read(manifest.as_bytes(), &origin).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            problems.join(", ")
        })?;
        let pod = reading.pod;
        let (hosts, message) = self.files(&pod);
        for file in [&hosts, &message] {
            let dir = Path::new(file).parent().unwrap();
            std::fs::create_dir_all(dir).map_err(|e| e.to_string())?;
            std::fs::write(file, "127.0.0.1 localhost\n").map_err(|e| e.to_string())?;
        }
        let sandbox = sandbox_body(&SandboxInput {
            pod: &pod,
            node: &self.node,
            docker: &self.facts,
            image: &self.pause_image,
            seen: sys::now().wall,
        })
        .map_err(text)?;
        Ok(Ready { pod, sandbox })
    }

    fn files(&self, pod: &ValidPod) -> (String, String) {
        let app = ContainerName("app".into());
        let message = paths::termination_log(&self.node, &pod.uid, &app, 0);
        (paths::hosts_file(&self.node, &pod.uid), message)
    }

    fn docker(&self) -> Docker {
        Docker::new(&self.node.docker_socket, Some(self.facts.api))
    }

    /// One pod: four calls.
    fn up_one(&self, docker: &Docker, ready: &Ready) -> Result<(Took, [String; 2]), String> {
        let began = Instant::now();
        let pod = &ready.pod;
        let name = sandbox_name(&pod.key, &pod.uid, 0);
        let sandbox = docker.create(&name, &ready.sandbox).map_err(text)?.id;
        docker.start(&sandbox).map_err(text)?;
        let middle = Instant::now();
        let (hosts, message) = self.files(pod);
        let body = container_body(&ContainerInput {
            pod,
            container: &pod.pod.spec.as_ref().unwrap().containers[0],
            node: &self.node,
            docker: &self.facts,
            attempt: 0,
            sandbox: &ContainerId(sandbox.clone()),
            pod_ips: &[],
            image: ImageFacts {
                id: &self.image_id,
                user: "",
            },
            termination_log: Some(&message),
            hosts_file: Some(&hosts),
            seccomp: None,
            env_files: &staticlet::translate::EnvFiles::new(),
            disk_bytes: 0,
        })
        .map_err(text)?;
        let app = ContainerName("app".into());
        let name = container_name(&pod.key, &pod.uid, &app, 0);
        let container = docker.create(&name, &body).map_err(text)?.id;
        docker.start(&container).map_err(text)?;
        let took = Took {
            up: began.elapsed(),
            container: middle.elapsed(),
        };
        Ok((took, [sandbox, container]))
    }

    /// One pod by itself, and its containers: the sandbox, then the other.
    pub fn up(&self, ready: &Ready) -> Result<(Took, [String; 2]), String> {
        let docker = self.docker();
        docker.api().map_err(text)?;
        self.up_one(&docker, ready)
    }

    /// Many pods by some workers, until all run; and then away with them.
    pub fn up_many(&self, pods: &[Ready], workers: usize) -> Result<Duration, String> {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        let work = || -> Result<Vec<String>, String> {
            let (docker, mut made) = (self.docker(), Vec::new());
            while let Some(ready) = pods.get(next.fetch_add(1, Ordering::Relaxed)) {
                made.extend(self.up_one(&docker, ready)?.1);
            }
            Ok(made)
        };
        let (took, made) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let made: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
            (began.elapsed(), made)
        });
        let made: Vec<String> = made.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        remove_all(&self.node.docker_socket, &made)?;
        Ok(took)
    }

    /// Stops a pod, the container first; then removes both. What the stop took, and what both took.
    pub fn down(&self, ids: &[String; 2]) -> Result<(Duration, Duration), String> {
        let docker = self.docker();
        let began = Instant::now();
        for id in ids.iter().rev() {
            docker.stop(id, 5).map_err(text)?;
        }
        let stopped = began.elapsed();
        for id in ids.iter().rev() {
            docker.remove(id).map_err(text)?;
        }
        Ok((stopped, began.elapsed()))
    }
}

/// Removes containers, some side by side.
pub fn remove_all(socket: &str, ids: &[String]) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        let docker = Docker::new(socket, None);
        while let Some(id) = ids.get(next.fetch_add(1, Ordering::Relaxed)) {
            docker.remove(id).map_err(text)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap())
    })
}

/// The ids of the containers of one node, by name.
pub fn of_node(socket: &str, node: &str) -> Vec<String> {
    let docker = Docker::new(socket, None);
    let list = docker.list().unwrap_or_default();
    let mark = format!("-{node}_default_");
    let is_ours = |names: &[String]| names.iter().any(|name| name.contains(&mark));
    let ours = list.into_iter().filter(|one| is_ours(&one.names));
    ours.map(|one| one.id).collect()
}

/// The times of many runs, by what was varied.
pub type ByWorkers = BTreeMap<usize, Vec<Duration>>;

/// Any error as text.
pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
