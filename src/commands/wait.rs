//! `staticlet wait`: until pods are ready by what the agent publishes, or gone by what dockerd says.

use std::path::Path;
use std::time::Duration;

use super::find::{self, Instance};
use super::place::Place;
use super::status::refusal_lines;
use super::{Fault, Outcome, complain};
use crate::cli::{Goal, WaitFlags};
use crate::pod::{MANIFEST_BYTES_MAX, PodKey, read_document};
use crate::state::{Refusal, Source};
use crate::status::row;
use crate::sys::{self, files};

/// How long pods have to be ready, or beyond hope. A manifest that was put there just before may not be known yet, and one
/// that is broken is refused when it has been left alone for a second. Longer: every script waits longer.
const SETTLE: Duration = Duration::from_secs(2);

/// The pause between two looks: some times what a look takes, within these limits.
const PAUSE_SHARE: u32 = 5;
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// What is to be said of one pod.
enum Verdict {
    /// It is as it should be.
    Holds,
    /// It may come to be.
    NotYet(String),
    /// It cannot without somebody's doing.
    Never(String),
}

/// What all verdicts together come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// There is nothing more to wait for.
    Holds,
    /// There is nothing to wait for.
    Never,
    /// There is.
    Open,
}

/// Waits. `Bad`, with a line for each pod that is why, when the time is over or there is nothing to wait for.
pub fn wait(flags: &WaitFlags) -> Outcome {
    let settle = match flags.goal {
        Goal::Ready if !flags.timeout.is_zero() => SETTLE,
        Goal::Ready | Goal::Gone => Duration::ZERO,
    };
    let until = sys::now().mono.after(flags.timeout);
    let mut last = (End::Open, until);
    loop {
        let began = sys::now().mono;
        let verdicts = match look(flags) {
            Ok(verdicts) => verdicts,
            Err(fault) => return fault.tell("wait"),
        };
        let end = end(&verdicts);
        if last.0 != end {
            last = (end, began);
        }
        let now = sys::now().mono;
        let is_over = match end {
            End::Open => now >= until,
            // What came in time is given the time to show that it lasts.
            End::Holds | End::Never => now.since(last.1) >= settle || now >= until.after(settle),
        };
        if is_over && end == End::Holds {
            return Outcome::Fine;
        }
        if is_over {
            tell(&verdicts, end);
            return Outcome::Bad;
        }
        let wait = (now.since(began) * PAUSE_SHARE).clamp(PAUSE_MIN, PAUSE_MAX);
        let left = until.since(now);
        sys::pause(if left.is_zero() { wait } else { wait.min(left) });
    }
}

fn end(verdicts: &[(String, Verdict)]) -> End {
    let all = || verdicts.iter().map(|(_, verdict)| verdict);
    if all().any(|of| matches!(of, Verdict::Never(_))) {
        End::Never
    } else if all().all(|of| matches!(of, Verdict::Holds)) {
        End::Holds
    } else {
        End::Open
    }
}

/// Says why not; where there is something that cannot be, that alone.
fn tell(verdicts: &[(String, Verdict)], end: End) {
    for (name, verdict) in verdicts {
        let about = if name.is_empty() {
            String::new()
        } else {
            format!("{name}: ")
        };
        match verdict {
            Verdict::Never(why) => complain(&format!("wait: {about}{why}")),
            Verdict::NotYet(why) if end == End::Open => complain(&format!("wait: {about}{why}")),
            Verdict::Holds | Verdict::NotYet(_) => {}
        }
    }
}

/// What is now.
fn look(flags: &WaitFlags) -> Result<Vec<(String, Verdict)>, Fault> {
    let place = Place::find(&flags.place)?;
    match flags.goal {
        Goal::Ready => ready(flags, &place),
        Goal::Gone => gone(flags, &place),
    }
}

fn ready(flags: &WaitFlags, place: &Place) -> Result<Vec<(String, Verdict)>, Fault> {
    let wanted = place.pods().filter_map(PodKey::of);
    let wanted = wanted.filter(|key| place.extra(key).is_some_and(|e| e.source.is_some()));
    let is_manifest = |refusal: &&Refusal| match &refusal.source {
        // The path of all manifests may be mounted yet, and a URL may answer yet.
        Source::File(path) => Path::new(path).is_file(),
        Source::Url(_) => false,
    };
    let file = place.published.as_ref().map(|file| &file.staticlet);
    let refusals = file.map_or(&[][..], |file| &file.refusals);
    let mut verdicts = Vec::new();
    if flags.pods.is_empty() {
        verdicts.extend(general(place).map(|why| ("all pods".to_owned(), Verdict::NotYet(why))));
        verdicts.extend(refusals.iter().map(|refusal| {
            let why = refused(refusal);
            let verdict = if is_manifest(&refusal) {
                Verdict::Never(why)
            } else {
                Verdict::NotYet(why)
            };
            // It says itself what it is about.
            (String::new(), verdict)
        }));
        if verdicts.is_empty() {
            verdicts.extend(wanted.map(|key| (key.to_string(), state(place, &key))));
        }
        return Ok(verdicts);
    }
    let keys = find::keys(place, &[]);
    let node = &place.settings.node.name;
    for typed in &flags.pods {
        let key = find::resolve(typed, &keys, node).map_err(Fault::Bad)?;
        let wanted = key
            .as_ref()
            .and_then(|key| place.extra(key)?.source.as_ref());
        let mut manifests = refusals.iter().filter(is_manifest);
        let refusal = match wanted {
            // The version that runs is not the one in its manifest.
            Some(source) => refusals.iter().find(|refusal| refusal.source == *source),
            None => manifests.find(|refusal| is_of(refusal, typed, node)),
        };
        let verdict = match (refusal, general(place), &key) {
            (Some(refusal), ..) => Verdict::Never(refused(refusal)),
            (None, Some(why), _) => Verdict::NotYet(why),
            (None, None, Some(key)) => state(place, key),
            (None, None, None) => Verdict::NotYet("no manifest names it".to_owned()),
        };
        let name = key.map_or_else(|| typed.clone(), |key| key.to_string());
        verdicts.push((name, verdict));
    }
    Ok(verdicts)
}

