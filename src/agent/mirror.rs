//! When the API server is told what: at most one job at a time, and none that anybody waits for.
//!
//! A change makes a job due in a moment, so that a burst of them is one; the watch makes one due when somebody else wrote
//! a mirror; a list every minute finds what both have missed. A server that does not answer is asked again after a while
//! that doubles.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use log::{debug, info, warn};

use super::events::Recorder;
use super::tell::Teller;
use super::watch::Watches;
use crate::apiserver::Credential;
use crate::config::ApiSettings;
use crate::decide::report::{Shown, Stage};
use crate::jobs::{MirrorRequest, Request};
use crate::pod::PodKey;
use crate::state::{ApiSaid, Desired, JobEnd, Node, Observed, Report, Watched};
use crate::sys::{Gather, Mono, Now};

/// What is due so soon is done by the job that is due now.
const SOON: Duration = Duration::from_millis(200);

/// Finds what the watch has missed. Longer: a mirror that somebody edited while the watch was away stays so.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// A burst of changes is one patch. Longer: a container that is ready is shown late.
const BURST: Duration = Duration::from_millis(150);

/// Between two jobs: an API server that touches mirrors all the time is not answered all the time.
const GAP: Duration = Duration::from_millis(300);

/// After a failure: doubles from the first to the second, and up to half of it more by chance. Longer: a server that is
/// back is told late, and two seconds are what a person waits. Shorter: one that is away for days
/// is asked in vain all the time.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// After what was refused: doubles from the first to [`LIST_EVERY`] while the same is refused. An API server that has just come up does
/// not know its namespaces and Nodes for some seconds.
const AGAIN_MIN: Duration = Duration::from_millis(500);

/// A Lease that was refused waits no longer than it would from one renewal to the next.
const LEASE_AGAIN_MAX: Duration = Duration::from_secs(10);

/// More versions than this are not remembered: one list too many is all that comes of it.
const VERSIONS_MAX: usize = 4096;

/// What is known of the API server.
pub(super) struct Mirrors {
    settings: Option<ApiSettings>,
    pub(super) recorder: Recorder,
    node_uid: Option<String>,
    lease: Mono,
    node: Mono,
    /// When the machine is looked at again.
    look: Mono,
    /// What was told of the machine.
    node_told: Option<String>,
    list: Mono,
    /// When the first change that has not been told was noticed.
    changed: Option<Mono>,
    /// What was seen of the pods last.
    pods: u64,
    earliest: Mono,
    wait: Duration,
    running: bool,
    had_trouble: bool,
    /// Versions that our own writes and lists have seen.
    known: BTreeSet<String>,
    /// Versions that the watch told of, not among the known ones when they came.
    touched: BTreeSet<String>,
    /// The last job reached the server.
    answers: bool,
    /// It did not before the last job.
    pub(super) is_back: bool,
    /// What a plugin of the kubeconfig said. Cheap to learn anew, so it is in no file.
    credential: Option<Credential>,
    watches: Watches,
    /// The UID that the watch saw last, empty without a Node; `None` once it has been acted on.
    node_seen: Option<String>,
    /// The server said when to come again.
    retry_after: Option<Duration>,
    /// Why a pod cannot be shown; from the last comparison.
    troubles: BTreeMap<PodKey, String>,
    fresh_troubles: BTreeMap<PodKey, String>,
    /// What is refused that is about no pod, as the running job says.
    refused: Option<String>,
    /// How long the next try waits where something is refused.
    again: Duration,
    /// Why the server cannot be told anything.
    pub(super) trouble: Option<String>,
}

/// What goes into a request.
pub(super) struct View<'a> {
    pub(super) node: &'a Node,
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) docker_error: Option<&'a str>,
    pub(super) items: &'a [Pod],
}

