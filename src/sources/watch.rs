//! The doorbell: inotify on the manifest directory, on what it hangs from, and on the targets of links.
//!
//! IO. Watches are set anew at every look instead of being kept up by events: setting one that is there is free, and a
//! changed number is the surest sign that the directory is not the one it was.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

use super::scan::base;
use crate::sys::Gather;

/// Bytes of one read of events: some hundred of them.
const EVENT_BYTES: usize = 16 * 1024;

/// Reads per ring. What is left rings again at once; without a limit a program that writes without end would hold the
/// loop here.
const READS_MAX: usize = 16;

/// All of the inotify side.
#[derive(Default)]
pub(super) struct Watch {
    inotify: Option<Inotify>,
    /// By the kernel's number of the watch.
    set: BTreeMap<i32, (WatchDescriptor, Role)>,
    /// The watch of the directory itself.
    dir: Option<i32>,
    /// Why there are no events, or not all of them.
    failure: Option<String>,
    /// Single writes ring nothing: a file of gigabytes has many of them.
    without_writes: bool,
}

/// What a watch is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Role {
    /// The manifest directory: names are manifests.
    Dir,
    /// What the path hangs from: only this name is of interest.
    Above(OsString),
    /// The directory that holds the one manifest of this name.
    Holder(OsString),
    /// The file that the manifest of this name is a link to.
    Target(OsString),
}

/// What one event is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ring {
    /// Something about this manifest.
    Name(OsString, EventMask),
    /// Something about the path as a whole.
    Path,
    /// Events were lost: nothing that they told may be relied on.
    Lost,
}

impl Watch {
    /// One that rings when a file is there, and when its writer is done with it.
    pub(super) fn without_writes() -> Watch {
        Watch {
            without_writes: true,
            ..Watch::default()
        }
    }

    /// What to poll.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Why events cannot be relied on to come, if so.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Watches `path` and what it hangs from; true when the directory there is not the one that was watched before.
    pub(super) fn arm(&mut self, path: &Path) -> bool {
        self.failure = None;
        if self.inotify.is_none() {
            match Inotify::init() {
                Ok(inotify) => self.inotify = Some(inotify),
                Err(err) => {
                    self.failure = Some(format!("inotify: {err}"));
                    return false;
                }
            }
        }
        let targets = self
            .set
            .iter()
            .filter(|(_, (_, role))| matches!(role, Role::Target(_)));
        let mut keep: BTreeMap<_, _> = targets.map(|(id, watch)| (*id, watch.clone())).gather();
        let mut child = path;
        while let Some(above) = child.parent() {
            let above = if above.as_os_str().is_empty() {
                Path::new(".")
            } else {
                above
            };
            let role = Role::Above(base(child).to_owned());
            if self.add(above, above_mask(), role, &mut keep).is_some() || above == child {
                break;
            }
            child = above;
        }
        let before = self.dir;
        let mut mask = dir_mask();
        mask.set(WatchMask::MODIFY, !self.without_writes);
        self.dir = self.add(path, mask, Role::Dir, &mut keep);
        if self.dir.is_none() && path.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
            let holder = path.parent().filter(|above| !above.as_os_str().is_empty());
            let role = Role::Holder(base(path).to_owned());
            self.add(
                holder.unwrap_or(Path::new(".")),
                dir_mask(),
                role,
                &mut keep,
            );
        }
        self.replace(keep);
        before != self.dir
    }

    /// Watches the files that these manifests are links to, and no others. True when one is new: what happened to it
    /// before the watch was set is not known.
    pub(super) fn arm_targets(&mut self, dir: &Path, single: bool, names: &[OsString]) -> bool {
        let mut keep: BTreeMap<_, _> = self
            .set
            .iter()
            .filter(|(_, (_, role))| !matches!(role, Role::Target(_)))
            .map(|(id, watch)| (*id, watch.clone()))
            .gather();
        let mut new = false;
        for name in names {
            let path = if single {
                dir.to_owned()
            } else {
                dir.join(name)
            };
            if let Some(id) = self.add(&path, target_mask(), Role::Target(name.clone()), &mut keep)
            {
                new |= !self.set.contains_key(&id);
            }
        }
        self.replace(keep);
        new
    }

    fn add(
        &mut self,
        path: &Path,
        mask: WatchMask,
        role: Role,
        keep: &mut BTreeMap<i32, (WatchDescriptor, Role)>,
    ) -> Option<i32> {
        match self.inotify.as_ref()?.watches().add(path, mask) {
            Ok(watch) => {
                let id = watch.get_watch_descriptor_id();
                keep.insert(id, (watch, role));
                Some(id)
            }
            Err(err) => {
                // Absent and unreadable paths are reported by the one who reads them.
                if matches!(
                    err.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory
                ) {
                    self.failure = Some(format!(
                        "watch {}: no inotify watches left: {err}",
                        path.display()
                    ));
                }
                None
            }
        }
    }

    fn replace(&mut self, keep: BTreeMap<i32, (WatchDescriptor, Role)>) {
        if let Some(inotify) = &self.inotify {
            for (id, (watch, _)) in &self.set {
                if !keep.contains_key(id) {
                    // Fails when the directory is gone, and with it the watch.
                    let _ = inotify.watches().remove(watch.clone());
                }
            }
        }
        self.set = keep;
    }

    /// Takes the events that are there.
    pub(super) fn drain(&mut self) -> Vec<Ring> {
        let mut rings = Vec::new();
        let Some(inotify) = &mut self.inotify else {
            return rings;
        };
        let mut buffer = [0; EVENT_BYTES];
        for _ in 0..READS_MAX {
            // WouldBlock: that was all. Anything else shows at the next look, which comes anyway.
            let Ok(events) = inotify.read_events(&mut buffer) else {
                break;
            };
            for event in events {
                let role = self
                    .set
                    .get(&event.wd.get_watch_descriptor_id())
                    .map(|(_, role)| role);
                rings.extend(ring(role, event.mask, event.name));
            }
        }
        rings
    }
}

