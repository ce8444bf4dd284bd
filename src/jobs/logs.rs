//! The links to the containers' logs, laid as the kubelet lays them, for log shippers.
//!
//! Source: cri-dockerd `logs.go`, kubelet `legacy.go`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::pod::{Joined, PodJob};
use super::start::Wanted;
use crate::pod::{ContainerName, PodKey};
use crate::state::{ContainerId, Node};
use crate::sys::{Error, Kind, Result, files};
use crate::translate::paths;

const LOGS_MODE: u32 = 0o755;

/// Links the log of a container that is about to be started, so that nobody who is interrupted leaves one that runs
/// without. Nothing is done where the place of the log is not known yet.
///
/// # Errors
/// What could not be linked; the container is not touched by it.
pub(super) fn link_ahead(job: &PodJob, wanted: &Wanted<'_>, id: &ContainerId) -> Result<()> {
    let log = beside(wanted.sandbox, id);
    log.map_or(Ok(()), |log| lay(job, wanted, id, &log))
}

/// Links the log of a container that was just started, if it is not linked yet. Nothing is done where dockerd writes no
/// file.
///
/// # Errors
/// What could not be linked; the container is not touched by it.
pub(super) fn link(job: &PodJob, wanted: &Wanted<'_>, id: &ContainerId) -> Result<()> {
    if beside(wanted.sandbox, id).is_some_and(|log| Path::new(&log).is_file()) {
        return Ok(());
    }
    let log = job.docker.inspect(&id.0)?.log_path;
    if log.is_empty() {
        unlink(&job.request.node, id);
        return Ok(());
    }
    lay(job, wanted, id, &log)
}

fn lay(job: &PodJob, wanted: &Wanted<'_>, id: &ContainerId, log: &str) -> Result<()> {
    let (node, request) = (&job.request.node, &job.request);
    let (container, attempt) = (wanted.container, wanted.attempt);
    let dir = paths::container_logs_dir(node, &request.key, &request.uid, container);
    files::make_dir(Path::new(&dir), LOGS_MODE)?;
    let path = PathBuf::from(paths::container_log(&dir, attempt));
    // The outer one first: it leads to the other when that is to be removed.
    let legacy = legacy_link(node, &request.key, container, id);
    if let Some(dir) = legacy.parent() {
        files::make_dir(dir, LOGS_MODE)?;
    }
    replace_link(&path.to_string_lossy(), &legacy)?;
    replace_link(log, &path)
}

/// The log's place, from that of the sandbox: dockerd names both by the container's id alone. `None` where no such file
/// is, as with a log driver of its own or a dockerd elsewhere. It saves an inspect, for which dockerd has no time while
/// many pods start.
fn beside(sandbox: &Joined, id: &ContainerId) -> Option<String> {
    let log = sandbox.log.replace(&sandbox.id.0, &id.0);
    (log != sandbox.log && Path::new(&sandbox.log).is_file()).then_some(log)
}

/// Removes the links of a container that is about to be removed, which one finds by its id. Those whose name was cut
/// before it go with their pod.
pub(super) fn unlink(node: &Node, id: &ContainerId) {
    let end = format!("-{}.log", id.0);
    for (link, inner) in links(node, |name, _| name.ends_with(&end)) {
        if inner.starts_with(&node.pod_logs_dir) && inner.is_symlink() {
            let _ = std::fs::remove_file(inner);
        }
        let _ = std::fs::remove_file(link);
    }
}

/// Removes the links that lead into the log directory of a pod.
pub(super) fn unlink_all(node: &Node, pod_logs: &Path) {
    for (link, _) in links(node, |_, target| target.starts_with(pod_logs)) {
        let _ = std::fs::remove_file(link);
    }
}

/// The older links that are wanted by their name and target, with their targets.
fn links(node: &Node, wanted: impl Fn(&str, &Path) -> bool) -> Vec<(PathBuf, PathBuf)> {
    let entries = std::fs::read_dir(legacy_dir(node));
    let links = entries.into_iter().flatten().flatten().filter_map(|entry| {
        let path = entry.path();
        let target = std::fs::read_link(&path).ok()?;
        let is_wanted = wanted(&entry.file_name().to_string_lossy(), &target);
        is_wanted.then_some((path, target))
    });
    links.collect()
}

fn legacy_dir(node: &Node) -> PathBuf {
    Path::new(&node.pod_logs_dir).with_file_name("containers")
}

fn legacy_link(node: &Node, key: &PodKey, container: &ContainerName, id: &ContainerId) -> PathBuf {
    legacy_dir(node).join(paths::legacy_log_name(key, container, id))
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
