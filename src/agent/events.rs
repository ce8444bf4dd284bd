//! Events of pods for the API server and for `staticlet status POD`: the same one again is a count, and no pod may flood
//! it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::decide::Step;
use crate::pod::{ContainerName, PodKey, container_of};
use crate::publish::Occurrence;
use crate::state::{Desired, Event, JobKey, Probed, Report};
use crate::status::mirror::hash_of;
use crate::sys::{Mono, Now};

/// As the kubelet's spam filter: so many at once of one pod, then one in a while.
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(300);

/// Events remembered for their count, and waiting to be told. More: they fill the memory while the server is away.
const KEPT_MAX: usize = 256;

/// Told by one job.
const TOLD_MAX: usize = 20;

/// Those of one pod among them.
const OF_POD_MAX: usize = 32;

/// Those of one pod that are published: the newest.
const SHOWN_MAX: usize = 12;

/// What happened, and how often.
#[derive(Clone, Debug)]
struct Record {
    event: Value,
    count: u64,
    /// Orders them, whatever the clock does.
    serial: u64,
}

/// Which events are the same.
type Key = (PodKey, String, String, String);

/// One event.
struct Happened<'a> {
    key: &'a PodKey,
    container: Option<&'a str>,
    kind: &'static str,
    reason: &'a str,
    message: String,
}

/// Collects events until a job takes them.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    records: BTreeMap<Key, Record>,
    waiting: VecDeque<Key>,
    taken: Vec<Key>,
    told: usize,
    since: Option<Mono>,
    budgets: BTreeMap<PodKey, (u32, Mono)>,
    node: String,
    serial: u64,
    /// There is an API server to tell.
    tells: bool,
}

impl Recorder {
    /// One that has seen nothing yet; `tells`: an API server is told.
    pub(super) fn new(tells: bool) -> Recorder {
        Recorder {
            tells,
            ..Recorder::default()
        }
    }

    /// What happened lately to each pod that is among these, the oldest first.
    pub(super) fn shown(&self) -> BTreeMap<PodKey, Vec<Occurrence>> {
        let mut records: Vec<(&Key, &Record)> = self.records.iter().collect();
        records.sort_by_key(|(_, record)| std::cmp::Reverse(record.serial));
        let mut shown: BTreeMap<PodKey, Vec<Occurrence>> = BTreeMap::new();
        for ((pod, reason, field, message), record) in records {
            let of_pod = shown.entry(pod.clone()).or_default();
            if of_pod.len() == SHOWN_MAX {
                continue;
            }
            let text = |name: &str| record.event[name].as_str().unwrap_or_default().to_owned();
            let container = field.strip_prefix("spec.containers{");
            of_pod.push(Occurrence {
                last: text("lastTimestamp"),
                count: record.count,
                kind: text("type"),
                reason: reason.clone(),
                container: container.map(|name| name.trim_end_matches('}').to_owned()),
                message: message.clone(),
            });
        }
        for of_pod in shown.values_mut() {
            of_pod.reverse();
        }
        shown
    }

    /// When the oldest that waits came.
    pub(super) fn since(&self) -> Option<Mono> {
        self.since
    }

    /// Those to tell now.
    pub(super) fn take(&mut self) -> Vec<Value> {
        let count = self.waiting.len().min(TOLD_MAX);
        let taken = self.waiting.drain(..count);
        self.taken = taken.filter(|key| self.records.contains_key(key)).collect();
        self.told = 0;
        let records = self.taken.iter().filter_map(|key| self.records.get(key));
        records.map(|record| record.event.clone()).collect()
    }

    /// So many of those that were taken have been told.
    pub(super) fn told(&mut self, count: usize) {
        self.told = count;
    }

    /// The job has ended: what it did not tell waits on.
    pub(super) fn settle(&mut self) {
        for key in self.taken.split_off(self.told.min(self.taken.len())) {
            if !self.waiting.contains(&key) {
                self.waiting.push_back(key);
            }
        }
        self.taken.clear();
        if self.waiting.is_empty() {
            self.since = None;
        }
    }

