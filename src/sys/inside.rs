//! Opening what lies below a directory while somebody may change everything there.
//!
//! The path is walked part by part, each opened by its name in the open directory before it and never followed. Links are
//! read from the open link and walked in the same way, so that no swap between a look and a step leads out: what is opened
//! was below the directory when it was opened. The kernel has a call for this since 5.6 (`openat2`); this works on all.
//!
//! Source: kubelet 1.36 `pkg/volume/util/subpath/subpath_linux.go`, after CVE-2017-1002101 and CVE-2021-25741.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat, umask};

use super::error::{Error, Kind, Result};
use super::files::{open_regular, read_open};

/// As many links as the kernel follows on one path.
const LINKS_MAX: u32 = 40;

/// A directory that comes and goes is tried again so often.
const TRIES_MAX: u32 = 40;

/// Opens `path` below the directory `root` as a place (`O_PATH`): anything but a link. Parts that are missing are made as
/// directories with the mode of `root`. Links are followed as far as they stay below; an absolute one has to lead to `root`.
///
/// # Errors
/// `Refused` for a path that leads out and for what the kernel says; `Gone` for a link that leads to nothing.
pub fn open_or_make(root: &Path, path: &Path) -> Result<OwnedFd> {
    walk(root, parts(path.as_os_str(), Origin::Asked), path)
}

/// Reads a regular file at `path` below the directory `root`. Links are followed as far as they stay below.
///
/// # Errors
/// `Gone`; `Refused` for a path that leads out and for what is no regular file; `TooBig` beyond `max` bytes.
pub fn read_below(root: &Path, path: &Path, max: usize) -> Result<Vec<u8>> {
    let doing = || format!("read {} in {}", path.display(), root.display());
    if path.is_absolute() {
        return Err(Error::new(doing(), Kind::Refused, "it leads out"));
    }
    // What a link names is never made, and here nothing is.
    let found = walk(root, parts(path.as_os_str(), Origin::Link), path)?;
    // A place cannot be read. Opened by its descriptor it is the same file, whatever has its name now.
    let place = format!("/proc/self/fd/{}", found.as_raw_fd());
    let file = open_regular(Path::new(&place), OFlag::empty());
    let file = file.map_err(|e| Error::new(doing(), e.kind(), e.said()))?;
    read_open(file, &root.join(path), max)
}

fn walk(root: &Path, left: VecDeque<Part>, path: &Path) -> Result<OwnedFd> {
    let doing = || format!("open {} in {}", path.display(), root.display());
    let fault = |e| Error::errno(doing(), e);
    let top = open(root, dir_flags(), Mode::empty()).map_err(fault)?;
    let mode = Mode::from_bits_truncate(fstat(&top).map_err(fault)?.st_mode);
    let mut roots = vec![root.to_owned()];
    roots.extend(std::fs::canonicalize(root));
    let mut walk = Walk {
        roots,
        mode,
        open: vec![top],
        left,
        links: 0,
    };
    while let Some(part) = walk.left.pop_front() {
        walk.step(&part).map_err(|e| e.while_doing(doing()))?;
    }
    let found = walk.open.pop();
    found.ok_or_else(|| Error::new(doing(), Kind::Refused, "nothing was opened"))
}

fn dir_flags() -> OFlag {
    OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

/// Who named a part of the path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The caller: it is made when it is missing.
    Asked,
    /// A link: it is not.
    Link,
}

struct Part {
    name: OsString,
    origin: Origin,
}

fn parts(path: &OsStr, origin: Origin) -> VecDeque<Part> {
    let names = path.as_bytes().split(|&byte| byte == b'/');
    let names = names.filter(|name| !name.is_empty() && *name != b".");
    let part = |name: &[u8]| Part {
        name: OsStr::from_bytes(name).to_owned(),
        origin,
    };
    names.map(part).collect()
}

struct Walk {
    /// The root, as it was named and as it is without links.
    roots: Vec<PathBuf>,
    mode: Mode,
    /// The root first, then what the walk went through: the way back for `..`.
    open: Vec<OwnedFd>,
    left: VecDeque<Part>,
    links: u32,
}

