//! Which images are removed: those that have been of no use for the longest time, while the disk is too full.
//!
//! Source: kubelet 1.36 `pkg/kubelet/images/image_gc_manager.go`. Ours is who is asked: a kubelet takes every image of the
//! machine for its own; here only those go that this agent brought or that a pod of its ran on, and only under names
//! of which that is true. Anything else on this dockerd may be the only copy of somebody's work.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pod::ImageRef;
use crate::state::Usage;
use crate::sys::{Gather, InOrder, Wall};

/// When images are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReclaimLimits {
    /// From so much of the disk in use on, in percent; 100: never.
    pub high_percent: u64,
    /// Down to so much.
    pub low_percent: u64,
    /// What was of use less than so long ago stays.
    pub age_min: Duration,
    /// What has been of no use for longer than this goes whatever the disk has left; zero: never.
    pub age_max: Duration,
}

/// The file system that images are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes.
    pub capacity: u64,
    /// Bytes that are left for everybody.
    pub available: u64,
}

/// One image of this dockerd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSeen {
    /// `sha256:...`.
    pub id: String,
    /// `web:1` each.
    pub tags: Vec<String>,
    /// `web@sha256:...` each.
    pub digests: Vec<String>,
    /// Its size, with what it shares with others.
    pub bytes: u64,
    /// A container has it, whosever and whether it runs or not.
    pub busy: bool,
    /// What is remembered of it; `None`: it is none of our business.
    pub usage: Option<Usage>,
}

/// What has to stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Images by name: those of wanted pods, and the sandbox's.
    pub names: Vec<String>,
    /// Images by id: those of archives that would be loaded again at once.
    pub ids: BTreeSet<String>,
}

/// One image to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// `sha256:...`.
    pub id: String,
    /// Every name of it, each of which is to be removed.
    pub names: Vec<String>,
    /// Its size.
    pub bytes: u64,
    /// Why.
    pub why: ReclaimWhy,
}

/// Why an image is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReclaimWhy {
    /// It has been of no use for too long.
    Age,
    /// The disk is too full.
    Space,
}

impl Disk {
    /// How much of it is in use, in whole percent.
    pub fn percent(self) -> u64 {
        let left = u128::from(self.available) * 100;
        let left = left.checked_div(u128::from(self.capacity));
        // Nobody knows how full a disk without a size is.
        left.map_or(0, |left| {
            100_u64.saturating_sub(u64::try_from(left).unwrap_or(100))
        })
    }
}

impl ReclaimLimits {
    /// Whether there is enough room again.
    pub fn is_enough(&self, disk: Disk) -> bool {
        disk.percent() <= self.low_percent
    }

    /// Whether the disk is too full.
    pub fn is_full(&self, disk: Disk) -> bool {
        self.high_percent < 100 && disk.percent() >= self.high_percent
    }
}

/// The images to remove, in this order: those that are too old, then (only as long as there is not room enough) those
/// that have been of no use for the longest time. Removing in between may make room sooner than their sizes tell.
pub fn reclaim(
    images: &[ImageSeen],
    pins: &Pins,
    disk: Option<Disk>,
    limits: &ReclaimLimits,
    now: Wall,
) -> Vec<Removal> {
    let pinned: BTreeSet<FullName> = pins
        .names
        .iter()
        .filter_map(|name| ImageRef::in_full(name))
        .gather();
    let mut idle: Vec<(&ImageSeen, Duration)> = images
        .iter()
        .filter(|image| !image.busy && !pins.ids.contains(&image.id))
        .filter(|image| !names(image).any(|(name, _)| pinned.contains(&name)))
        .filter_map(|image| {
            let usage = image.usage.as_ref().filter(|usage| !usage.busy)?;
            is_ours(image, usage).then(|| (image, now.since(usage.used)))
        })
        .filter(|(_, age)| *age >= limits.age_min)
        .collect();
    idle.order_by(|(a, a_age), (b, b_age)| (b_age, &a.id).cmp(&(a_age, &b.id)));
    let is_old = |age: Duration| !limits.age_max.is_zero() && age > limits.age_max;
    let is_full = disk.is_some_and(|disk| limits.is_full(disk));
    idle.into_iter()
        .filter_map(|(image, age)| {
            let why = match (is_old(age), is_full) {
                (true, _) => ReclaimWhy::Age,
                (false, true) => ReclaimWhy::Space,
                (false, false) => return None,
            };
            Some(Removal {
                id: image.id.clone(),
                names: names(image).map(|(_, name)| name.clone()).collect(),
                bytes: image.bytes,
                why,
            })
        })
        .collect()
}

/// Repository and version, with what may be left out.
type FullName = (String, String);

/// The names of an image, tags first. dockerd writes `<none>:<none>` for none.
fn names(image: &ImageSeen) -> impl Iterator<Item = (FullName, &String)> {
    let all = image.tags.iter().chain(&image.digests);
    all.filter_map(|name| Some((ImageRef::in_full(name)?, name)))
}

/// Whether it has only names that we know it by: a tag exactly, a digest by its repository.
fn is_ours(image: &ImageSeen, usage: &Usage) -> bool {
    let known: BTreeSet<FullName> = usage
        .names
        .iter()
        .filter_map(|name| ImageRef::in_full(name))
        .gather();
    names(image).all(|((repository, version), _)| {
        let is_digest = version.contains(':');
        let mut of_it = known.iter().filter(|(known, _)| *known == repository);
        of_it.any(|(_, known)| is_digest || *known == version)
    })
}