fn ring(role: Option<&Role>, mask: EventMask, name: Option<&OsStr>) -> Option<Ring> {
    if mask.contains(EventMask::Q_OVERFLOW) {
        return Some(Ring::Lost);
    }
    let whole = EventMask::DELETE_SELF | EventMask::MOVE_SELF | EventMask::UNMOUNT;
    match (role?, name) {
        (Role::Target(manifest), _) => Some(Ring::Name(manifest.clone(), target_event(mask))),
        (Role::Holder(wanted), Some(name)) if wanted == name => {
            Some(Ring::Name(name.to_owned(), mask))
        }
        (Role::Dir | Role::Holder(_), Some(name)) if is_hidden(name) => {
            // A link that manifests go through may be hidden (`..data` of a mounted ConfigMap); one that is switched
            // over comes by rename. Editors' swap files and rsync's partial ones are only written.
            let moved = EventMask::MOVED_TO | EventMask::MOVED_FROM | EventMask::DELETE;
            mask.intersects(moved).then_some(Ring::Path)
        }
        (Role::Dir, Some(name)) => Some(Ring::Name(name.to_owned(), mask)),
        (Role::Holder(_), Some(_)) => None,
        (Role::Above(wanted), Some(name)) => (wanted == name).then_some(Ring::Path),
        // Its mode may have changed, and with it whether it can be read.
        (Role::Dir, None) if mask.contains(EventMask::ATTRIB) => Some(Ring::Path),
        (Role::Dir | Role::Above(_) | Role::Holder(_), None) => {
            mask.intersects(whole).then_some(Ring::Path)
        }
    }
}

/// The file behind a link is told apart from the link: that it is gone says nothing about the manifest's name.
fn target_event(mask: EventMask) -> EventMask {
    mask & (EventMask::MODIFY | EventMask::CLOSE_WRITE | EventMask::ATTRIB)
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn dir_mask() -> WatchMask {
    target_mask() | above_mask()
}

fn above_mask() -> WatchMask {
    WatchMask::ONLYDIR
        | WatchMask::CREATE
        | WatchMask::MOVED_TO
        | WatchMask::MOVED_FROM
        | WatchMask::DELETE
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
}

fn target_mask() -> WatchMask {
    WatchMask::MODIFY
        | WatchMask::CLOSE_WRITE
        | WatchMask::ATTRIB
        | WatchMask::DELETE_SELF
        | WatchMask::MOVE_SELF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_rings_for_what_it_is_about() {
        let name = OsStr::new("a.yaml");
        let this = |mask| Some(Ring::Name(name.to_owned(), mask));
        let hidden = OsStr::new("..data");
        let other = OsStr::new("other");
        let holder = Role::Holder(name.to_owned());
        let above = Role::Above(name.to_owned());
        let target = Role::Target(name.to_owned());
        let rows = [
            (
                Some(&Role::Dir),
                EventMask::CLOSE_WRITE,
                Some(name),
                this(EventMask::CLOSE_WRITE),
            ),
            (Some(&Role::Dir), EventMask::MODIFY, Some(hidden), None),
            (
                Some(&Role::Dir),
                EventMask::MOVED_TO,
                Some(hidden),
                Some(Ring::Path),
            ),
            (
                Some(&Role::Dir),
                EventMask::DELETE_SELF,
                None,
                Some(Ring::Path),
            ),
            (Some(&Role::Dir), EventMask::ATTRIB, None, Some(Ring::Path)),
            (
                Some(&holder),
                EventMask::MODIFY,
                Some(name),
                this(EventMask::MODIFY),
            ),
            (Some(&holder), EventMask::MODIFY, Some(other), None),
            (
                Some(&above),
                EventMask::CREATE,
                Some(name),
                Some(Ring::Path),
            ),
            (Some(&above), EventMask::CREATE, Some(other), None),
            (
                Some(&target),
                EventMask::MODIFY,
                None,
                this(EventMask::MODIFY),
            ),
            (
                Some(&target),
                EventMask::DELETE_SELF,
                None,
                this(EventMask::empty()),
            ),
            (None, EventMask::MODIFY, Some(name), None),
            (None, EventMask::Q_OVERFLOW, None, Some(Ring::Lost)),
        ];
        for (role, mask, name, expected) in rows {
            assert_eq!(
                ring(role, mask, name),
                expected,
                "{role:?} {mask:?} {name:?}"
            );
        }
    }
}
