//! One agent per root directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::error::{Error, Kind, Result};

/// A lock that the kernel frees when its holder dies, however that comes.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<File>,
}

impl Lock {
    /// Takes the lock, and writes this process's id into its file.
    ///
    /// # Errors
    /// `Conflict` names the process that has it.
    pub fn take(path: &Path) -> Result<Lock> {
        let doing = || format!("lock {}", path.display());
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| Error::io(doing(), &e))?;
        let mut held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
                let pid = read_pid(file);
                let said =
                    format!("another agent has it{pid}; one root directory is for one agent");
                return Err(Error::new(doing(), Kind::Conflict, said));
            }
            Err((_, errno)) => return Err(Error::errno(doing(), errno)),
        };
        // Only for the message above and for `status`: a full disk is no reason not to run.
        let _ = held
            .set_len(0)
            .and_then(|()| held.rewind())
            .and_then(|()| write!(held, "{}", std::process::id()));
        Ok(Lock { _held: held })
    }

    /// The process that has the lock, if any has. Takes nothing.
    pub fn holder(path: &Path) -> Option<String> {
        let file = File::open(path).ok()?;
        match Flock::lock(file, FlockArg::LockSharedNonblock) {
            Ok(_) => None,
            Err((file, _)) => Some(read_pid(file).trim_start_matches(": pid ").to_owned()),
        }
    }
}

fn read_pid(file: File) -> String {
    let mut text = String::new();
    let _ = file.take(16).read_to_string(&mut text);
    if text.is_empty() {
        text
    } else {
        format!(": pid {text}")
    }
}