    /// Takes in what happened to a job.
    pub(super) fn happened(&mut self, event: &Event, desired: &Desired, node: &str, now: Now) {
        node.clone_into(&mut self.node);
        let Some(key) = event.job().pod() else {
            return;
        };
        let Some(pod) = desired.pods.get(key).map(|wanted| &wanted.pod.pod) else {
            return;
        };
        match event {
            Event::JobStarted { job, what, .. } => {
                if let (JobKey::Pull(_, container), Some(image)) = (job, what.strip_prefix("pull "))
                {
                    let message = format!("Pulling image \"{image}\"");
                    self.normal((key, pod), container, ("Pulling", message), now);
                }
            }
            Event::JobSaid { job, report } => self.said((key, pod), job, report, now),
            Event::JobEnded { .. } | Event::JobCancelled { .. } => {}
        }
    }

    fn said(&mut self, of: (&PodKey, &Pod), job: &JobKey, report: &Report, now: Now) {
        #[allow(clippy::wildcard_enum_match_arm)] // most are no event
        match report {
            Report::Started { container, .. } => {
                for (reason, message) in [
                    ("Created", "Container created"),
                    ("Started", "Container started"),
                ] {
                    self.normal(of, container, (reason, message.to_owned()), now);
                }
            }
            Report::Pulled { note, .. } => {
                if let (JobKey::Pull(_, container), true) = (job, note.is_empty()) {
                    let image = image(of.1, container);
                    let message = format!("Successfully pulled image \"{image}\"");
                    self.normal(of, container, ("Pulled", message), now);
                }
            }
            Report::Failed {
                container,
                reason,
                message,
            } => {
                let pulled = if let JobKey::Pull(_, container) = job {
                    Some(container)
                } else {
                    None
                };
                let container = container.as_ref().or(pulled).map(ContainerName::as_str);
                let reason = match reason.as_str() {
                    "FailedMount" => "FailedMount",
                    "CreatePodSandboxError" => "FailedCreatePodSandBox",
                    _ => "Failed",
                };
                self.add(
                    of.1,
                    Happened {
                        key: of.0,
                        container,
                        kind: "Warning",
                        reason,
                        message: format!("Error: {message}"),
                    },
                    now,
                );
            }
            Report::Probed {
                found: Probed::Failure,
                output,
                ..
            } => {
                if let JobKey::Probe(_, container, kind) = job {
                    self.add(
                        of.1,
                        Happened {
                            key: of.0,
                            container: Some(container.as_str()),
                            kind: "Warning",
                            reason: "Unhealthy",
                            message: format!("{} probe failed: {output}", kind.as_str()),
                        },
                        now,
                    );
                }
            }
            _ => {}
        }
    }

    /// Notes containers that wait for their next start.
    pub(super) fn waits(&mut self, items: &[Pod], now: Now) {
        for pod in items {
            let statuses = pod
                .status
                .as_ref()
                .and_then(|s| s.container_statuses.as_ref());
            let Some(key) = PodKey::of(pod) else { continue };
            for status in statuses.into_iter().flatten() {
                let waiting = status
                    .state
                    .as_ref()
                    .and_then(|state| state.waiting.as_ref());
                let message = match waiting.and_then(|waiting| waiting.reason.as_deref()) {
                    Some("CrashLoopBackOff") => format!(
                        "Back-off restarting failed container {} in pod {}_{}",
                        status.name, key.name, key.namespace
                    ),
                    Some("ImagePullBackOff") => {
                        format!("Back-off pulling image \"{}\"", status.image)
                    }
                    _ => continue,
                };
                self.add(
                    pod,
                    Happened {
                        key: &key,
                        container: Some(&status.name),
                        kind: "Warning",
                        reason: "BackOff",
                        message,
                    },
                    now,
                );
            }
        }
    }

    /// Takes in what is to be done for a pod: containers that are being stopped.
    pub(super) fn killing(
        &mut self,
        (key, pod): (&PodKey, Option<&Pod>),
        steps: &[Step],
        now: Now,
    ) {
        let Some(pod) = pod else { return };
        let stopped = steps.iter().flat_map(|step| {
            if let Step::Stop { containers } = step {
                containers.as_slice()
            } else {
                &[]
            }
        });
        for target in stopped.filter(|target| target.name.as_str() != "POD") {
            let message = format!("Stopping container {}", target.name);
            self.normal((key, pod), &target.name, ("Killing", message), now);
        }
    }

