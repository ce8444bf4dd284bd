//! Events of pods for the API server and for `staticlet status POD`: the same one again is a count, and no pod may flood
//! it. What is an event is decided in `notice`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::pod::{ContainerName, PodKey};
use crate::publish::Occurrence;
use crate::status::mirror::hash_of;
use crate::sys::{InOrder, Mono, Now, Wall};

/// As the kubelet's spam filter: so many at once of one pod, then one in a while.
const BURST: u32 = 25;
const REFILL: Duration = Duration::from_secs(300);

/// Events remembered for their count, and waiting to be told. More: they fill the memory while the server is away.
pub(super) const KEPT_MAX: usize = 256;

/// Told by one job.
const TOLD_MAX: usize = 20;

/// Those of one pod among them.
const OF_POD_MAX: usize = 32;

/// Those of one pod that are published: the newest.
const SHOWN_MAX: usize = 12;

/// What happened, and how often. Not the object that the API server is told: hundreds of those are a megabyte.
#[derive(Clone, Debug)]
struct Record {
    name: String,
    /// Of the pod that it is about.
    uid: Option<String>,
    kind: &'static str,
    first: Wall,
    last: Wall,
    count: u64,
    /// Orders them, whatever the clock does.
    serial: u64,
}

/// Which events are the same.
type Key = (PodKey, String, String, String);

/// One event.
pub(super) struct Happened<'a> {
    pub(super) key: &'a PodKey,
    pub(super) container: Option<&'a str>,
    pub(super) kind: &'static str,
    pub(super) reason: &'a str,
    pub(super) message: String,
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
    pub(super) node: String,
    serial: u64,
    /// Containers whose images were pulled for their next start.
    pub(super) pulled: BTreeSet<(PodKey, ContainerName)>,
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
        records.order_by_key(|(_, record)| std::cmp::Reverse(record.serial));
        let mut shown: BTreeMap<PodKey, Vec<Occurrence>> = BTreeMap::new();
        for ((pod, reason, field, message), record) in records {
            let of_pod = shown.entry(pod.clone()).or_default();
            if of_pod.len() == SHOWN_MAX {
                continue;
            }
            let container = field.split_once('{').map(|(_, name)| name);
            of_pod.push(Occurrence {
                last: record.last.to_string(),
                count: record.count,
                kind: record.kind.to_owned(),
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
        let event = |key| Some(self.event(key, self.records.get(key)?));
        self.taken.iter().filter_map(event).collect()
    }

    /// As the API server is told.
    fn event(&self, (pod, reason, field, message): &Key, record: &Record) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": record.name, "namespace": pod.namespace},
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": record.uid,
                "fieldPath": Some(field).filter(|field| !field.is_empty()),
            },
            "type": record.kind, "reason": reason, "message": message,
            "source": {"component": "kubelet", "host": self.node},
            "reportingComponent": "kubelet", "reportingInstance": self.node,
            "firstTimestamp": record.first.to_string(), "lastTimestamp": record.last.to_string(),
            "count": record.count,
        })
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

    /// Counts an event, and makes one where it is new.
    pub(super) fn add(&mut self, pod: &Pod, happened: Happened<'_>, now: Now) {
        let mut message = happened.message;
        if let Some((at, _)) = message.char_indices().nth(1000) {
            message.truncate(at);
        }
        let field = happened
            .container
            .map(|name| format!("spec.{}{{{name}}}", list_of(pod, name)));
        let key: Key = (
            happened.key.clone(),
            happened.reason.to_owned(),
            field.unwrap_or_default(),
            message,
        );
        if !self.records.contains_key(&key) {
            self.make_room(&key.0);
        }
        self.serial += 1;
        let name = || {
            let serial = format!("{:x}{:x}", now.wall.0, self.serial % 4096);
            format!("{}.{serial}", happened.key.name)
        };
        let record = self.records.entry(key.clone()).or_insert_with(|| Record {
            name: name(),
            uid: hash_of(pod).map_or_else(|| pod.metadata.uid.clone(), |uid| Some(uid.to_owned())),
            kind: happened.kind,
            first: now.wall,
            last: now.wall,
            count: 0,
            serial: 0,
        });
        record.serial = self.serial;
        record.count += 1;
        record.last = now.wall;
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

/// The list of the manifest that a container is in.
fn list_of(pod: &Pod, container: &str) -> &'static str {
    let spec = pod.spec.as_ref();
    let mut init = spec
        .and_then(|spec| spec.init_containers.as_ref())
        .into_iter()
        .flatten();
    if init.any(|one| one.name == container) {
        "initContainers"
    } else {
        "containers"
    }
}