impl Mirrors {
    pub(super) fn new(settings: Option<ApiSettings>) -> Mirrors {
        Mirrors {
            recorder: Recorder::new(settings.is_some()),
            settings,
            node_uid: None,
            lease: Mono(0),
            node: Mono(0),
            look: Mono(0),
            node_told: None,
            list: Mono(0),
            changed: None,
            pods: 0,
            earliest: Mono(0),
            wait: WAIT_MIN,
            running: false,
            had_trouble: false,
            known: BTreeSet::new(),
            touched: BTreeSet::new(),
            answers: false,
            is_back: false,
            credential: None,
            watches: Watches::default(),
            node_seen: None,
            retry_after: None,
            troubles: BTreeMap::new(),
            fresh_troubles: BTreeMap::new(),
            refused: None,
            again: AGAIN_MIN,
            trouble: None,
        }
    }

    /// There is an API server to tell.
    pub(super) fn is_on(&self) -> bool {
        self.settings.is_some()
    }

    /// Why a pod is not shown there.
    pub(super) fn troubles(&self) -> &BTreeMap<PodKey, String> {
        &self.troubles
    }

    /// Notes what is published; `version` changes with it. Says whether it has changed.
    pub(super) fn published(&mut self, version: u64, docker_error: Option<&str>, now: Now) -> bool {
        let changes = version != self.pods;
        if changes {
            self.pods = version;
            self.changed.get_or_insert(now.mono);
        }
        if docker_error.is_some() != self.had_trouble {
            self.had_trouble = docker_error.is_some();
            self.node = Mono(0);
        }
        changes
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.settings.as_ref()?;
        let job = (!self.running).then(|| self.job_due());
        [self.watch_due(), job].into_iter().flatten().min()
    }

    /// The Node was deleted, or made anew by somebody else, or nobody was watching it.
    fn is_node_doubtful(&self) -> bool {
        let known = self.node_uid.as_deref().unwrap_or_default();
        self.node_seen.as_ref().is_some_and(|seen| seen != known)
    }

    fn job_due(&self) -> Mono {
        let registers = self.settings.as_ref().is_some_and(|s| s.register.is_some());
        let own = registers.then(|| self.lease.min(self.node).min(self.look));
        let changed = self.changed.map(|at| at.after(BURST));
        let events = self.recorder.since().map(|at| at.after(BURST));
        let doubt = self.is_node_doubtful().then_some(Mono(0));
        let all = [own, changed, events, doubt, Some(self.list)];
        let first = all.into_iter().flatten().min().unwrap_or(self.list);
        first.max(self.earliest)
    }

    /// A watch that is to be opened.
    pub(super) fn watch_request(&mut self, node: &str, now: Mono) -> Option<(Watched, Request)> {
        let settings = self.settings.as_ref().filter(|_| self.answers)?;
        let watched = self.watches.open(now)?;
        let request = Request::Watch {
            kubeconfig: settings.kubeconfig.clone(),
            credential: self.credential.clone(),
            node: node.to_owned(),
            watched,
        };
        Some((watched, request))
    }

    /// Only while the server answers: where it does not, the other jobs find out when it does again, and a plugin is not
    /// asked by both at once.
    fn watch_due(&self) -> Option<Mono> {
        self.watches.due().filter(|_| self.answers)
    }

    /// The next job, when it is due.
    pub(super) fn request(&mut self, view: &View<'_>, now: Now) -> Option<MirrorRequest> {
        let settings = self.settings.as_ref()?;
        if self.running || self.job_due() > now.mono {
            return None;
        }
        let is_doubtful = self.is_node_doubtful();
        // What was refused is tried by each job, so that what it says holds for all.
        let again = self.trouble.is_some();
        let compare = self.list <= now.mono || self.changed.is_some() || is_doubtful || again;
        let soon = now.mono.after(SOON);
        let looks = self.look <= soon;
        let is_idle = view.docker_error.is_none();
        let request = MirrorRequest {
            kubeconfig: settings.kubeconfig.clone(),
            credential: self.credential.clone(),
            node: view.node.clone(),
            docker_version: view.observed.docker.version.clone(),
            trouble: view
                .docker_error
                .map(|error| format!("container runtime is down: {error}")),
            register: settings.register.clone(),
            node_uid: self.node_uid.clone().filter(|_| !is_doubtful),
            lease: self.lease <= soon || again,
            tell_node: self.node <= soon || again,
            node_told: looks.then(|| self.node_told.clone()).flatten(),
            compare,
            orphans: is_idle && view.desired.complete && !view.desired.doubtful,
            pods: if compare { shown(view) } else { Vec::new() },
            events: self.recorder.take(),
        };
        self.running = true;
        if is_doubtful {
            self.node_seen = None;
        }
        if looks {
            self.look = now.mono.after(settings.look_every);
        }
        if compare {
            // What changes from here on is for the next job.
            self.changed = None;
            self.touched.clear();
            self.fresh_troubles.clear();
        }
        Some(request)
    }

