//! When images that are of no use are looked for, and what came of it.

use std::time::Duration;

use log::{info, warn};

use super::{Agent, launch};
use crate::jobs::{ReclaimRequest, Request};
use crate::pod::all_containers;
use crate::state::{JobKey, ReclaimSaid, Report};
use crate::sys::{Mono, Now};

/// As in the kubelet.
const EVERY: Duration = Duration::from_secs(300);

/// The first time: while pods start dockerd has better things to do.
const FIRST: Duration = Duration::from_secs(60);

/// What is known of images that are of no use.
pub(super) struct Reclaim {
    due: Mono,
    /// How many have been removed for their age, and for room.
    pub(super) removed: [u64; 2],
    /// How full Docker's disk was the last time, in percent.
    pub(super) percent: Option<u64>,
    /// Why that is too much, with nothing left to remove.
    pub(super) short: Option<String>,
}

impl Reclaim {
    pub(super) fn new(now: Mono) -> Reclaim {
        Reclaim {
            due: now.after(FIRST),
            removed: [0; 2],
            percent: None,
            short: None,
        }
    }

    /// When it is looked at again.
    pub(super) fn due(&self) -> Mono {
        self.due
    }

    /// Looks at once.
    pub(super) fn ring(&mut self) {
        self.due = Mono(0);
    }
}

impl Agent {
    /// Has images removed that are of no use, from time to time; not before it is known what is wanted.
    pub(super) fn reclaim(&mut self, now: Now) {
        if now.mono < self.reclaim.due {
            return;
        }
        let runs = self.memory.jobs.contains_key(&JobKey::Reclaim);
        let is_off =
            self.settings.reclaim.high_percent >= 100 && self.settings.reclaim.age_max.is_zero();
        if runs || is_off {
            self.reclaim.due = now.mono.after(EVERY);
            return;
        }
        if self.docker_error.is_some() || !self.desired.complete {
            self.reclaim.due = now.mono.after(FIRST);
            return;
        }
        self.reclaim.due = now.mono.after(EVERY);
        let node = &self.settings.node;
        let pods = self.desired.pods.values();
        let specs = pods.filter_map(|wanted| wanted.pod.pod.spec.as_ref());
        let images = specs
            .flat_map(all_containers)
            .filter_map(|container| container.image.clone());
        let request = ReclaimRequest {
            docker_socket: node.docker_socket.clone(),
            api: self.observed.docker.api,
            root_dir: node.root_dir.clone(),
            limits: self.settings.reclaim.clone(),
            wanted: images.chain(node.pause_image.clone()).collect(),
            preload_dir: self.settings.image_preload_dir.clone(),
        };
        let request = Request::Reclaim(request);
        self.start(JobKey::Reclaim, &request, launch::Started::default(), now);
    }

    /// Takes in what came of it.
    pub(super) fn take_reclaim(&mut self, report: &Report, now: Now) {
        #[allow(clippy::wildcard_enum_match_arm)] // it says nothing else
        match report {
            Report::Reclaim(ReclaimSaid::Removed {
                image,
                bytes,
                aged,
                why,
            }) => {
                let [for_age, for_room] = &mut self.reclaim.removed;
                *(if *aged { for_age } else { for_room }) += 1;
                info!(image:%, bytes, why:%; "image removed");
            }
            Report::Reclaim(ReclaimSaid::Stays { image, why })
                if self.teller.is_news(&format!("image {image}"), why, now) =>
            {
                warn!(image:%, err:% = why; "image cannot be removed");
            }
            Report::Reclaim(ReclaimSaid::Disk { percent, short }) => {
                match (&self.reclaim.short, short) {
                    (None, Some(why)) => warn!(why:%; "disk of Docker is too full"),
                    (Some(_), None) => info!("disk of Docker has room again"),
                    (None, None) | (Some(_), Some(_)) => {}
                }
                self.is_stale |= self.reclaim.short != *short;
                self.reclaim.percent = Some(*percent);
                self.reclaim.short.clone_from(short);
            }
            Report::Failed { message, .. } if self.teller.is_news("reclaim", message, now) => {
                warn!(err:% = message; "images of no use cannot be looked for");
            }
            _ => {}
        }
    }
}
