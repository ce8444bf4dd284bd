//! One agent per root directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use super::error::{Error, Kind, Result};
use super::poll::pause;

/// Who asks for the holder has the lock himself for a moment, and `staticlet wait` asks again and again: only a lock that
/// is held for longer than this is an agent's.
const TRIES: u32 = 10;
const TRY_PAUSE: Duration = Duration::from_millis(20);

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
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| Error::io(doing(), &e))?;
        let mut tries = 0;
        let mut held = loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(held) => break held,
                Err((same, nix::errno::Errno::EWOULDBLOCK)) if tries < TRIES => {
                    tries += 1;
                    pause(TRY_PAUSE);
                    file = same;
                }
                Err((same, nix::errno::Errno::EWOULDBLOCK)) => {
                    let pid = read_pid(same);
                    let said =
                        format!("another agent has it{pid}; one root directory is for one agent");
                    return Err(Error::new(doing(), Kind::Conflict, said));
                }
                Err((_, errno)) => return Err(Error::errno(doing(), errno)),
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_only_asks_for_the_holder_keeps_nobody_out() {
        let path = std::env::temp_dir().join(format!("staticlet-lock-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        let asked = Flock::lock(file, FlockArg::LockSharedNonblock).unwrap();
        let asker = std::thread::spawn(move || {
            pause(Duration::from_millis(50));
            drop(asked);
        });
        let lock = Lock::take(&path).unwrap();
        asker.join().unwrap();
        let own = std::process::id().to_string();
        assert_eq!(Lock::holder(&path), Some(own.clone()));
        let refused = Lock::take(&path).unwrap_err();
        assert_eq!(refused.kind(), Kind::Conflict);
        assert!(refused.said().contains(&format!("pid {own};")), "{refused}");
        drop(lock);
        assert_eq!(Lock::holder(&path), None);
        std::fs::remove_file(path).unwrap();
    }
}