    /// Takes in a line of the job or of the watch. Says whether what is published changes.
    pub(super) fn said(&mut self, report: &Report, teller: &mut Teller, now: Now) -> bool {
        let Report::Api(said) = report else {
            if let Report::Failed { message, .. } = report {
                if teller.is_news("API server", message, now) {
                    warn!(err:% = message; "API server cannot be told");
                }
                return self.trouble.replace(message.clone()).as_ref() != Some(message);
            }
            return false;
        };
        match said {
            ApiSaid::Node { uid } => {
                if self.node_uid.as_ref() != Some(uid) {
                    self.node_uid = Some(uid.clone());
                    self.node = Mono(0);
                }
            }
            ApiSaid::NodeSeen { uid } => self.node_seen = Some(uid.clone()),
            ApiSaid::Leased => {
                // As the kubelet: a quarter of the Lease.
                let register = self.settings.as_ref().and_then(|s| s.register.as_ref());
                let seconds = register.map_or(0, |register| register.lease_seconds);
                self.lease = now.mono.after(Duration::from_secs(u64::from(seconds)) / 4);
            }
            ApiSaid::NodeTold { digest } => {
                let every = self.settings.as_ref().map(|s| s.tell_every);
                self.node = now.mono.after(every.unwrap_or_default());
                self.node_told = Some(digest.clone());
            }
            ApiSaid::Listed { versions } => {
                self.known = versions.iter().cloned().gather();
            }
            ApiSaid::Told { key, what, version } => {
                debug!(pod:% = key, why:% = what; "mirror pod written");
                if what != "status" {
                    info!(pod:% = key, why:% = what; "mirror pod changed");
                }
                if self.known.len() < VERSIONS_MAX {
                    self.known.insert(version.clone());
                }
            }
            ApiSaid::Trouble { key, why } => {
                if teller.is_news(&format!("{key} mirror"), why, now) {
                    warn!(pod:% = key, why:% = why; "mirror pod refused");
                }
                self.fresh_troubles.insert(key.clone(), why.clone());
            }
            ApiSaid::Refused { why } => {
                if teller.is_news("API server", why, now) {
                    warn!(err:% = why; "API server refuses");
                }
                self.refused = Some(why.clone());
            }
            ApiSaid::WatchBroke { why } => {
                if teller.is_news("API server watch", why, now) {
                    warn!(err:% = why; "API server cannot be watched, it is asked every minute");
                }
            }
            // Until now nobody would have been told of what happened.
            ApiSaid::Watching => self.list = self.list.min(now.mono.after(GAP)),
            ApiSaid::Credential(credential) => self.credential = Some(credential.clone()),
            ApiSaid::Denied => self.credential = None,
            ApiSaid::EventsTold { count } => self.recorder.told(*count),
            ApiSaid::Wait { seconds } => {
                self.retry_after = Some(Duration::from_secs((*seconds).min(600)));
            }
            ApiSaid::Touched { version } => self.touched(version),
        }
        false
    }

    /// Somebody wrote a mirror.
    fn touched(&mut self, version: &str) {
        if !self.known.contains(version) && self.touched.len() < VERSIONS_MAX {
            self.touched.insert(version.to_owned());
            // While a job runs it may be its own write: judged when that has ended.
            if !self.running {
                self.list = Mono(0);
            }
        }
    }

