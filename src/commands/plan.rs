//! `staticlet plan`: what an agent with these manifests would do to the pods that are there. Nothing is done.
//!
//! The same rooms that the agent uses say it: sources, observe, decide. What the agent alone remembers (back-off, results
//! of probes) is left out: a container that is to be started is told, whenever that may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use serde_json::json;

use super::changed::changed_fields;
use super::status::refusal_lines;
use super::{Outcome, complain, docker_host, misuse, print};
use crate::agent;
use crate::cli::{Output, RunFlags};
use crate::config::{self, Settings};
use crate::decide::{Action, Decision, Limits, Why, decide, words};
use crate::observe::Observer;
use crate::pod::{PodKey, PodUid, SpecHash};
use crate::publish::{self, Published, Publisher};
use crate::sources::{Message, foretell};
use crate::state::{Desired, Memory, Observed, PodMemory, Refusal, Source};
use crate::sys::{Gather, Now};

/// Prints what would change; `Fine` whatever that is.
pub fn plan(flags: &RunFlags, output: Output) -> Outcome {
    let settings = match config::settings(flags, docker_host().as_deref()) {
        Ok(settings) => settings,
        Err(problems) => return misuse(&problems),
    };
    if let Some(path) = &settings.manifest_path
        && let Err(error) = std::fs::metadata(path)
    {
        return misuse(&[format!("plan: {}: {error}", path.display())]);
    }
    let observed = match Observer::new(&settings.node).look(&BTreeSet::new()) {
        Ok(observed) => observed,
        Err(error) => {
            complain(&format!("plan: dockerd: {error}"));
            return Outcome::Failed;
        }
    };
    let plan = Plan::new(&settings, &observed, crate::sys::now());
    match output {
        Output::Table | Output::Name => print(&plan.text()),
        Output::Json => print(&format!("{:#}\n", plan.json())),
    }
    Outcome::Fine
}

/// What becomes of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    /// It is not there.
    Create,
    /// Another version of it is there.
    Replace,
    /// It is there, and something of it is to be done.
    Mend,
    /// No manifest wants it.
    Remove,
    /// It stays as it is.
    Unchanged,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Change::Create => "create",
            Change::Replace => "replace",
            Change::Mend => "mend",
            Change::Remove => "remove",
            Change::Unchanged => "unchanged",
        })
    }
}

/// One pod.
#[derive(Debug, Serialize)]
struct Row {
    pod: String,
    change: Change,
    why: String,
    /// Fields that differ, as far as they are known.
    fields: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source>,
}

struct Plan {
    rows: Vec<Row>,
    refusals: Vec<Refusal>,
    notes: Vec<String>,
}

impl Plan {
    fn new(settings: &Settings, observed: &Observed, now: Now) -> Plan {
        let there = |key: &PodKey| observed.pod(key).map(|pod| pod.uid.clone());
        let (desired, messages) = foretell(settings.sources(), now, &there);
        let published = publish::read(&publish::path(&settings.node.run_dir)).ok();
        let runs = |_: &&Published| agent::holder(&settings.node.root_dir).is_some();
        let agent = published.as_ref().filter(runs);
        let mut memory = Memory {
            before: Publisher::new(&settings.node).before(),
            ..Memory::default()
        };
        if let (Some(agent), true) = (agent, desired.complete) {
            let path = settings.manifest_path.as_deref();
            memory.pods = wanted_before(agent, &desired, path, now);
        }
        memory.saw(&desired, observed, now);
        let limits = Limits {
            pod_jobs: usize::MAX,
            pulls: usize::MAX,
            probes: usize::MAX,
        };
        let decision = decide(&desired, observed, &memory, limits, now);
        let mut notes = notes(settings, &desired, &messages);
        if let Some(agent) = agent {
            notes.extend(not_asked(agent, &desired));
        }
        let refusals = desired.refusals.iter();
        let refusals = refusals.filter(|refusal| matches!(refusal.source, Source::File(_)));
        Plan {
            rows: rows(&desired, observed, &decision, published.as_ref()),
            refusals: refusals.cloned().collect(),
            notes,
        }
    }

    fn text(&self) -> String {
        let width = self.rows.iter().map(|row| row.pod.len()).max();
        let width = width.unwrap_or(0);
        let mut out = String::new();
        for row in &self.rows {
            let mut why = row.why.clone();
            if !row.fields.is_empty() {
                why = format!("{why}: {}", row.fields.join(", "));
            }
            let Row { pod, change, .. } = row;
            let line = format!("{change:<9}  {pod:<width$}  {why}");
            out.push_str(line.trim_end());
            out.push('\n');
        }
        for refusal in &self.refusals {
            for line in refusal_lines(refusal) {
                out.push_str(&format!("{line}\n"));
            }
        }
        for note in &self.notes {
            out.push_str(&format!("note: {note}\n"));
        }
        let count = |change: Change| self.rows.iter().filter(|row| row.change == change).count();
        let counts = [
            format!("{} to create", count(Change::Create)),
            format!("{} to replace", count(Change::Replace)),
            format!("{} to mend", count(Change::Mend)),
            format!("{} to remove", count(Change::Remove)),
            format!("{} unchanged", count(Change::Unchanged)),
            format!("{} refused", self.refusals.len()),
        ];
        out.push_str(&counts.join(", "));
        out.push('\n');
        out
    }

    fn json(&self) -> serde_json::Value {
        json!({"pods": self.rows, "refusals": self.refusals, "notes": self.notes})
    }
}

