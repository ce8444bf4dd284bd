//! Paths inside a directory that somebody else may write: no link leads out of it.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::{Error, Kind, Result};

/// A path that is moved about while it is opened makes the kernel give up; so often it is tried again.
const TRIES_MAX: usize = 16;

/// Opens what is at `inside` of a directory, following links as far as they stay in there. The kernel checks that while
/// it walks, so that nobody can swap a part of the path in between. It has to be Linux 5.6 or later.
///
/// # Errors
/// `Gone`; `Refused` for a path that leads out.
fn open_beneath(root: &OwnedFd, inside: &Path, flags: OFlag) -> Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let doing = || format!("open {} inside its volume", inside.display());
    for _ in 0..TRIES_MAX {
        match openat2(root, inside, how) {
            Ok(file) => return Ok(file),
            Err(Errno::EAGAIN) => {}
            Err(Errno::EXDEV) => {
                return Err(Error::new(doing(), Kind::Refused, "it leads out of it"));
            }
            Err(Errno::ENOSYS) => {
                let said = "this kernel cannot check that (no openat2; Linux 5.6 has it)";
                return Err(Error::new(doing(), Kind::Refused, said));
            }
            Err(error) => return Err(Error::errno(doing(), error)),
        }
    }
    Err(Error::new(
        doing(),
        Kind::Refused,
        "it is being moved about",
    ))
}

/// Opens a directory by its path, links and all; a handle for [`open_beneath`].
///
/// # Errors
/// `Gone`, or what the system says.
fn open_root(dir: &Path) -> Result<OwnedFd> {
    use nix::fcntl::open;
    use nix::sys::stat::Mode;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(dir, flags, Mode::empty()).map_err(|e| Error::errno(format!("open {}", dir.display()), e))
}

/// Reads a regular file inside a directory.
///
/// # Errors
/// As [`open_beneath`]; `Refused` for what is no regular file, `TooBig` beyond `max` bytes.
pub fn read_beneath(dir: &Path, inside: &Path, max: usize) -> Result<Vec<u8>> {
    let doing = || format!("read {} in {}", inside.display(), dir.display());
    let file = File::from(open_beneath(&open_root(dir)?, inside, OFlag::O_RDONLY)?);
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err(Error::new(doing(), Kind::Refused, "not a regular file"));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(doing(), &e))?;
    if bytes.len() > max {
        let said = format!("larger than {max} bytes");
        return Err(Error::new(doing(), Kind::TooBig, said));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_inside_and_not_out() {
        let dir = std::env::temp_dir().join(format!("staticlet-beneath-{}", std::process::id()));
        let inner = dir.join("v/d");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("f"), "in").unwrap();
        std::fs::write(dir.join("secret"), "out").unwrap();
        symlink("d/f", dir.join("v/good")).unwrap();
        symlink("../secret", dir.join("v/up")).unwrap();
        symlink(dir.join("secret"), dir.join("v/away")).unwrap();
        symlink("..", inner.join("back")).unwrap();
        let read = |inside: &str| read_beneath(&dir.join("v"), Path::new(inside), 10);
        assert_eq!(read("good").unwrap(), b"in");
        assert_eq!(read("d/back/d/f").unwrap(), b"in");
        for out in ["up", "away", "d/back/up", "../secret", "/etc/hostname"] {
            assert_eq!(read(out).unwrap_err().kind(), Kind::Refused, "{out}");
        }
        assert_eq!(read("d").unwrap_err().kind(), Kind::Refused);
        assert_eq!(read("none").unwrap_err().kind(), Kind::Gone);
        std::fs::write(inner.join("f"), "far too long a text").unwrap();
        assert_eq!(read("good").unwrap_err().kind(), Kind::TooBig);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