impl Walk {
    fn step(&mut self, part: &Part) -> Result<()> {
        let doing = || format!("open {}", part.name.display());
        if part.name == ".." {
            return match self.open.len() {
                0 | 1 => Err(Error::new(doing(), Kind::Refused, "it leads out")),
                _ => {
                    self.open.pop();
                    Ok(())
                }
            };
        }
        let here = self.open.last();
        let here = here.ok_or_else(|| Error::new(doing(), Kind::Refused, "nothing is open"))?;
        let next = self.open_part(here, part)?;
        let stat = fstat(&next).map_err(|e| Error::errno(doing(), e))?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFLNK {
            self.open.push(next);
            return Ok(());
        }
        let target = readlinkat(&next, "").map_err(|e| Error::errno(doing(), e))?;
        self.follow(&target)
            .map_err(|said| Error::new(doing(), Kind::Refused, said))
    }

    /// Opens one name, or makes it. As a directory first: that mounts what is to be mounted on demand.
    fn open_part(&self, here: &OwnedFd, part: &Part) -> Result<OwnedFd> {
        let name = part.name.as_os_str();
        let doing = || format!("open {}", name.display());
        let no_follow = OFlag::O_NOFOLLOW | OFlag::O_PATH | OFlag::O_CLOEXEC;
        let open = |flags| openat(here, name, no_follow | flags, Mode::empty());
        for _ in 0..TRIES_MAX {
            let found = match open(OFlag::O_DIRECTORY) {
                Err(Errno::ENOTDIR | Errno::ELOOP) => open(OFlag::empty()),
                other => other,
            };
            match found {
                Err(Errno::ENOENT) if part.origin == Origin::Asked => {}
                other => return other.map_err(|e| Error::errno(doing(), e)),
            }
            match make(here, name, self.mode) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(error) => {
                    return Err(Error::errno(
                        format!("make directory {}", name.display()),
                        error,
                    ));
                }
            }
        }
        let said = "it comes and goes";
        Err(Error::new(doing(), Kind::Unavailable, said))
    }

    /// Puts the parts of a link before what is left.
    fn follow(&mut self, target: &OsStr) -> std::result::Result<(), String> {
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err("too many links".to_owned());
        }
        let target = Path::new(target);
        let shown = || format!("the link to {} leads out", target.display());
        let rest = if target.is_absolute() {
            let inside = self
                .roots
                .iter()
                .find_map(|root| target.strip_prefix(root).ok());
            let inside = inside.ok_or_else(shown)?;
            self.open.truncate(1);
            inside
        } else {
            target
        };
        for part in parts(rest.as_os_str(), Origin::Link).into_iter().rev() {
            self.left.push_front(part);
        }
        Ok(())
    }
}

