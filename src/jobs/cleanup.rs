//! What a pod leaves on disk is taken away: mounts first, then its directory, then its log links.

use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::tree;
use crate::pod::PodUid;
use crate::state::Node;
use crate::sys::{Error, Result};
use crate::translate::paths;

/// Unmounts and removes the pod's directory and its log directory.
///
/// # Errors
/// What is still in use stays with everything around it; the next try goes on.
pub(super) fn clean(node: &Node, uid: &PodUid) -> Result<()> {
    if !paths::is_plain_name(uid.as_str()) {
        return Ok(());
    }
    for volume in volumes(Path::new(&paths::volumes_dir(node, uid))) {
        if tree::is_mount_point(&volume) {
            umount2(&volume, MntFlags::UMOUNT_NOFOLLOW)
                .map_err(|e| Error::errno(format!("unmount {}", volume.display()), e))?;
        }
    }
    for logs in log_dirs(node, uid) {
        tree::remove(&logs)?;
    }
    tree::remove(Path::new(&paths::pod_dir(node, uid)))
}

/// `volumes/<plugin>/<volume>`; links are not followed.
fn volumes(dir: &Path) -> Vec<PathBuf> {
    let list = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect()
    };
    list(dir).iter().flat_map(|plugin| list(plugin)).collect()
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
