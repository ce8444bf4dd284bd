//! Who else could write a manifest: whoever can, is root on this machine.
//!
//! IO: looks at owners and modes, never at contents. A path is trusted when everything that leads to it belongs to root
//! or to the agent's user and nobody else may write there. A directory with the sticky bit (`/tmp`) may be on the way:
//! nobody can take away there what belongs to another one. It may not be the manifest directory itself. An access
//! control list that lets others write shows in the mode of the group.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::scan::Entry;

/// Links that are followed on the way to one path, as in the kernel.
const LINKS_MAX: usize = 40;

/// What helps against each of the reasons.
const ADVICE: &str = "or start with --allow-untrusted-manifests";

/// Whom to trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trust {
    /// Whatever anybody writes is run.
    anybody: bool,
    user: u32,
}

impl Trust {
    /// Root and the user who runs this, or anybody.
    pub(super) fn new(anybody: bool) -> Trust {
        Trust {
            anybody,
            user: nix::unistd::geteuid().as_raw(),
        }
    }

    /// Why the manifest path cannot be trusted; `None` also where it is not there or cannot be looked at, which
    /// whoever reads it finds out.
    pub(super) fn path(&self, path: &Path) -> Option<String> {
        if self.anybody {
            return None;
        }
        self.walk(path, None).err().flatten()
    }

    /// Why a name in the manifest directory cannot be trusted, given that the directory can.
    pub(super) fn entry(&self, dir: &Path, path: &Path, entry: &Entry) -> Option<String> {
        if self.anybody {
            return None;
        }
        if !entry.symlink {
            return self.owned(path, entry.owner, entry.mode);
        }
        let dir = fs::canonicalize(dir).ok()?;
        let end = match self.walk(path, Some(&dir)) {
            Ok(end) => end,
            Err(why) => return why,
        };
        if end.starts_with(&dir) {
            return None;
        }
        let (end, dir) = (end.display(), dir.display());
        Some(format!(
            "it is a link to {end}, which is outside of {dir}; put the file itself there, {ADVICE}"
        ))
    }

    /// Follows a path and looks at everything on the way. Answers where it ends.
    ///
    /// # Errors
    /// The reason not to trust it; `None` when there is nothing to look at.
    fn walk(&self, path: &Path, inside: Option<&Path>) -> Result<PathBuf, Option<String>> {
        let path = std::path::absolute(path).map_err(|_| None)?;
        let mut left: VecDeque<OsString> = parts(&path);
        let (mut at, mut links) = (PathBuf::from("/"), 0);
        self.directory(&at, &at.symlink_metadata().map_err(|_| None)?, false)?;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            let meta = next.symlink_metadata().map_err(|_| None)?;
            if meta.is_symlink() {
                links += 1;
                if links > LINKS_MAX {
                    return Err(None);
                }
                // Who owns a link in a sticky directory may change where it leads. Its mode means nothing.
                self.owned(&next, meta.uid(), 0)
                    .map_or(Ok(()), |why| Err(Some(why)))?;
                let target = fs::read_link(&next).map_err(|_| None)?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            } else if meta.is_dir() {
                let strict = left.is_empty() || inside.is_some_and(|dir| next.starts_with(dir));
                self.directory(&next, &meta, strict)?;
                at = next;
            } else {
                self.owned(&next, meta.uid(), meta.mode())
                    .map_or(Ok(()), |why| Err(Some(why)))?;
                at = next;
            }
        }
        Ok(at)
    }

    /// A directory on the way; `strict` where new names in it count.
    fn directory(&self, path: &Path, meta: &Metadata, strict: bool) -> Result<(), Option<String>> {
        const STICKY: u32 = 0o1000;
        let sticky = meta.mode() & STICKY != 0 && !strict;
        let mode = if sticky { 0 } else { meta.mode() };
        match self.owned(path, meta.uid(), mode) {
            Some(why) => Err(Some(why)),
            None => Ok(()),
        }
    }

    /// Why something of this owner and mode is not trusted.
    fn owned(&self, path: &Path, owner: u32, mode: u32) -> Option<String> {
        let path = path.display();
        if owner != 0 && owner != self.user {
            let whom = match self.user {
                0 => "not to root".to_owned(),
                user => format!("neither to root nor to the agent's user {user}"),
            };
            return Some(format!(
                "{path} belongs to user {owner}, {whom}; chown it, {ADVICE}"
            ));
        }
        let who = match (mode & 0o002 != 0, mode & 0o020 != 0) {
            (true, _) => "anybody",
            (false, true) => "its group",
            (false, false) => return None,
        };
        let mode = mode & 0o7777;
        Some(format!(
            "{who} may write to {path} (mode {mode:04o}); chmod go-w {path}, {ADVICE}"
        ))
    }
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    parts.collect()
}
