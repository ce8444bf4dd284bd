//! What everybody may read: `pods.json` in the run directory, a v1 PodList with everything `staticlet status` shows.
//!
//! IO. Written by atomic rename, only when it changed, and readable by root only, since it holds environment values. It
//! is also where a new agent finds start times, times of transitions and what was known of containers that are gone
//! since; an agent that does not find it loses no more than that. A full disk is the caller's warning: the old file
//! stays, and the next call tries again. Deliberately absent: a protocol, and anything that is read back to decide.

mod extra;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Serialize};

use crate::pod::{PodKey, PodUid, ValidPod};
use crate::state::{
    ArchiveStatus, Before, ContainerId, Desired, Held, JobKey, Memory, Node, Observed, ObservedPod,
    Refusal, Source, Stranger,
};
use crate::status::{Case, Reason, pod_status, reasons};
use crate::sys::files::{self, Durable};
use crate::sys::{Error, Gather, Kind, Now, Result, Wall, json};
pub use extra::{Occurrence, ProbeExtra};

/// A file larger than this is not ours: 500 pods with the largest manifests are below a tenth of it.
const FILE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Everything that is published.
#[derive(Clone, Debug)]
pub struct World<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// What was there at the last look that went well.
    pub observed: &'a Observed,
    /// What is remembered.
    pub memory: &'a Memory,
    /// This node.
    pub node: &'a Node,
    /// Why dockerd could not be looked at; `None` when all is well.
    pub docker_error: Option<&'a str>,
    /// Why Docker's disk is too full, and nothing more can be removed.
    pub disk_short: Option<&'a str>,
    /// How the image archives are.
    pub archives: Vec<ArchiveStatus>,
    /// What came of telling the API server; `None` when there is none.
    pub api: Option<Api<'a>>,
    /// What happened to pods lately, the oldest first.
    pub events: &'a BTreeMap<PodKey, Vec<Occurrence>>,
}

/// What came of telling the API server.
#[derive(Clone, Copy, Debug)]
pub struct Api<'a> {
    /// Why it cannot be told anything.
    pub error: Option<&'a str>,
    /// Why a pod is not shown there.
    pub troubles: &'a BTreeMap<PodKey, String>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// `v1`.
    pub api_version: String,
    /// `PodList`.
    pub kind: String,
    /// The pods, each with its status, in the order of namespace and name.
    pub items: Vec<Pod>,
    /// What a PodList has no place for.
    pub staticlet: Extra,
}

/// What a PodList has no place for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extra {
    /// The agent's version.
    pub version: String,
    /// The agent's process.
    pub pid: u32,
    /// When this was written, RFC 3339.
    pub written: String,
    /// The node's name.
    pub node: String,
    /// Where the agent's lock is.
    pub root_dir: String,
    /// dockerd's socket; empty in the file of an older agent, as the next.
    #[serde(default)]
    pub docker_socket: String,
    /// Where log links are laid.
    #[serde(default)]
    pub pod_logs_dir: String,
    /// Every source has been read once.
    pub complete: bool,
    /// Manifests that are not followed.
    pub refusals: Vec<Refusal>,
    /// dockerd.
    pub docker: DockerExtra,
    /// Why the API server cannot be told anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_error: Option<String>,
    /// Image archives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<ArchiveStatus>,
    /// By `namespace/name`.
    pub pods: BTreeMap<String, PodExtra>,
    /// Containers that have our label and are not ours.
    pub strangers: Vec<StrangerExtra>,
}

/// What is known of dockerd.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerExtra {
    /// Its version, empty before the first look.
    pub version: String,
    /// Why it cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why its disk is too full, and nothing more can be removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
}

/// What is known of a pod beyond its status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodExtra {
    /// Its manifest; `None` for a pod on its way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What keeps it from running.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What is being done for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// Remarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Its probes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeExtra>,
    /// What happened to it, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Occurrence>,
}

/// A container that is never touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrangerExtra {
    /// Its name.
    pub name: String,
    /// Why it is not ours.
    pub why: String,
}

