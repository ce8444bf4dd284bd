//! Image archives: read, given to a job one after the other, told.

use log::{debug, info, warn};

use super::{Agent, launch, tell};
use crate::config::Settings;
use crate::jobs::Request;
use crate::pod::{ContainerName, PodKey, container_of};
use crate::sources::{Preload, PreloadSettings};
use crate::state::{ArchiveSaid, ArchiveState, Event, Held, JobKey, Report};
use crate::sys::Now;

/// The directory of image archives, if one was given.
pub(super) fn preload(settings: &Settings) -> Option<Preload> {
    let dir = settings.image_preload_dir.clone()?;
    Some(Preload::new(PreloadSettings {
        dir,
        root_dir: settings.node.root_dir.clone(),
        docker_socket: settings.node.docker_socket.clone(),
        file_check: settings.file_check,
        allow_untrusted: settings.allow_untrusted_manifests,
    }))
}

/// Whether archives are looked for in another way.
pub(super) fn differ(now: &Settings, then: &Settings) -> bool {
    now.image_preload_dir != then.image_preload_dir
        || now.allow_untrusted_manifests != then.allow_untrusted_manifests
}

impl Agent {
    /// Looks at the archives, has one loaded, and sees to what waits for them.
    pub(super) fn feed_images(&mut self, now: Now) {
        let Some(preload) = &mut self.preload else {
            return;
        };
        preload.look(now);
        let messages = preload.messages();
        self.is_stale |= !messages.is_empty();
        messages.iter().for_each(tell::source);
        let docker = &self.observed.docker;
        // One that another directory was given to may still be at it.
        let is_busy = self.memory.jobs.contains_key(&JobKey::Preload);
        let request = match self.docker_error {
            None if !is_busy => preload.work(docker, now.mono),
            None | Some(_) => None,
        };
        if let Some(request) = request {
            let request = Request::Preload(request);
            self.start(JobKey::Preload, &request, launch::Started::default(), now);
        }
        let held = self.preload.as_ref().map(|preload| preload.held(now.mono));
        let held = held.unwrap_or_default();
        if held != self.memory.held {
            self.is_stale = true;
            match held {
                Held::Starts => info!("pods wait until image archives are loaded"),
                Held::Pulls | Held::Nothing if self.memory.held == Held::Starts => {
                    info!("pods wait no longer for image archives");
                }
                Held::Pulls | Held::Nothing => {}
            }
            self.memory.held = held;
        }
    }

    /// Takes in what may be about an archive.
    pub(super) fn take_image(&mut self, event: &Event, now: Now) {
        let Some(preload) = &mut self.preload else {
            return;
        };
        match event {
            Event::JobSaid {
                job: JobKey::Preload,
                report: Report::Archive(said),
            } => self.take_archive(said, now),
            Event::JobEnded {
                job: JobKey::Preload,
                end,
            } => {
                preload.ended(end, now.mono);
                self.is_stale = true;
            }
            Event::JobEnded {
                job: JobKey::Events,
                ..
            } => preload.doubt_all(),
            Event::JobSaid {
                job: JobKey::Pod(key),
                report: Report::ImageMissing { container },
            } => {
                let (key, container) = (key.clone(), container.clone());
                self.image_missing(&key, &container);
            }
            Event::JobSaid { .. }
            | Event::JobStarted { .. }
            | Event::JobCancelled { .. }
            | Event::JobEnded { .. } => {}
        }
    }

    /// Archives that wait, are being loaded, are loaded, cannot be loaded.
    pub(super) fn archive_counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        let statuses = self.preload.as_ref().map(Preload::statuses);
        for archive in statuses.unwrap_or_default() {
            let [waiting, loading, loaded, failed] = &mut counts;
            *match archive.state {
                ArchiveState::Waiting => waiting,
                ArchiveState::Loading => loading,
                ArchiveState::Loaded => loaded,
                ArchiveState::Failed => failed,
            } += 1;
        }
        counts
    }

    fn image_missing(&mut self, key: &PodKey, container: &ContainerName) {
        let spec = self.desired.pods.get(key);
        let spec = spec.and_then(|wanted| wanted.pod.pod.spec.as_ref());
        let container = spec.and_then(|spec| container_of(spec, container.as_str()));
        let image = container.and_then(|container| container.image.as_deref());
        if let (Some(preload), Some(image)) = (&mut self.preload, image) {
            preload.missing(image);
        }
    }

    fn take_archive(&mut self, said: &ArchiveSaid, now: Now) {
        let preload = self.preload.as_mut();
        let Some(told) = preload.and_then(|preload| preload.said(said, now.mono)) else {
            return;
        };
        let (file, image) = (&told.file, told.images.join(", "));
        match said {
            ArchiveSaid::Image(_) => {}
            ArchiveSaid::Sent { bytes, of } => {
                info!(file:%, bytes:% = format!("{bytes}/{of}"); "image archive is being loaded");
            }
            ArchiveSaid::Loaded { bytes } => {
                let took_ms = now.mono.since(told.since).as_millis();
                self.teller.forget(file);
                info!(file:%, image, bytes, took_ms; "image archive loaded");
                self.memory.images_came();
            }
            ArchiveSaid::There => debug!(file:%, image; "image archive was loaded before"),
            ArchiveSaid::Refused { why, .. } => {
                if self.teller.is_news(file, why, now) {
                    let retry = told.retry.map(|at| at.since(now.mono));
                    let wait_ms = retry.unwrap_or_default().as_millis();
                    warn!(file:%, err:% = why, wait_ms; "image archive refused");
                }
            }
        }
    }
}
