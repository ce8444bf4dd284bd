//! What comes back from jobs.

use std::time::Duration;

use log::info;

use super::Agent;
use crate::state::{Event, JobEnd, JobKey, Report, Watched};
use crate::sys::Now;

impl Agent {
    /// What a job said or how it ended: bells ring, sources and mirrors hear of it, Memory keeps it.
    pub(super) fn take(&mut self, event: Event, now: Now) {
        self.take_image(&event, now);
        match &event {
            Event::JobSaid {
                report: Report::Bell { id },
                ..
            } => {
                if let Some(id) = id {
                    self.observer.stale(Some(id));
                }
                self.pace.ring();
            }
            Event::JobSaid {
                report: Report::Hooked { id },
                ..
            } => {
                self.observer.stale(Some(id));
                self.pace.ring();
            }
            Event::JobSaid {
                report: Report::Connected,
                ..
            } => {
                self.observer.stale(None);
                self.pace.ring();
            }
            Event::JobEnded {
                job: JobKey::Events,
                end,
            } => self.pace.events_lost(end != &JobEnd::Cancelled, now.mono),
            Event::JobEnded {
                job: JobKey::Keep,
                end,
            } => self.sources.kept(end == &JobEnd::Done, now),
            Event::JobEnded {
                job: JobKey::Fetch,
                end,
            } => self.sources.fetch_ended(end),
            Event::JobSaid {
                job: JobKey::Fetch,
                report,
            } => self.sources.fetch_said(report),
            Event::JobSaid {
                job: JobKey::Mirror | JobKey::Watch(_),
                ..
            }
            | Event::JobEnded {
                job: JobKey::Mirror | JobKey::Watch(_),
                ..
            } => self.take_mirror(&event, now),
            Event::JobSaid {
                job: JobKey::Reclaim,
                report,
            } => self.take_reclaim(report, now),
            // They change no container.
            Event::JobEnded {
                job: JobKey::Probe(..) | JobKey::Preload | JobKey::Reclaim,
                ..
            } => {}
            // The last of them: what comes next for its pod waits for this look, and it disturbs nobody.
            Event::JobEnded { .. } if self.jobs.busy() <= 1 => self.pace.ring_at_once(),
            Event::JobEnded { .. } => self.pace.ring(),
            Event::JobSaid { .. } | Event::JobStarted { .. } | Event::JobCancelled { .. } => {}
        }
        let node = &self.settings.node.name;
        // That of a pod whose manifest is gone is told as well: its hooks still run.
        let pod = event.job().pod().and_then(|key| {
            let wanted = self.desired.pods.get(key).map(|wanted| &wanted.pod.pod);
            wanted.or_else(|| self.publisher.shown_pod(key))
        });
        self.mirrors.recorder.happened(&event, pod, node, now);
        self.fold(&event, now);
    }

    /// What the jobs about the API server said.
    fn take_mirror(&mut self, event: &Event, now: Now) {
        match event {
            Event::JobSaid { report, .. } => {
                self.is_stale |= self.mirrors.said(report, &mut self.teller, now);
            }
            Event::JobEnded {
                job: JobKey::Watch(watched),
                ..
            } => self.mirrors.watch_ended(*watched, now.mono),
            Event::JobEnded { end, .. } => {
                let was = self.mirrors.trouble.is_some();
                self.is_stale |= self.mirrors.ended(end, self.compares, now);
                if self.mirrors.is_back {
                    // Those that are open may be to a server that is no more, and hear nothing.
                    self.jobs.cancel(&JobKey::Watch(Watched::Pods));
                    self.jobs.cancel(&JobKey::Watch(Watched::Node));
                }
                if was && self.mirrors.trouble.is_none() {
                    self.teller.forget("API server");
                    info!("API server answers");
                }
            }
            Event::JobStarted { .. } | Event::JobCancelled { .. } => {}
        }
    }

    pub(super) fn fold(&mut self, event: &Event, now: Now) {
        let crash_wait_max =
            Duration::from_secs(u64::from(self.settings.node.crash_wait_max_seconds));
        let probe = event.probe();
        let feeds = matches!(
            event.job(),
            JobKey::Keep | JobKey::Fetch | JobKey::Mirror | JobKey::Watch(_)
        );
        let shown = probe.map(|job| self.memory.shown_of(job));
        self.memory.fold(event, crash_wait_max, now);
        // A healthy probe changes nothing that anybody sees, and a hundred of them tick every second.
        self.is_stale |=
            (shown.is_none() && !feeds) || shown != probe.map(|job| self.memory.shown_of(job));
        self.teller.event(event, &self.memory, now);
    }
}