/// Why nothing can be said of any pod.
fn general(place: &Place) -> Option<String> {
    let Some(file) = &place.published else {
        let dir = &place.settings.node.run_dir;
        return Some(format!(
            "no agent has published anything in {dir} that can be read"
        ));
    };
    if place.agent().is_none() {
        return Some("the agent is not running".to_owned());
    }
    let extra = &file.staticlet;
    let error = extra.docker.error.as_ref();
    let unread = (!extra.complete).then(|| "manifests have not been read yet".to_owned());
    error.map(|error| format!("dockerd: {error}")).or(unread)
}

/// What was published of a pod.
fn state(place: &Place, key: &PodKey) -> Verdict {
    let Some(pod) = place.pod(key) else {
        return Verdict::NotYet("no manifest names it".to_owned());
    };
    let reasons = place.reasons(key, None);
    let is_wanted = place.extra(key).is_some_and(|extra| extra.source.is_some());
    let status = pod.status.as_ref();
    let row = row(pod, sys::now().wall);
    let [_, _, ready, word, ..] = &row.cells;
    let mut said = format!("{word}, {ready} ready");
    if !reasons.is_empty() {
        said.push_str(&format!(": {reasons}"));
    }
    if !is_wanted {
        Verdict::NotYet("no manifest names it any more, it is on its way out".to_owned())
    } else if status.and_then(|status| status.phase.as_deref()) == Some("Failed") {
        Verdict::Never(format!("it has failed for good: {said}"))
    } else if row.is_well {
        Verdict::Holds
    } else {
        Verdict::NotYet(said)
    }
}

/// All that is wrong with a manifest, in a line.
fn refused(refusal: &Refusal) -> String {
    refusal_lines(refusal).join("; ")
}

/// Whether a refused manifest is that of the pod that was typed: by what it says, or else by its file's name.
fn is_of(refusal: &Refusal, typed: &str, node: &str) -> bool {
    let path = refusal.source.place();
    let bytes = files::read_bounded(Path::new(path), MANIFEST_BYTES_MAX).unwrap_or_default();
    let value = read_document(&bytes).map(|mut document| document.take());
    let metadata = value.ok().and_then(|value| value.get("metadata").cloned());
    let text = |name| {
        let metadata = metadata.as_ref()?;
        metadata.get(name)?.as_str().map(str::to_owned)
    };
    let Some(name) = text("name") else {
        let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str());
        return stem == typed.rsplit('/').next();
    };
    let key = PodKey {
        namespace: text("namespace").unwrap_or_else(|| "default".to_owned()),
        name: format!("{name}-{node}"),
    };
    matches!(find::resolve(typed, &[key].into(), node), Ok(Some(_)))
}

fn gone(flags: &WaitFlags, place: &Place) -> Result<Vec<(String, Verdict)>, Fault> {
    let list = match find::instances(place) {
        Ok(list) => list,
        Err(error) => {
            return Ok(vec![(
                "all pods".to_owned(),
                Verdict::NotYet(error.to_string()),
            )]);
        }
    };
    let keys = find::keys(place, &list);
    if flags.pods.is_empty() {
        let verdict = |key: &PodKey| (key.to_string(), left(key, (place, &list)));
        return Ok(keys.iter().map(verdict).collect());
    }
    let node = &place.settings.node.name;
    let verdict = |typed: &String| {
        let key = find::resolve(typed, &keys, node).map_err(Fault::Bad)?;
        Ok(match key {
            Some(key) => (key.to_string(), left(&key, (place, &list))),
            None => (typed.clone(), Verdict::Holds),
        })
    };
    flags.pods.iter().map(verdict).collect()
}

/// What is left of a pod.
fn left(key: &PodKey, (place, list): (&Place, &[Instance])) -> Verdict {
    let of_pod: Vec<String> = list
        .iter()
        .filter(|one| one.key == *key)
        .map(|one| format!("{} {}", one.name, one.state))
        .collect();
    let source = place.extra(key).and_then(|extra| extra.source.as_ref());
    let wanted = source.filter(|_| place.agent().is_some());
    match (wanted, of_pod.is_empty()) {
        (Some(source), _) => Verdict::NotYet(format!("it is wanted by {}", source.place())),
        (None, false) => Verdict::NotYet(format!("there are containers: {}", of_pod.join(", "))),
        (None, true) => Verdict::Holds,
    }
}