/// Writes the file, and remembers what stands in it.
#[derive(Debug)]
pub struct Publisher {
    path: PathBuf,
    /// What was told last, by the pod's UID.
    told: BTreeMap<PodUid, Told>,
    /// The hash of what is on disk, without the time of writing.
    on_disk: Option<u64>,
    /// There has been a look that went well.
    is_seen: bool,
    /// The pods as published last, and a number that changes with them; only kept for an API server.
    shown: (u64, Vec<Pod>),
}

/// What was told of a pod.
#[derive(Debug)]
struct Told {
    status: PodStatus,
    spec: ToldSpec,
    deleted: Option<Time>,
}

/// The spec that was told.
#[derive(Clone, Debug)]
enum ToldSpec {
    /// Of a manifest, which may be gone since.
    Of(Rc<ValidPod>),
    /// Of what an earlier agent had published.
    Read(Option<Rc<PodSpec>>),
}

impl ToldSpec {
    fn get(&self) -> Option<&PodSpec> {
        match self {
            ToldSpec::Of(pod) => pod.pod.spec.as_ref(),
            ToldSpec::Read(spec) => spec.as_deref(),
        }
    }
}

impl Publisher {
    /// Takes up what an earlier agent published, for its start times and transitions. No error: what cannot be read is
    /// written anew.
    pub fn new(node: &Node) -> Publisher {
        let path = path(&node.run_dir);
        let items = read(&path).map(|file| file.items).unwrap_or_default();
        let told = items.into_iter().filter_map(|pod| {
            let told = Told {
                status: pod.status?,
                spec: ToldSpec::Read(pod.spec.map(Rc::new)),
                deleted: pod.metadata.deletion_timestamp,
            };
            Some((PodUid(pod.metadata.uid?), told))
        });
        Publisher {
            told: told.gather(),
            path,
            on_disk: None,
            is_seen: false,
            shown: (0, Vec::new()),
        }
    }

    /// What an earlier agent said of containers that may still run.
    pub fn before(&self) -> BTreeMap<ContainerId, Before> {
        let statuses = self.told.values().flat_map(|told| {
            let statuses = told.status.container_statuses.as_deref();
            statuses.unwrap_or_default()
        });
        let one = |status: &ContainerStatus| {
            let id = status.container_id.as_deref()?;
            let id = ContainerId(id.strip_prefix("docker://")?.to_owned());
            let before = Before {
                started: status.started == Some(true),
                ready: status.ready,
            };
            Some((id, before))
        };
        statuses.filter_map(one).gather()
    }

    /// Publishes; does nothing when nothing changed since the last time.
    ///
    /// # Errors
    /// The file could not be written: the old one stays, the next call tries again.
    pub fn publish(&mut self, world: &World<'_>, now: Now) -> Result<()> {
        self.is_seen |= !world.observed.docker.version.is_empty();
        let mut text = HEAD.to_vec();
        let mut shown = Vec::new();
        let mut extras = BTreeMap::new();
        let mut told = BTreeMap::new();
        for (key, uid) in keys(world) {
            let (pod, extra) = self.pod(world, (&key, &uid), now);
            if text.len() > HEAD.len() {
                text.push(b',');
            }
            serde_json::to_writer(&mut text, &pod).map_err(garbled)?;
            if world.api.is_some() {
                shown.push(pod.clone());
            }
            extras.insert(key.to_string(), extra);
            let wanted = world.desired.pods.get(&key);
            let before = || self.told.get(&uid).map(|before| before.spec.clone());
            let entry = Told {
                status: pod.status.unwrap_or_default(),
                spec: match wanted {
                    Some(wanted) => ToldSpec::Of(Rc::clone(&wanted.pod)),
                    None => before().unwrap_or(ToldSpec::Read(None)),
                },
                deleted: pod.metadata.deletion_timestamp,
            };
            told.insert(uid, entry);
        }
        if self.is_seen {
            self.told = told;
        }
        let of_pods = hash_of(&text);
        self.keep_shown(world, of_pods, shown);
        self.write(text, extra(world, extras), now)
    }

