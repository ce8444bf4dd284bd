//! The resolver files: the node's, which is read, and the pod's, which is written.

use std::fs::{OpenOptions, symlink_metadata};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::pod::PodJob;
use super::report::{Failed, because, note};
use crate::state::{FailReason, Node, RESOLV_CONF};
use crate::sys::{Error, Result, files};
use crate::translate::resolv_conf;

/// The node's resolver file is read up to here, as in the kubelet.
const RESOLVER_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Reads the file that pods inherit, [`Node::resolv_conf`]. `None`: the machine has none, as in an initramfs.
///
/// # Errors
/// `Gone` for a file that was asked for by name, and for `/etc/resolv.conf` as a link to nowhere: somebody is going to write
/// it, and a pod that starts before has the wrong servers for all its life. A kubelet fails for want of any of them.
pub fn node_resolver(node: &Node) -> Result<Option<Vec<u8>>> {
    let path = Path::new(&node.resolv_conf);
    let has_none = || {
        node.resolv_conf == RESOLV_CONF
            && symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    if node.resolv_conf.is_empty() || has_none() {
        return Ok(None);
    }
    files::read_bounded(path, RESOLVER_BYTES_MAX).map(Some)
}

/// What the pod's file has to say; `None` leaves it as Docker wrote it. Notes what a person should know of it.
pub(super) fn text(job: &PodJob) -> std::result::Result<Option<String>, Failed> {
    let node = &job.request.node;
    let inherited = node_resolver(node).map_err(because(FailReason::CreatePodSandboxError))?;
    let is_missing = inherited.is_none() && !node.resolv_conf.is_empty();
    let inherited = inherited.unwrap_or_default();
    let mut resolver = resolv_conf(job.pod()?, node, &String::from_utf8_lossy(&inherited))
        .map_err(because(FailReason::CreatePodSandboxError))?;
    if is_missing && resolver.text.is_none() {
        resolver.remarks.push(format!(
            "there is no {RESOLV_CONF} on this machine, so the pod has the name servers that Docker chose"
        ));
    }
    for text in resolver.remarks {
        note(text);
    }
    Ok(resolver.text)
}

/// Docker has made a resolv.conf by its own rules, which every container of the pod shares; it gets the pod's text. The
/// file is mounted, so it has to stay the same file. Source: cri-dockerd `sandbox_helpers.go` rewriteResolvFile.
pub(super) fn write(path: &str, text: Option<&str>) -> std::result::Result<(), Failed> {
    let Some(text) = text else { return Ok(()) };
    if !Path::new(path).exists() {
        // dockerd in another mount namespace, or rootless: Docker's own file has to do.
        note(format!(
            "resolv.conf is Docker's own: this agent cannot see {path:?}"
        ));
        return Ok(());
    }
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Error::io(format!("write {path}"), &e))
        .map_err(because(FailReason::CreatePodSandboxError))
}