    fn normal(
        &mut self,
        (key, pod): (&PodKey, &Pod),
        container: &ContainerName,
        (reason, message): (&str, String),
        now: Now,
    ) {
        let happened = Happened {
            key,
            container: Some(container.as_str()),
            kind: "Normal",
            reason,
            message,
        };
        self.add(pod, happened, now);
    }

    fn add(&mut self, pod: &Pod, happened: Happened<'_>, now: Now) {
        let mut message = happened.message;
        if let Some((at, _)) = message.char_indices().nth(1000) {
            message.truncate(at);
        }
        let field = happened
            .container
            .map(|name| format!("spec.containers{{{name}}}"));
        let key: Key = (
            happened.key.clone(),
            happened.reason.to_owned(),
            field.clone().unwrap_or_default(),
            message.clone(),
        );
        if !self.records.contains_key(&key) {
            self.make_room(&key.0);
        }
        self.serial += 1;
        let stamp = now.wall.to_string();
        let name = || {
            let serial = format!("{:x}{:x}", now.wall.0, self.serial % 4096);
            format!("{}.{serial}", happened.key.name)
        };
        let record = self.records.entry(key.clone()).or_insert_with(|| Record {
            event: json!({
                "apiVersion": "v1", "kind": "Event",
                "metadata": {"name": name(), "namespace": happened.key.namespace},
                "involvedObject": {
                    "apiVersion": "v1", "kind": "Pod", "namespace": happened.key.namespace,
                    "name": happened.key.name, "uid": hash_of(pod).or(pod.metadata.uid.as_deref()), "fieldPath": field,
                },
                "type": happened.kind, "reason": happened.reason, "message": message,
                "source": {"component": "kubelet", "host": self.node},
                "reportingComponent": "kubelet", "reportingInstance": self.node,
                "firstTimestamp": stamp,
            }),
            count: 0,
            serial: 0,
        });
        record.serial = self.serial;
        record.count += 1;
        record.event["count"] = json!(record.count);
        record.event["lastTimestamp"] = json!(stamp);
        // As in the kubelet, what is not told is counted all the same.
        if !self.tells || !self.may(&key.0, now.mono) {
            return;
        }
        if !self.waiting.contains(&key) {
            self.waiting.push_back(key);
        }
        while self.waiting.len() > KEPT_MAX {
            self.waiting.pop_front();
        }
        self.since.get_or_insert(now.mono);
    }

    /// Forgets the oldest, of this pod where it has many: one whose messages are never the same leaves room for others.
    fn make_room(&mut self, pod: &PodKey) {
        let of_pod = self.records.keys().filter(|key| key.0 == *pod).count();
        let all = self.records.iter();
        let oldest = if of_pod >= OF_POD_MAX {
            all.filter(|(key, _)| key.0 == *pod)
                .min_by_key(|(_, record)| record.serial)
        } else if self.records.len() >= KEPT_MAX {
            all.min_by_key(|(_, record)| record.serial)
        } else {
            None
        };
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.records.remove(&key);
        }
    }

    /// Whether one more of this pod may be told.
    fn may(&mut self, key: &PodKey, now: Mono) -> bool {
        if self.budgets.len() >= KEPT_MAX && !self.budgets.contains_key(key) {
            self.budgets.clear();
        }
        let (left, at) = self.budgets.entry(key.clone()).or_insert((BURST, now));
        if now.since(*at) >= REFILL {
            *at = now;
            *left = (*left + 1).min(BURST);
        }
        let may = *left > 0;
        *left = left.saturating_sub(1);
        may
    }
}

fn image<'a>(pod: &'a Pod, container: &ContainerName) -> &'a str {
    let spec = pod.spec.as_ref();
    let container = spec.and_then(|spec| container_of(spec, container.as_str()));
    container
        .and_then(|one| one.image.as_deref())
        .unwrap_or_default()
}