    /// One pod, with what a PodList has no place for.
    fn pod(&self, world: &World<'_>, (key, uid): (&PodKey, &PodUid), now: Now) -> (Pod, PodExtra) {
        let wanted = world.desired.pods.get(key);
        let there = world.observed.pods.get(uid).filter(|pod| pod.key == *key);
        let memory = world.memory.pods.get(key).filter(|pod| pod.uid == *uid);
        let before = self.told.get(uid);
        let case = Case {
            key,
            uid,
            wanted: wanted.map(|wanted| &*wanted.pod),
            there,
            memory,
            node: world.node,
            previous: before.map(|before| &before.status),
            now,
        };
        // Before the first look nothing is known of what runs: what was told last is nearer to the truth.
        let status = match before {
            Some(before) if !self.is_seen => before.status.clone(),
            Some(_) | None => pod_status(&case),
        };
        let status = Some(status);
        let goes = wanted.is_none() && world.desired.may_remove(memory);
        let pod = match wanted {
            Some(wanted) => Pod {
                status,
                ..wanted.pod.pod.clone()
            },
            None => {
                let deleted = before.and_then(|before| before.deleted.clone());
                let now = || Time(Wall(now.wall.0 / 1_000_000 * 1_000_000).timestamp());
                Pod {
                    metadata: ObjectMeta {
                        name: Some(key.name.clone()),
                        namespace: Some(key.namespace.clone()),
                        uid: Some(uid.0.clone()),
                        deletion_timestamp: goes.then(|| deleted.unwrap_or_else(now)),
                        ..ObjectMeta::default()
                    },
                    spec: before.and_then(|before| before.spec.get().cloned()),
                    status,
                }
            }
        };
        let extra = PodExtra {
            source: wanted.map(|wanted| wanted.source.clone()),
            reasons: reasons(&case),
            jobs: jobs(world.memory, key),
            notes: notes(world, &case, goes),
            probes: extra::probes(memory),
            events: world.events.get(key).cloned().unwrap_or_default(),
        };
        (pod, extra)
    }

    /// The pods as published last, and a number that changes with them.
    pub fn shown(&self) -> (u64, &[Pod]) {
        (self.shown.0, &self.shown.1)
    }

    /// One of these.
    pub fn shown_pod(&self, key: &PodKey) -> Option<&Pod> {
        self.shown.1.iter().find(|pod| key.is_of(pod))
    }

    fn keep_shown(&mut self, world: &World<'_>, of_pods: u64, shown: Vec<Pod>) {
        if world.api.is_none() {
            return;
        }
        let mut hash = DefaultHasher::new();
        of_pods.hash(&mut hash);
        // An older version that has gone changes no pod, and yet what may be shown.
        for pod in world.observed.pods.values() {
            (&pod.key, &pod.uid).hash(&mut hash);
        }
        world.desired.doubtful.hash(&mut hash);
        self.shown = (hash.finish() | 1, shown);
    }

    /// Ends the text that begins with the pods, and writes it where it is not what is there. A list of all pods is never
    /// made: with hundreds it is some megabytes.
    fn write(&mut self, mut text: Vec<u8>, mut extra: Extra, now: Now) -> Result<()> {
        text.extend_from_slice(BEFORE_EXTRA);
        let pods = text.len();
        serde_json::to_writer(&mut text, &extra).map_err(garbled)?;
        let hash = hash_of(&text);
        if self.on_disk == Some(hash) && self.path.exists() {
            return Ok(());
        }
        text.truncate(pods);
        extra.written = now.wall.to_string();
        serde_json::to_writer(&mut text, &extra).map_err(garbled)?;
        text.extend_from_slice(b"}\n");
        if let Some(dir) = self.path.parent() {
            files::make_dir(dir, 0o755)?;
        }
        // What is lost with the power is written anew after the boot.
        files::replace(&self.path, &text, 0o600, Durable::No)?;
        self.on_disk = Some(hash);
        Ok(())
    }
}

/// How the file begins, up to the first pod, and what stands between the last pod and the rest: the form of [`Published`].
const HEAD: &[u8] = br#"{"apiVersion":"v1","kind":"PodList","items":["#;
const BEFORE_EXTRA: &[u8] = br#"],"staticlet":"#;

