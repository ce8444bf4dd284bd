//! The loop: the only room that sees every other.
//!
//! IO. One thread, one `poll`. What rings (a signal, a job, inotify) only makes a look due; what happened is then read from
//! the directory and from dockerd. Invariants: the loop waits for nothing but `poll` and the short reads of a look, each
//! with a deadline; after a job has ended its pod is left alone until the next look; whatever is lost here is relearnt.
//! Start reading at [`Agent::turn`].

mod events;
mod images;
mod launch;
mod mirror;
mod notice;
mod pace;
mod reclaim;
mod reload;
mod stop;
mod take;
mod tell;
mod vitals;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::{info, warn};

use crate::config::Settings;
use crate::decide::{Action, Decision, Limits, decide};
use crate::jobs::{Jobs, Request, program_digest};
use crate::observe::Observer;
use crate::pod::{PodKey, PodUid};
use crate::publish::{Api, Publisher, World};
use crate::serve::Doors;
use crate::sources::{Preload, Sources};
use crate::state::{Desired, Event, JobEnd, JobKey, Memory, Observed};
use crate::sys::{self, Gather, Lock, Mono, Notify, Now, Signal, Signals, files};
use mirror::{Mirrors, View};
use pace::Pace;
pub use reload::{Reread, log_level};
pub use stop::{Stopped, stop_all};
use tell::Teller;
use vitals::Vitals;

/// Makes the root directory this process's own for as long as it runs.
fn lock(root_dir: &str) -> sys::Result<Lock> {
    files::make_dir(Path::new(root_dir), 0o750)?;
    Lock::take(&lock_path(root_dir))
}

/// The process that has a root directory, if an agent runs on it.
pub fn holder(root_dir: &str) -> Option<String> {
    Lock::holder(&lock_path(root_dir))
}

fn lock_path(root_dir: &str) -> PathBuf {
    Path::new(root_dir).join("agent.lock")
}

/// Runs until SIGTERM or SIGINT; the pods go on without it.
///
/// # Errors
/// Only at the start: another agent has the root directory, or the directories cannot be made.
pub fn run(settings: Settings, notify: Notify, reread: &Reread<'_>) -> sys::Result<()> {
    let signals = Signals::block()?;
    let _lock = lock(&settings.node.root_dir)?;
    let mut agent = Agent::new(settings, notify);
    info!(node:% = agent.settings.node.name; "agent started");
    tell::settings(&agent.settings);
    let mut ready = false;
    loop {
        for signal in signals.read() {
            match signal {
                Signal::Terminate => {
                    info!("agent ends, pods go on");
                    agent.notify.stopping();
                    return Ok(());
                }
                Signal::Reload => agent.reload(reread),
                Signal::Child => {}
            }
        }
        let until = agent.turn(sys::now());
        if !std::mem::replace(&mut ready, true) {
            agent.notify.ready();
        }
        let mut fds = agent.jobs.fds();
        fds.extend(agent.sources.fds());
        fds.extend(agent.preload.as_ref().and_then(Preload::fd));
        fds.extend(agent.doors.fds());
        fds.push(signals.fd());
        sys::poll(&fds, until);
    }
}

struct Agent {
    settings: Settings,
    limits: Limits,
    sources: Sources,
    /// The directory of image archives; `None` when none was given.
    preload: Option<Preload>,
    reclaim: reclaim::Reclaim,
    observer: Observer,
    jobs: Jobs,
    memory: Memory,
    desired: Desired,
    /// The last look that went well.
    observed: Observed,
    /// Why dockerd could not be read the last time; while there is a reason, nothing is decided.
    docker_error: Option<String>,
    pace: Pace,
    /// Names the sandbox image; `None` when the program cannot be read, which each job then says.
    program_digest: Option<String>,
    publisher: Publisher,
    mirrors: Mirrors,
    /// The API server job that runs compares the mirrors.
    compares: bool,
    /// Something has changed that may stand in what is published.
    is_stale: bool,
    teller: Teller,
    vitals: Vitals,
    doors: Doors,
    notify: Notify,
}

impl Agent {
    fn new(settings: Settings, notify: Notify) -> Agent {
        let publisher = Publisher::new(&settings.node);
        let memory = Memory {
            before: publisher.before(),
            ..Memory::default()
        };
        Agent {
            limits: Limits {
                pod_jobs: POD_JOBS,
                pulls: PULLS,
                probes: PROBES,
            },
            sources: Sources::new(settings.sources()),
            preload: images::preload(&settings),
            reclaim: reclaim::Reclaim::new(sys::now().mono),
            observer: Observer::new(&settings.node),
            jobs: Jobs::default(),
            memory,
            desired: Desired::default(),
            observed: Observed::default(),
            docker_error: Some("not looked at yet".to_owned()),
            pace: Pace::new(settings.file_check.min(DOCKER_CHECK_MAX)),
            program_digest: program_digest().ok(),
            publisher,
            mirrors: Mirrors::new(settings.api.clone()),
            compares: false,
            is_stale: true,
            teller: Teller::default(),
            vitals: Vitals::new(sys::now()),
            doors: Doors::new(settings.doors.clone()),
            notify,
            settings,
        }
    }

