//! What a pod leaves is taken away: mounts first, then its log links, its cgroup and its directory.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::{PodRequest, cgroup, logs, subpaths, tree};
use crate::pod::PodUid;
use crate::state::Node;
use crate::sys::mounts::{self, Mount};
use crate::sys::{Error, Kind, Result};
use crate::translate::paths;

/// What of the pod's volumes is made here.
const OWN_VOLUMES: [&str; 3] = [
    "kubernetes.io~downward-api",
    "kubernetes.io~empty-dir",
    "kubernetes.io~projected",
];

/// Unmounts and removes the pod's directory, its log directory and its cgroup.
///
/// # Errors
/// What is still in use stays with everything around it; the next try goes on.
pub(super) fn clean(request: &PodRequest) -> Result<()> {
    let (node, uid) = (&request.node, &request.uid);
    if !paths::is_plain_name(uid.as_str()) {
        return Ok(());
    }
    let dir = paths::pod_dir(node, uid);
    // The kernel's table has no links in its paths.
    match std::fs::canonicalize(&dir) {
        Ok(dir) => unmount(&dir)?,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {}
        Err(err) => return Err(Error::io(format!("remove {dir}"), &err)),
    }
    for dir in log_dirs(node, uid) {
        logs::unlink_all(node, &dir);
        tree::remove(&dir)?;
    }
    // The directory comes last, as the sign that there is still work if this is interrupted.
    cgroup::remove(uid, &request.docker);
    tree::remove(Path::new(&dir))
}

/// Unmounts what was mounted for the pod: the parts of volumes first, then its own volumes of memory. Any other mount below is
/// somebody else's and stops the removal: a bind mount that a container spread (`Bidirectional`) may be of the same file
/// system, which nothing but the table tells.
fn unmount(pod: &Path) -> Result<()> {
    // The last one mounted lies on top.
    for mount in mounts::at_and_below(pod)?.into_iter().rev() {
        if subpaths::is_target(pod, &mount.at) {
            mounts::take_away(&mount.at)?;
        }
    }
    let own = OWN_VOLUMES.map(|plugin| pod.join("volumes").join(plugin));
    for Mount { at, kind } in mounts::at_and_below(pod)?.into_iter().rev() {
        let doing = format!("unmount {}", at.display());
        let is_own = own.iter().any(|own| at.parent() == Some(own));
        if !is_own || !["tmpfs", "hugetlbfs"].contains(&kind.as_str()) {
            let said = format!(
                "staticlet did not mount this {kind}; the pod's directory stays until it is unmounted"
            );
            return Err(Error::new(doing, Kind::Refused, said));
        }
        umount2(&at, MntFlags::UMOUNT_NOFOLLOW).map_err(|e| Error::errno(doing, e))?;
    }
    Ok(())
}

/// Log directories end in the UID: what is before it is not known any more for an orphan.
fn log_dirs(node: &Node, uid: &PodUid) -> Vec<PathBuf> {
    let end = format!("_{uid}");
    let entries = std::fs::read_dir(&node.pod_logs_dir)
        .into_iter()
        .flatten()
        .flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(&end));
    ours.map(|entry| entry.path()).collect()
}
