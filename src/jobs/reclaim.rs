//! Removes images that are of no use, by what [`reclaim`] decides.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ledger;
use super::report::say;
use super::run::Outcome;
use crate::decide::{Disk, ImageSeen, Pins, ReclaimLimits, ReclaimWhy, Removal, reclaim};
use crate::docker::Docker;
use crate::state::{ReclaimSaid, Report};
use crate::sys::{self, Gather, Kind, Result, files};

/// What is to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReclaimRequest {
    /// dockerd's socket.
    pub docker_socket: String,
    /// Its API version.
    pub api: (u32, u32),
    /// Where it is remembered what is of use.
    pub root_dir: String,
    /// When to remove what.
    pub limits: ReclaimLimits,
    /// The images of wanted pods and of sandboxes, as they are named.
    pub wanted: Vec<String>,
    /// The directory of image archives.
    pub preload_dir: Option<PathBuf>,
}

/// Does it.
pub(super) fn run(request: &ReclaimRequest) -> Outcome {
    Outcome::told(carry_out(request))
}

fn carry_out(request: &ReclaimRequest) -> Result<()> {
    let docker = Docker::new(&request.docker_socket, Some(request.api));
    // Images first: what gets a container in between counts as in use.
    let images = docker.all_images()?;
    let in_use = docker.images_in_use()?;
    let in_use: BTreeSet<&str> = in_use.iter().map(|id| bare(id)).gather();
    let there: BTreeSet<&str> = images.iter().map(|image| image.id.as_str()).gather();
    let now = sys::now().wall;
    let ledger = ledger::change(&request.root_dir, |ledger| {
        ledger.images.retain(|id, _| there.contains(id.as_str()));
        for (id, usage) in &mut ledger.images {
            usage.seen(in_use.contains(bare(id)), now);
        }
    })?;
    let dir = request.preload_dir.as_deref();
    let brought = dir.into_iter().flat_map(|dir| ledger.brought(dir));
    let pins = Pins {
        names: request.wanted.clone(),
        ids: brought.map(str::to_owned).gather(),
    };
    let images: Vec<ImageSeen> = images
        .into_iter()
        .map(|image| ImageSeen {
            busy: in_use.contains(bare(&image.id)),
            usage: ledger.images.get(&image.id).cloned(),
            id: image.id,
            tags: image.repo_tags,
            digests: image.repo_digests,
            bytes: u64::try_from(image.size).unwrap_or(0),
        })
        .collect();
    let root = docker.facts()?.0.docker_root_dir;
    let disk = || {
        let (capacity, available) = files::disk_room(&root)?;
        Some(Disk {
            capacity,
            available,
        })
    };
    let limits = &request.limits;
    let before = disk();
    for removal in reclaim(&images, &pins, before, limits, now) {
        let enough = || disk().is_some_and(|disk| limits.is_enough(disk));
        if removal.why == ReclaimWhy::Space && enough() {
            break;
        }
        remove(&docker, &removal, (before, &root));
    }
    // A dockerd that sees other disks than this process is only asked for what is too old.
    if let Some(disk) = disk() {
        let percent = disk.percent();
        let why = format!(
            "{percent} % of the disk that {root} is on are in use, and no image is left that staticlet may remove"
        );
        let short = limits.is_full(disk).then_some(why);
        say(&Report::Reclaim(ReclaimSaid::Disk { percent, short }));
    }
    Ok(())
}

/// Removes every name of an image, and with the last one or without any the image itself. dockerd refuses what has got a
/// container meanwhile.
fn remove(docker: &Docker, removal: &Removal, (disk, root): (Option<Disk>, &str)) {
    let image = removal.names.first().unwrap_or(&removal.id).clone();
    let all = removal.names.iter().chain([&removal.id]);
    let failed = all
        .filter_map(|name| docker.remove_image(name).err())
        .find(|error| error.kind() != Kind::Gone);
    if let Some(error) = failed {
        let why = error.to_string();
        return say(&Report::Reclaim(ReclaimSaid::Stays { image, why }));
    }
    let aged = removal.why == ReclaimWhy::Age;
    let why = match disk.filter(|_| !aged) {
        Some(disk) => format!("{} % of the disk of {root} are in use", disk.percent()),
        None => "of no use for longer than imageMaximumGCAge".to_owned(),
    };
    let bytes = removal.bytes;
    say(&Report::Reclaim(ReclaimSaid::Removed {
        image,
        bytes,
        aged,
        why,
    }));
}

/// Podman leaves out the kind of digest in some answers.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}