    /// The job has ended. Says whether what is published changes.
    pub(super) fn ended(&mut self, end: &JobEnd, compared: bool, now: Now) -> bool {
        self.running = false;
        self.is_back = *end == JobEnd::Done && !self.answers;
        self.answers = *end == JobEnd::Done;
        self.recorder.settle();
        let refused = self.refused.take();
        if *end == JobEnd::Done {
            if self.is_back {
                self.watches.hurry();
            }
            self.wait = WAIT_MIN;
            self.earliest = now.mono.after(GAP);
            return self.went_well(refused, compared, now);
        }
        // Everything is compared again, whatever was told before the failure; a control plane that did not hear of the
        // Node for long has written into its status that nobody knows how it is.
        self.list = Mono(0);
        self.node = Mono(0);
        let jitter = self.wait * u32::try_from(now.mono.0 % 50).unwrap_or(0) / 100;
        let wait = self.retry_after.take().unwrap_or(self.wait) + jitter;
        self.earliest = now.mono.after(wait);
        self.wait = (self.wait * 2).min(WAIT_MAX);
        let why = match end {
            JobEnd::Deadline => "no end within the deadline of the job".to_owned(),
            JobEnd::Died(how) => format!("the job died: {how}"),
            JobEnd::Done | JobEnd::Failed | JobEnd::Cancelled => return false,
        };
        self.trouble.replace(why.clone()).as_ref() != Some(&why)
    }

    /// The server was there to the end of the job, and took all but what was `refused` and what is the trouble of pods.
    fn went_well(&mut self, refused: Option<String>, compared: bool, now: Now) -> bool {
        if refused != self.trouble || (compared && self.troubles != self.fresh_troubles) {
            self.again = AGAIN_MIN;
        } else if compared || refused.is_some() {
            self.again = (self.again * 2).min(LIST_EVERY);
        }
        // Without `--register-node` nothing is told of it, and without a Node there is no Lease.
        let wait = refused
            .as_ref()
            .map_or(GAP, |_| self.again.min(LEASE_AGAIN_MAX));
        let later = now.mono.after(wait);
        self.lease = self.lease.max(later);
        self.node = self.node.max(later);
        self.look = self.look.max(later);
        let mut changes = self.trouble != refused;
        let is_refused = refused.is_some();
        self.trouble = refused;
        if compared {
            let touched = std::mem::take(&mut self.touched);
            let foreign = touched.iter().any(|version| !self.known.contains(version));
            let next = if foreign {
                GAP
            } else if is_refused || !self.fresh_troubles.is_empty() {
                self.again
            } else {
                LIST_EVERY
            };
            self.list = now.mono.after(next);
            changes |= self.troubles != self.fresh_troubles;
            self.troubles.clone_from(&self.fresh_troubles);
        }
        changes
    }

    /// A watch has ended, as each does after some minutes. What happens to the pods until the next one is found by looking
    /// when that is open; the Node is looked at now.
    pub(super) fn watch_ended(&mut self, watched: Watched, now: Mono) {
        if self.watches.ended(watched, now) && watched == Watched::Node {
            self.node_seen = Some(String::new());
        }
    }
}

/// The pods as they are to be shown.
fn shown(view: &View<'_>) -> Vec<Shown> {
    let one = |pod: &Pod| {
        let key = PodKey::of(pod)?;
        let mut there = view.observed.pods.values();
        let wanted = view.desired.pods.get(&key).map(|wanted| &wanted.pod);
        let is_older_there = there
            .any(|other| other.key == key && wanted.is_some_and(|wanted| wanted.uid != other.uid));
        let stage = match wanted {
            Some(_) if !is_older_there => Stage::Wanted,
            Some(_) | None => Stage::Leaving,
        };
        let mut pod = pod.clone();
        if is_older_there {
            // The status is of the version that waits, and the mirror shows the one that goes.
            pod.status = None;
        }
        Some(Shown { key, stage, pod })
    };
    view.items.iter().filter_map(one).collect()
}
