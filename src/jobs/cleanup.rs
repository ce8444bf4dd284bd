//! What a pod leaves on disk is taken away: mounts first, then its directory, then its log links.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::tree;
use crate::pod::PodUid;
use crate::state::Node;
use crate::sys::{Error, Kind, Result};
use crate::translate::paths;

/// What of the pod's volumes is made here.
const OWN_VOLUMES: [&str; 3] = [
    "kubernetes.io~downward-api",
    "kubernetes.io~empty-dir",
    "kubernetes.io~projected",
];

/// Unmounts and removes the pod's directory and its log directory.
///
/// # Errors
/// What is still in use stays with everything around it; the next try goes on.
pub(super) fn clean(node: &Node, uid: &PodUid) -> Result<()> {
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
    for logs in log_dirs(node, uid) {
        tree::remove(&logs)?;
    }
    tree::remove(Path::new(&dir))
}

/// Unmounts the pod's own tmpfs volumes. Any other mount below is somebody else's and stops the removal: a bind mount
/// that a container spread (`Bidirectional`) may be of the same file system, which nothing but the table tells.
fn unmount(pod: &Path) -> Result<()> {
    let own = OWN_VOLUMES.map(|plugin| pod.join("volumes").join(plugin));
    let table = "/proc/self/mountinfo";
    let text = std::fs::read(table).map_err(|e| Error::io(format!("read {table}"), &e))?;
    // The last one mounted lies on top.
    for (at, kind) in mounts_below(&text, pod).into_iter().rev() {
        let doing = format!("unmount {}", at.display());
        let is_own = own.iter().any(|own| at.parent() == Some(own));
        if !is_own || kind != "tmpfs" {
            let said = format!(
                "staticlet did not mount this {kind}; the pod's directory stays until it is unmounted"
            );
            return Err(Error::new(doing, Kind::Refused, said));
        }
        umount2(&at, MntFlags::UMOUNT_NOFOLLOW).map_err(|e| Error::errno(doing, e))?;
    }
    Ok(())
}

/// The mounts below a path with the kind of each, in the order of the table, from the text of mountinfo.
fn mounts_below(table: &[u8], path: &Path) -> Vec<(PathBuf, String)> {
    table
        .split(|&b| b == b'\n')
        .filter_map(|line| {
            let mut words = line.split(|&b| b == b' ');
            let at = PathBuf::from(OsString::from_vec(unescape(words.nth(4)?)));
            let mut words = words.skip_while(|word| *word != b"-");
            let kind = String::from_utf8_lossy(words.nth(1)?).into_owned();
            at.starts_with(path).then_some((at, kind))
        })
        .collect()
}

/// Blanks, tabs, newlines and backslashes are `\ooo` there.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, tail @ ..] = rest {
        let code = tail.get(..3).filter(|_| *first == b'\\');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) => {
                out.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_by_whole_components() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/sda rw\n\
            2 1 0:5 / /p/u\\040x rw shared:1 - tmpfs tmpfs rw\n\
            3 1 0:6 / /p/u rw - tmpfs tmpfs rw\n\
            4 3 0:7 / /p/u/v rw - overlay o rw\n";
        let found = mounts_below(table, Path::new("/p/u"));
        let expected = [("/p/u", "tmpfs"), ("/p/u/v", "overlay")];
        assert_eq!(found, expected.map(|(at, kind)| (at.into(), kind.into())));
        assert_eq!(unescape(b"/p/u\\040x"), b"/p/u x");
    }
}
