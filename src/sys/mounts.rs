//! What is mounted where, as this process sees it.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::error::{Error, Result};
use super::files::read_bounded;

const TABLE: &str = "/proc/self/mountinfo";

/// A machine with a thousand containers has some megabytes of mounts.
const TABLE_BYTES_MAX: usize = 64 << 20;

/// One line of the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Where it is mounted. The table has no links in its paths.
    pub at: PathBuf,
    /// Its file system: `ext4`, `tmpfs`, ...; that of a bind mount is the one it shows a part of.
    pub kind: String,
}

/// The mounts at a path and below it, in the order of the table, which is the one in which they were mounted. The path is
/// one without links.
///
/// # Errors
/// The table cannot be read.
pub fn at_and_below(path: &Path) -> Result<Vec<Mount>> {
    let table = read_bounded(Path::new(TABLE), TABLE_BYTES_MAX)?;
    Ok(below(&table, path))
}

/// Takes a bind mount away with all that is mounted below it, whoever uses it meanwhile, and nothing that is mounted
/// elsewhere: a bind mount on a machine with shared mounts shows what is mounted in its source later, and unmounting it here
/// would unmount it there as well.
///
/// # Errors
/// As the kernel says; then the mount is still there.
pub fn take_away(at: &Path) -> Result<()> {
    let alone = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    mount(None::<&str>, at, None::<&str>, alone, None::<&str>)
        .map_err(|e| Error::errno(format!("make the mount {} private", at.display()), e))?;
    umount2(at, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
        .map_err(|e| Error::errno(format!("unmount {}", at.display()), e))
}

/// Which mount an open file is reached through. Two bind mounts of one file system have one device and two of these.
/// `None` where the kernel does not tell.
pub fn id(file: impl AsFd) -> Option<u64> {
    let path = format!("/proc/self/fdinfo/{}", file.as_fd().as_raw_fd());
    let text = read_bounded(Path::new(&path), 4096).ok()?;
    let text = String::from_utf8_lossy(&text);
    let number = text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?;
    number.trim().parse().ok()
}

fn below(table: &[u8], path: &Path) -> Vec<Mount> {
    table
        .split(|&b| b == b'\n')
        .filter_map(|line| {
            let mut words = line.split(|&b| b == b' ');
            let at = PathBuf::from(OsString::from_vec(unescape(words.nth(4)?)));
            let mut words = words.skip_while(|word| *word != b"-");
            let kind = String::from_utf8_lossy(words.nth(1)?).into_owned();
            at.starts_with(path).then_some(Mount { at, kind })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_by_whole_components() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/sda rw\n\
            2 1 0:5 / /p/u\\040x rw shared:1 - tmpfs tmpfs rw\n\
            3 1 0:6 / /p/u rw - tmpfs tmpfs rw\n\
            4 3 0:7 / /p/u/v rw - overlay o rw\n";
        let expected = [("/p/u", "tmpfs"), ("/p/u/v", "overlay")];
        let expected = expected.map(|(at, kind)| Mount {
            at: at.into(),
            kind: kind.into(),
        });
        assert_eq!(below(table, Path::new("/p/u")), expected);
        assert_eq!(unescape(b"/p/u\\040x"), b"/p/u x");
    }

    #[test]
    fn a_file_tells_its_mount() {
        let (root, proc) = ("/", "/proc/self/status");
        let id = |path: &str| id(std::fs::File::open(path).unwrap());
        assert!(id(root).is_some() && id(root) == id(root) && id(root) != id(proc));
    }
}