/// Makes a directory with all of the mode's bits: by the mask and not by a chmod, which somebody could turn to another
/// directory by a swap.
fn make(here: impl AsFd, name: &OsStr, mode: Mode) -> nix::Result<()> {
    let before = umask(Mode::empty());
    let made = mkdirat(here, name, mode);
    umask(before);
    made
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir =
            std::env::temp_dir().join(format!("staticlet-inside-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("volume")).unwrap();
        fs::create_dir_all(dir.join("outside/b")).unwrap();
        dir
    }

    fn inode(fd: &OwnedFd) -> u64 {
        fstat(fd).unwrap().st_ino
    }

    fn inode_of(path: &Path) -> u64 {
        fs::symlink_metadata(path).unwrap().ino()
    }

    #[test]
    fn what_is_missing_is_made_like_the_root() {
        let dir = scratch("made");
        let root = dir.join("volume");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o2777)).unwrap();
        let made = open_or_make(&root, Path::new("./a//b/")).unwrap();
        assert_eq!(inode(&made), inode_of(&root.join("a/b")));
        for path in ["a", "a/b"] {
            let mode = fs::metadata(root.join(path)).unwrap().mode();
            assert_eq!(mode & 0o7777, 0o2777, "{path}");
        }
        assert_eq!(inode(&open_or_make(&root, Path::new(".")).unwrap()), {
            inode_of(&root)
        });
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn links_are_followed_as_far_as_they_stay_below() {
        let dir = scratch("links");
        let root = dir.join("volume");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "").unwrap();
        symlink("../a", root.join("a/back")).unwrap();
        symlink(root.join("a"), root.join("absolute")).unwrap();
        symlink("a/file", root.join("file")).unwrap();
        symlink("nothing/there", root.join("dangling")).unwrap();
        symlink(dir.join("outside"), root.join("out")).unwrap();
        symlink("../outside", root.join("up")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let found = |path: &str| open_or_make(&root, Path::new(path)).map(|fd| inode(&fd));
        for (path, wanted) in [
            ("a/back/b", "a/b"),
            ("absolute/b", "a/b"),
            ("file", "a/file"),
        ] {
            assert_eq!(found(path).unwrap(), inode_of(&root.join(wanted)), "{path}");
        }
        for (path, said) in [
            ("out/b", "leads out"),
            ("up/b", "leads out"),
            ("../outside/b", "leads out"),
            ("a/../../outside/b", "leads out"),
            ("magic/etc", "leads out"),
            ("loop", "too many links"),
            ("dangling", "No such file"),
            ("file/x", "Not a directory"),
        ] {
            let error = found(path).unwrap_err().to_string();
            assert!(error.contains(said), "{path}: {error}");
        }
        assert!(!root.join("nothing").exists() && !dir.join("outside/x").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_file_is_read_inside_and_not_out() {
        let dir = std::env::temp_dir().join(format!("staticlet-beneath-{}", std::process::id()));
        let inner = dir.join("v/d");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("f"), "in").unwrap();
        fs::write(dir.join("secret"), "out").unwrap();
        symlink("d/f", dir.join("v/good")).unwrap();
        symlink("../secret", dir.join("v/up")).unwrap();
        symlink(dir.join("secret"), dir.join("v/away")).unwrap();
        symlink("..", inner.join("back")).unwrap();
        let read = |inside: &str| read_below(&dir.join("v"), Path::new(inside), 10);
        assert_eq!(read("good").unwrap(), b"in");
        assert_eq!(read("d/back/d/f").unwrap(), b"in");
        for out in ["up", "away", "d/back/up", "../secret", "/etc/hostname"] {
            assert_eq!(read(out).unwrap_err().kind(), Kind::Refused, "{out}");
        }
        assert_eq!(read("d").unwrap_err().kind(), Kind::Refused);
        assert_eq!(read("none").unwrap_err().kind(), Kind::Gone);
        fs::write(inner.join("f"), "far too long a text").unwrap();
        assert_eq!(read("good").unwrap_err().kind(), Kind::TooBig);
        fs::remove_dir_all(&dir).unwrap();
    }

    /// CVE-2017-1002101 and CVE-2021-25741: a directory and a link change places all the time.
    #[test]
    fn no_swap_leads_out() {
        let dir = scratch("swap");
        let root = dir.join("volume");
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink(dir.join("outside"), root.join("link")).unwrap();
        let outside = [
            inode_of(&dir.join("outside")),
            inode_of(&dir.join("outside/b")),
        ];
        let done = AtomicBool::new(false);
        let (mut opened, mut refused, mut escaped) = (0, 0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let at = |name: &str| root.join(name);
                while !done.load(Ordering::Relaxed) {
                    fs::rename(at("a"), at("kept")).unwrap_or_default();
                    fs::rename(at("link"), at("a")).unwrap_or_default();
                    // Whatever was made in its place meanwhile goes.
                    fs::rename(at("a"), at("link")).unwrap_or_default();
                    let _ = fs::remove_dir_all(at("a"));
                    fs::rename(at("kept"), at("a")).unwrap_or_default();
                    let _ = symlink(dir.join("outside"), at("link"));
                }
            });
            for _ in 0..20_000 {
                match open_or_make(&root, Path::new("a/b")) {
                    Ok(fd) if outside.contains(&inode(&fd)) => escaped += 1,
                    Ok(_) => opened += 1,
                    Err(_) => refused += 1,
                }
            }
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!(escaped, 0);
        assert!(opened > 0 && refused > 0, "{opened} {refused}");
        assert_eq!(fs::read_dir(dir.join("outside")).unwrap().count(), 1);
        fs::remove_dir_all(dir).unwrap();
    }
}