    /// One turn: take in what rang, look where it is due, decide, act, publish. Returns when the next turn is due.
    fn turn(&mut self, now: Now) -> Mono {
        self.sources.ring(now);
        for event in self.jobs.events(now) {
            self.take(event, now);
        }
        // dockerd first: which of two files of one pod is followed depends on what runs.
        if self.pace.is_due(now.mono) {
            self.is_stale = true;
            self.look();
        }
        if self.sources.due() <= now.mono {
            self.is_stale = true;
            self.read_sources(now);
        }
        self.feed_sources(now);
        self.feed_images(now);
        self.reclaim(now);
        let decision = self.think();
        self.publish();
        self.attend();
        self.notify.alive(sys::now().mono);
        self.tell_api(sys::now());
        let wake = decision.wake.map(|wake| wake.at);
        let is_loading = self.memory.jobs.contains_key(&JobKey::Preload);
        let may_load = self.docker_error.is_none() && !is_loading;
        let due = [
            Some(self.sources.due()),
            Some(self.pace.due()),
            self.jobs.due(),
            self.sources.jobs_due(),
            Some(self.reclaim.due()),
            self.preload.as_ref().map(|preload| preload.due(may_load)),
            self.doors.due(),
            self.notify.due(),
            self.mirrors.due(),
            wake,
        ];
        due.into_iter().flatten().min().unwrap_or(self.pace.due())
    }

    fn read_sources(&mut self, now: Now) {
        let running: BTreeMap<&PodKey, &PodUid> = self
            .observed
            .pods
            .values()
            .map(|pod| (&pod.key, &pod.uid))
            .gather();
        let desired = self
            .sources
            .look(now, &|key| running.get(key).map(|uid| (*uid).clone()));
        for message in self.sources.messages() {
            tell::source(&message);
        }
        if desired != self.desired {
            let before = std::mem::replace(&mut self.desired, desired);
            let node = &self.settings.node.name;
            let recorder = &mut self.mirrors.recorder;
            recorder.refused(&before.refusals, &self.desired, node, now);
            self.memory.wants(&self.desired, &self.observed, now);
            self.vitals.saw(&self.desired, &self.observed, now.mono);
            // Nothing waits for this look; but a dockerd that hangs is noticed now, not at the end of the interval.
            self.pace.ring();
        }
    }

    /// Asks the manifest URL, and has the last good manifests written.
    fn feed_sources(&mut self, now: Now) {
        if let Some(request) = self.sources.fetch(now) {
            let request = Request::Fetch(request);
            self.start(JobKey::Fetch, &request, launch::Started::default(), now);
        }
        if let Some(request) = self.sources.keep(now) {
            let request = Request::Keep(request);
            self.start(JobKey::Keep, &request, launch::Started::default(), now);
        }
    }

    /// Lets in those who ask by HTTP.
    fn attend(&mut self) {
        let now = sys::now();
        for error in self.doors.open(now.mono) {
            if self.teller.is_news("doors", &error.to_string(), now) {
                warn!(err:% = error; "port cannot be opened, tried again every 30 s");
            }
        }
        let mut doors = std::mem::take(&mut self.doors);
        let attended = doors.attend(now.mono, &|| self.pulse(now));
        self.doors = doors;
        if let Err(error) = attended
            && self.teller.is_news("guests", &error.to_string(), now)
        {
            warn!(err:% = error; "client turned away");
        }
    }

    /// Reads dockerd. The clock is read before and after: what a look costs sets the pause to the next.
    fn look(&mut self) {
        let began = sys::now();
        let busy = self.memory.jobs.keys().filter_map(JobKey::steps_of);
        let result = self.observer.look(&busy.cloned().gather());
        let now = sys::now();
        self.pace.looked(began.mono, now.mono, result.is_ok());
        if let Some(at) = self.observer.due() {
            self.pace.no_later_than(at);
        }
        self.vitals.looked(began.mono, result.is_ok());
        match result {
            Ok(mut observed) => {
                if self.docker_error.take().is_some() {
                    self.teller.forget("dockerd");
                    info!("dockerd answers");
                }
                observed.docker.oom_floor = observed.docker.oom_floor.max(self.memory.oom_floor);
                self.teller.strangers(&observed.strangers);
                self.memory.saw(&self.desired, &observed, now);
                self.vitals.saw(&self.desired, &observed, now.mono);
                self.observed = observed;
            }
            Err(error) => {
                let wait_ms = self.pace.due().since(now.mono).as_millis();
                if self.teller.is_news("dockerd", &error.to_string(), now) {
                    warn!(err:% = error, wait_ms; "dockerd cannot be read");
                }
                self.docker_error = Some(error.to_string());
            }
        }
    }

