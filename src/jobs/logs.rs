//! The links to the containers' logs, laid as the kubelet lays them, for log shippers.
//!
//! Source: cri-dockerd `logs.go`, kubelet `legacy.go`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::pod::{Joined, PodJob};
use super::start::Wanted;
use crate::docker::Docker;
use crate::pod::{ContainerName, PodKey};
use crate::state::{ContainerId, Node};
use crate::sys::{Error, Kind, Result, files};
use crate::translate::{Role, paths, read_identity};

const LOGS_MODE: u32 = 0o755;

/// Links the log of a container that was just started. Nothing is done where dockerd writes no file.
///
/// # Errors
/// What could not be linked; the container is not touched by it.
pub(super) fn link(job: &PodJob, wanted: &Wanted<'_>, id: &ContainerId) -> Result<()> {
    let (node, request) = (&job.request.node, &job.request);
    let (container, attempt) = (wanted.container, wanted.attempt);
    let log = match beside(wanted.sandbox, id) {
        Some(log) => log,
        None => job.docker.inspect(&id.0)?.log_path,
    };
    if log.is_empty() {
        return Ok(());
    }
    let dir = paths::container_logs_dir(node, &request.key, &request.uid, container);
    files::make_dir(Path::new(&dir), LOGS_MODE)?;
    let path = PathBuf::from(paths::container_log(&dir, attempt));
    replace_link(&log, &path)?;
    let legacy = legacy_link(node, &request.key, container, id);
    if let Some(dir) = legacy.parent() {
        files::make_dir(dir, LOGS_MODE)?;
    }
    replace_link(&path.to_string_lossy(), &legacy)
}

/// The log's place, from that of the sandbox: dockerd names both by the container's id alone. `None` where no such file
/// is, as with a log driver of its own or a dockerd elsewhere. It saves an inspect, for which dockerd has no time while
/// many pods start.
fn beside(sandbox: &Joined, id: &ContainerId) -> Option<String> {
    let log = sandbox.log.replace(&sandbox.id.0, &id.0);
    (log != sandbox.log && Path::new(&log).is_file()).then_some(log)
}

/// Removes the links of a container that is about to be removed. What cannot be removed dangles, and harms nobody.
pub(super) fn unlink(docker: &Docker, node: &Node, id: &ContainerId) {
    let Ok(inspect) = docker.inspect(&id.0) else {
        return;
    };
    let Ok(identity) = read_identity(&inspect.name, &inspect.config.labels, node) else {
        return;
    };
    let Role::Container { name, .. } = &identity.role else {
        return;
    };
    let dir = paths::container_logs_dir(node, &identity.key, &identity.uid, name);
    for link in [
        legacy_link(node, &identity.key, name, id),
        PathBuf::from(paths::container_log(&dir, identity.attempt)),
    ] {
        if link.is_symlink() {
            let _ = std::fs::remove_file(link);
        }
    }
}

fn legacy_link(node: &Node, key: &PodKey, container: &ContainerName, id: &ContainerId) -> PathBuf {
    let beside = Path::new(&node.pod_logs_dir).with_file_name("containers");
    beside.join(paths::legacy_log_name(key, container, id))
}

fn replace_link(target: &str, link: &Path) -> Result<()> {
    match std::fs::remove_file(link) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Error::io(
                format!("replace link {}", link.display()),
                &error,
            ));
        }
    }
    symlink(target, link).map_err(|e| {
        Error::new(
            format!("link {} to {target}", link.display()),
            Kind::Refused,
            e,
        )
    })
}
