//! What the files that are in the directory tell about those that are not. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::file::Manifest;
use super::scan::{Listing, Place};
use crate::pod::PodKey;
use crate::sys::Gather;

/// See above.
pub(super) struct Surroundings {
    /// One of them can be used: the directory is a manifest directory, not an empty mount point.
    pub(super) replacing: bool,
    /// The pods they want.
    pub(super) keys: BTreeSet<PodKey>,
    /// The inodes of those that have not been read yet.
    pub(super) unread: Vec<Place>,
}

impl Surroundings {
    pub(super) fn of(files: &BTreeMap<OsString, Manifest>, listing: &Listing) -> Surroundings {
        let here = || {
            files
                .iter()
                .filter(|(name, _)| listing.entries.contains_key(*name))
        };
        let keys = here().filter_map(|(_, file)| file.good.as_ref().map(|pod| pod.key.clone()));
        let unread = here().filter(|(_, file)| file.is_unread());
        Surroundings {
            replacing: here().any(|(_, file)| file.good.is_some()),
            keys: keys.gather(),
            unread: unread.map(|(_, file)| file.stamp.place).collect(),
        }
    }
}