    /// Decides on what was seen last, and starts what was decided. Without a good look nothing is decided.
    fn think(&mut self) -> Decision {
        let now = sys::now();
        if self.pace.is_events_due(now.mono) && !self.memory.jobs.contains_key(&JobKey::Events) {
            let docker_socket = self.settings.node.docker_socket.clone();
            let root_dir = self.settings.node.root_dir.clone();
            self.start(
                JobKey::Events,
                &Request::Events {
                    docker_socket,
                    root_dir,
                },
                launch::Started::default(),
                now,
            );
        }
        if self.docker_error.is_some() {
            return Decision::default();
        }
        let decision = decide(
            &self.desired,
            &self.observed,
            &self.memory,
            self.limits,
            now,
        );
        for action in &decision.actions {
            self.act(action, now);
        }
        decision
    }

    fn act(&mut self, action: &Action, now: Now) {
        tell::action(action);
        if let Action::Pod {
            key, steps, why, ..
        } = action
        {
            let wanted = self.desired.pods.get(key).map(|wanted| &wanted.pod.pod);
            let of = (key, self.publisher.shown_pod(key).or(wanted));
            self.mirrors.recorder.acted(of, (steps, why), now);
        }
        if let Action::Cancel { job, .. } = action {
            self.jobs.cancel(job);
            return self.fold(&Event::JobCancelled { job: job.clone() }, now);
        }
        let node = &self.settings.node;
        if let Some((key, mut request, started)) =
            launch::request(action, node, &self.desired, &self.observed.docker)
        {
            if let Request::Pod(request) = &mut request {
                request.program_digest.clone_from(&self.program_digest);
                request.seen = self.memory.pods.get(&request.key).map(|pod| pod.seen);
            }
            self.start(key, &request, started, now);
        }
    }

    /// A job that cannot be started counts as one that died: its work is tried again later.
    fn start(&mut self, job: JobKey, request: &Request, started: launch::Started, now: Now) {
        let result = self.jobs.start(job.clone(), request, now);
        let launch::Started {
            what,
            uid,
            wants,
            starts,
            sandbox,
        } = started;
        self.fold(
            &Event::JobStarted {
                job: job.clone(),
                what,
                uid,
                wants,
                starts,
                sandbox,
            },
            now,
        );
        if let Err(error) = result {
            warn!(err:% = error; "job cannot be started");
            self.take(
                Event::JobEnded {
                    job,
                    end: JobEnd::Died(error.to_string()),
                },
                now,
            );
        }
    }

    fn publish(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let line = self.pulse(sys::now()).line();
        self.notify.status(&line);
        let events = self.mirrors.recorder.shown();
        let world = World {
            desired: &self.desired,
            observed: &self.observed,
            memory: &self.memory,
            node: &self.settings.node,
            docker_error: self.docker_error.as_deref(),
            disk_short: self.reclaim.short.as_deref(),
            archives: self
                .preload
                .as_ref()
                .map(Preload::statuses)
                .unwrap_or_default(),
            api: self.mirrors.is_on().then(|| Api {
                error: self.mirrors.trouble.as_deref(),
                troubles: self.mirrors.troubles(),
            }),
            events: &events,
        };
        let now = sys::now();
        if let Err(error) = self.publisher.publish(&world, now)
            && self.teller.is_news("publish", &error.to_string(), now)
        {
            warn!(err:% = error; "state cannot be published");
        }
        let (version, items) = self.publisher.shown();
        if self.mirrors.is_on() {
            let error = self.docker_error.as_deref();
            if self.mirrors.published(version, error, now) {
                self.mirrors.recorder.waits(items, now);
            }
        }
    }

    /// Starts what is due for the API server. Nothing here waits for it.
    fn tell_api(&mut self, now: Now) {
        while let Some((watched, request)) = self
            .mirrors
            .watch_request(&self.settings.node.name, now.mono)
        {
            let key = JobKey::Watch(watched);
            self.start(key, &request, launch::Started::default(), now);
        }
        let view = View {
            node: &self.settings.node,
            desired: &self.desired,
            observed: &self.observed,
            docker_error: self.docker_error.as_deref(),
            items: self.publisher.shown().1,
        };
        if let Some(request) = self.mirrors.request(&view, now) {
            self.compares = request.compare;
            let request = Request::Mirror(Box::new(request));
            self.start(JobKey::Mirror, &request, launch::Started::default(), now);
        }
    }
}

/// dockerd is looked at this often at least, whatever `--file-check-frequency` says: one that hangs is to be seen within 30
/// seconds, the deadlines of a look counted.
const DOCKER_CHECK_MAX: Duration = Duration::from_secs(20);

/// Pod jobs side by side. On two cores dockerd is busy with four; more make each of them later and none sooner.
const POD_JOBS: usize = 8;

/// Pulls side by side. One: a small image waits for a large one. Many: all of them are late.
const PULLS: usize = 3;

/// Probes side by side: a hundred pods whose probes all hang, and some more.
const PROBES: usize = 128;