/// What the agent that runs knows of pods that it wants: one whose manifest was seen to go may be removed whatever else
/// is wrong. Those of another path than this one go only once everything here can be used.
fn wanted_before(
    agent: &Published,
    desired: &Desired,
    path: Option<&Path>,
    now: Now,
) -> BTreeMap<PodKey, PodMemory> {
    let is_here = |source: &Source| match source {
        Source::File(file) => {
            let file = Path::new(file);
            path.is_some_and(|path| file == path || file.parent() == Some(path))
        }
        Source::Url(_) => false,
    };
    let one = |pod: &Pod| {
        let key = PodKey::of(pod)?;
        let extra = agent.staticlet.pods.get(&key.to_string())?;
        let source = extra.source.as_ref();
        source.filter(|source| is_here(source) || !desired.doubtful)?;
        let uid = PodUid(pod.metadata.uid.clone()?);
        let hash = pod.metadata.annotations.as_ref()?;
        let hash = SpecHash(hash.get("kubernetes.io/config.hash")?.clone());
        Some((key, PodMemory::new(uid, Some(hash), now)))
    };
    agent.items.iter().filter_map(one).gather()
}

fn notes(settings: &Settings, desired: &Desired, messages: &[Message]) -> Vec<String> {
    let mut notes = Vec::new();
    let strangers = messages.iter().filter(|one| one.event == "not a manifest");
    notes.extend(strangers.map(|one| format!("{}: ignored: {}", one.file, one.why)));
    if settings.manifest_url.is_some() {
        let good = desired
            .refusals
            .iter()
            .find_map(|refusal| match refusal.source {
                Source::Url(_) => refusal.good,
                Source::File(_) => None,
            });
        notes.push(match good {
            Some(good) => {
                format!("the manifest URL is not asked; its last good answer is of {good}")
            }
            None => "the manifest URL is not asked, and no answer of it was kept".to_owned(),
        });
    }
    if !desired.complete {
        notes.push("not every manifest source can be read: nothing would be removed".to_owned());
    }
    notes
}

/// Pods of the agent that come from where nobody looked.
fn not_asked(agent: &Published, desired: &Desired) -> Vec<String> {
    let gone = agent.staticlet.pods.iter().filter_map(|(pod, extra)| {
        let wanted = desired.pods.keys().any(|key| key.to_string() == *pod);
        match &extra.source {
            Some(Source::Url(url)) if !wanted => Some(format!(
                "{pod} comes from {url}, which these flags do not name; give plan the flags of the agent"
            )),
            Some(Source::Url(_) | Source::File(_)) | None => None,
        }
    });
    gone.collect()
}

fn rows(
    desired: &Desired,
    observed: &Observed,
    decision: &Decision,
    published: Option<&Published>,
) -> Vec<Row> {
    let there = observed.pods.values().map(|pod| &pod.key);
    let keys: BTreeSet<&PodKey> = desired.pods.keys().chain(there).gather();
    let one = |key: &PodKey| {
        let wanted = desired.pods.get(key);
        let (change, why) = change_of(key, desired, decision);
        let fields = match (change, wanted) {
            (Change::Replace, Some(wanted)) => {
                let uids = observed.pods.values().filter(|pod| pod.key == *key);
                let uids: BTreeSet<&str> = uids.map(|pod| pod.uid.0.as_str()).gather();
                let items = published
                    .map(|file| file.items.as_slice())
                    .unwrap_or_default();
                let uid = |pod: &&Pod| {
                    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
                    key.is_of(pod) && uids.contains(uid)
                };
                let old = items.iter().find(uid);
                old.map(|old| changed_fields(old, &wanted.pod.pod))
            }
            (_, _) => None,
        };
        Row {
            pod: key.to_string(),
            change,
            why,
            fields: fields.unwrap_or_default(),
            source: wanted.map(|wanted| wanted.source.clone()),
        }
    };
    let mut rows: Vec<Row> = keys.into_iter().map(one).collect();
    rows.extend(decision.actions.iter().filter_map(orphan));
    rows
}

/// A directory that belongs to no pod.
fn orphan(action: &Action) -> Option<Row> {
    let Action::Pod {
        uid,
        why: Why::Orphan,
        ..
    } = action
    else {
        return None;
    };
    Some(Row {
        pod: uid.to_string(),
        change: Change::Remove,
        why: Why::Orphan.to_string(),
        fields: Vec::new(),
        source: None,
    })
}

/// What the decision means for one pod.
fn change_of(key: &PodKey, desired: &Desired, decision: &Decision) -> (Change, String) {
    let whole = [
        (Why::PodNew, Change::Create, "new pod"),
        (Why::SpecChanged, Change::Replace, "manifest changed"),
        (Why::PodUnwanted, Change::Remove, "no manifest names it"),
    ];
    let mut whys = Vec::new();
    for action in &decision.actions {
        match action {
            Action::Pod {
                key: of,
                steps,
                why,
                ..
            } if of == key => match whole.iter().find(|(of, ..)| of == why) {
                Some((_, change, told)) => return (*change, (*told).to_owned()),
                None => whys.push(format!("{why}: {}", words(steps))),
            },
            Action::Pull {
                key: of,
                image,
                why,
                ..
            } if of == key => whys.push(format!("{why}: pull {image}")),
            Action::Pod { .. }
            | Action::Pull { .. }
            | Action::Probe { .. }
            | Action::Cancel { .. } => {}
        }
    }
    if !whys.is_empty() {
        return (Change::Mend, whys.join("; "));
    }
    let why = match desired.pods.get(key) {
        Some(_) => String::new(),
        None => "no manifest names it; it stays until every manifest can be used".to_owned(),
    };
    (Change::Unchanged, why)
}