fn garbled(error: serde_json::Error) -> Error {
    Error::new("print the published state", Kind::Garbled, error)
}

fn hash_of(text: &[u8]) -> u64 {
    let mut hash = DefaultHasher::new();
    text.hash(&mut hash);
    hash.finish()
}

/// What a PodList has no place for, without the time.
fn extra(world: &World<'_>, pods: BTreeMap<String, PodExtra>) -> Extra {
    let stranger = |stranger: &Stranger| StrangerExtra {
        name: stranger.name.clone(),
        why: stranger.why.clone(),
    };
    Extra {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        written: String::new(),
        node: world.node.name.clone(),
        root_dir: world.node.root_dir.clone(),
        docker_socket: world.node.docker_socket.clone(),
        pod_logs_dir: world.node.pod_logs_dir.clone(),
        complete: world.desired.complete,
        refusals: world.desired.refusals.clone(),
        docker: DockerExtra {
            version: world.observed.docker.version.clone(),
            error: world.docker_error.map(str::to_owned),
            disk: world.disk_short.map(str::to_owned),
        },
        archives: world.archives.clone(),
        api_error: world.api.and_then(|api| api.error).map(str::to_owned),
        pods,
        strangers: world.observed.strangers.iter().map(stranger).collect(),
    }
}

/// Where the state of an agent is published.
pub fn path(run_dir: &str) -> PathBuf {
    Path::new(run_dir).join("pods.json")
}

/// Reads what an agent published.
///
/// # Errors
/// `Gone`: there is none. `Garbled`: it is not ours, or of another version.
pub fn read(path: &Path) -> Result<Published> {
    let text = files::read_bounded(path, FILE_BYTES_MAX)?;
    let doing = || format!("read {}", path.display());
    json::read(&text).map_err(|error| Error::new(doing(), Kind::Garbled, error))
}

/// Every pod that is wanted, in its wanted version, and every other pod that is still there.
fn keys(world: &World<'_>) -> BTreeMap<PodKey, PodUid> {
    let left = world.observed.pods.values();
    let mut keys: BTreeMap<PodKey, PodUid> =
        left.map(|pod| (pod.key.clone(), pod.uid.clone())).gather();
    for (key, wanted) in &world.desired.pods {
        keys.insert(key.clone(), wanted.pod.uid.clone());
    }
    keys
}

/// Remarks on a pod; `goes`: it is on its way out.
fn notes(world: &World<'_>, case: &Case<'_>, goes: bool) -> Vec<String> {
    let (key, uid) = (case.key, case.uid);
    let mut notes: Vec<String> = Vec::new();
    notes.extend(case.memory.and_then(|memory| memory.note.clone()));
    if let Some(why) = world.api.and_then(|api| api.troubles.get(key)) {
        notes.push(format!("the API server does not show it: {why}"));
    }
    if case.wanted.is_none() && !goes && world.desired.complete {
        let text = "no manifest names it; it stays until every manifest can be used";
        notes.push(text.to_owned());
    }
    let waits = world.memory.held == Held::Starts && !case.there.is_some_and(ObservedPod::is_up);
    if case.wanted.is_some() && waits {
        notes.push("it starts when image archives have been loaded".to_owned());
    }
    let older = |pod: &&ObservedPod| pod.key == *key && pod.uid != *uid;
    if case.wanted.is_some() && world.observed.pods.values().any(|pod| older(&pod)) {
        notes.push("an older version of it has to go first".to_owned());
    }
    notes
}

fn jobs(memory: &Memory, key: &PodKey) -> Vec<String> {
    let about = |job: &JobKey| match job {
        JobKey::Pod(of) | JobKey::Pull(of, _) => of == key,
        // Ticks all the time; what it finds stands in the reasons.
        JobKey::Probe(..)
        | JobKey::Events
        | JobKey::Keep
        | JobKey::Fetch
        | JobKey::Preload
        | JobKey::Reclaim
        | JobKey::Mirror
        | JobKey::Watch(_) => false,
    };
    let jobs = memory.jobs.iter().filter(|(job, _)| about(job));
    jobs.map(|(_, running)| running.what.clone()).collect()
}
