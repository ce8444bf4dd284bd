//! Every event that a kubelet was seen to tell, beside what is told here of the same thing.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::decide::StopTarget;
use crate::state::ContainerId;
use crate::sys::{Mono, Wall};

/// What a kubelet tells and this agent does not, or otherwise.
const DIFFERENT: [(&str, &str); 6] = [
    (
        "MissingClusterDNS",
        "pods have the node's name servers without a word",
    ),
    ("NodeAffinity", "a nodeSelector means nothing here"),
    (
        "UnexpectedAdmissionError",
        "requests are not held against the node",
    ),
    (
        "SupplementalGroupsPolicyNotSupported",
        "the manifest is refused",
    ),
    (
        "(combined from similar events)",
        "each message is counted for itself",
    ),
    ("definition changed", "an edit replaces the pod"),
];

const NOW: Now = Now {
    wall: Wall(0),
    mono: Mono(0),
};

/// One line of a recording: type, reason, list and container, message.
#[derive(Default)]
struct Line {
    kind: String,
    reason: String,
    list: String,
    container: String,
    message: String,
}

fn line(text: &str) -> Option<Line> {
    let mut words = text.split_ascii_whitespace();
    words.next().filter(|first| first.ends_with('Z'))?;
    let (kind, reason) = (words.nth(1)?, words.next()?);
    let field = words.nth(2)?;
    let (_, message) = text.split_once(&format!(" {field}  "))?;
    let (list, name) = field.split_once('{').unwrap_or(("", ""));
    Some(Line {
        kind: kind.to_owned(),
        reason: reason.to_owned(),
        list: list.to_owned(),
        container: name.trim_end_matches('}').to_owned(),
        message: message.to_owned(),
    })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}

fn image_of(line: &Line) -> &str {
    let of = |before| between(&line.message, before, "\"");
    of("image \"").or(of("tag \"")).unwrap_or("i")
}

/// A pod in which that could have happened.
fn pod_of(line: &Line) -> Pod {
    let (message, image) = (&line.message, image_of(line));
    let of_pod = between(message, " in pod ", ")").unwrap_or("p_default(u");
    let (name, uid) = of_pod.split_once("_default(").unwrap();
    let list = line.list.trim_start_matches("spec.");
    let reason = if message.starts_with("Back-off restarting") {
        "CrashLoopBackOff"
    } else {
        "ImagePullBackOff"
    };
    let statuses = match list {
        "initContainers" => "initContainerStatuses",
        _ => "containerStatuses",
    };
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "default", "uid": uid},
        "spec": {"containers": []},
        "status": {statuses: [{"name": line.container, "image": image, "imageID": "", "ready": false,
            "restartCount": 0, "state": {"waiting": {"reason": reason}}}]},
    });
    if !list.is_empty() {
        pod["spec"][list] = json!([{"name": line.container, "image": image}]);
    }
    serde_json::from_value(pod).unwrap()
}

/// Everything that can have led to a line.
fn lead_to(line: &Line, pod: &Pod) -> Vec<Value> {
    let key = PodKey::of(pod).unwrap();
    let name = ContainerName(line.container.clone());
    let container = (!line.container.is_empty()).then(|| name.clone());
    let mut recorder = Recorder::new(true);
    let (message, image) = (line.message.as_str(), image_of(line));
    let id = ContainerId("1".into());
    // A pod may have few events at once: these have a budget of their own.
    let mut second = Recorder::new(true);
    second.waits(std::slice::from_ref(pod), NOW);
    let mut reports = vec![Report::Started {
        container: name.clone(),
        id: id.clone(),
        attempt: 0,
    }];
    reports.extend(
        failures(message, image).map(|(reason, message)| Report::Failed {
            container: container.clone(),
            reason,
            message,
        }),
    );
    let mut said: Vec<(JobKey, Report)> = reports
        .into_iter()
        .map(|report| (JobKey::Pod(key.clone()), report))
        .collect();
    said.extend(ProbeKind::ALL.map(|kind| {
        let prefix = format!("{} probe failed: ", kind.as_str());
        let report = Report::Probed {
            id: id.clone(),
            found: Probed::Failure,
            output: message.strip_prefix(&prefix).unwrap_or_default().to_owned(),
        };
        (JobKey::Probe(key.clone(), name.clone(), kind), report)
    }));
    for (job, report) in said {
        let event = Event::JobSaid { job, report };
        recorder.happened(&event, Some(pod), "node1", NOW);
    }
    let pulls = Event::JobStarted {
        job: JobKey::Pull(key.clone(), name.clone()),
        what: format!("pull {image}"),
        uid: None,
        wants: None,
        starts: Vec::new(),
        sandbox: false,
    };
    recorder.happened(&pulls, Some(pod), "node1", NOW);
    for why in [
        Why::PodUnwanted,
        Why::LivenessFailed,
        Why::StartupFailed,
        Why::SandboxDead,
    ] {
        second.acted((&key, Some(pod)), (&[stop(&name)], &why), NOW);
    }
    [everything(recorder), everything(second)].concat()
}

fn stop(name: &ContainerName) -> Step {
    let target = StopTarget {
        id: ContainerId("1".into()),
        name: name.clone(),
        grace_seconds: 2,
        turn: 0,
        pre_stop: false,
    };
    Step::Stop {
        containers: vec![target],
    }
}

/// What a job may have said that is told with this message.
fn failures(message: &str, image: &str) -> [(FailReason, String); 8] {
    let rest = |prefix: &str| message.strip_prefix(prefix).unwrap_or(message).to_owned();
    let pulled = format!("Failed to pull image \"{image}\": ");
    let named = format!("Failed to apply default image tag \"{image}\": ");
    [
        (FailReason::FailedMount, message.to_owned()),
        (
            FailReason::CreatePodSandboxError,
            rest("Failed to create pod sandbox: "),
        ),
        (FailReason::KillContainerError, rest("error killing pod: ")),
        (FailReason::ErrImageNeverPull, message.to_owned()),
        (FailReason::ErrImagePull, rest(&pulled)),
        (FailReason::InvalidImageName, rest(&named)),
        (FailReason::RunContainerError, rest("Error: ")),
        (FailReason::PostStartHookError, "it failed".to_owned()),
    ]
}

fn everything(mut recorder: Recorder) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let some = recorder.take();
        recorder.told(some.len());
        recorder.settle();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

/// The recordings: `tests/fixtures/events.txt` has one of each shape; `STATICLET_CAPTURES` names a folder with all of them.
#[allow(clippy::disallowed_methods)] // a test is told by the environment where they are
fn recordings() -> (Vec<PathBuf>, usize) {
    let Some(folder) = std::env::var_os("STATICLET_CAPTURES") else {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/events.txt");
        return (vec![own], 40);
    };
    let cases = std::fs::read_dir(folder).unwrap();
    let files = cases.map(|case| case.unwrap().path().join("events.txt"));
    (files.filter(|file| file.exists()).collect(), 500)
}

#[test]
fn events_are_told_as_a_kubelet_tells_them() {
    let (mut told, mut differ, mut wrong) = (0, [0; DIFFERENT.len()], Vec::new());
    let (files, least) = recordings();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines().filter_map(line) {
            let is =
                |(words, _): &(&str, &str)| line.reason == *words || line.message.contains(words);
            if let Some(at) = DIFFERENT.iter().position(is) {
                differ[at] += 1;
                continue;
            }
            let field = match line.list.as_str() {
                "" => Value::Null,
                list => json!(format!("{list}{{{}}}", line.container)),
            };
            let same = |event: &Value| {
                event["type"] == line.kind.as_str()
                    && event["reason"] == line.reason.as_str()
                    && event["message"] == line.message.as_str()
                    && event["involvedObject"]["fieldPath"] == field
            };
            told += 1;
            if !lead_to(&line, &pod_of(&line)).iter().any(same) {
                let (kind, reason) = (&line.kind, &line.reason);
                let place = file.display();
                wrong.push(format!("{place}: {kind} {reason} {field} {}", line.message));
            }
        }
    }
    println!("{told} events compared; told otherwise, or not at all: {differ:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(told >= least, "only {told}");
    for ((words, _), count) in DIFFERENT.iter().zip(differ) {
        assert!(count > 0, "{words} does not differ any more");
    }
}

#[test]
fn a_pre_stop_hook_that_fails_and_an_image_that_was_pulled_are_told() {
    let line = Line {
        list: "spec.containers".into(),
        container: "c".into(),
        ..Line::default()
    };
    let pod = pod_of(&line);
    let (key, name) = (PodKey::of(&pod).unwrap(), ContainerName("c".into()));
    let mut recorder = Recorder::new(true);
    let pulled = Report::Pulled {
        image_id: "1".into(),
        note: String::new(),
    };
    let started = Report::Started {
        container: name.clone(),
        id: ContainerId("1".into()),
        attempt: 0,
    };
    let failed = Report::PreStopFailed {
        container: name.clone(),
        why: "no".into(),
    };
    for (job, report) in [
        (JobKey::Pull(key.clone(), name), pulled),
        (JobKey::Pod(key.clone()), started),
        (JobKey::Pod(key), failed),
    ] {
        let event = Event::JobSaid { job, report };
        recorder.happened(&event, Some(&pod), "node1", NOW);
    }
    let told: Vec<String> = everything(recorder)
        .iter()
        .map(|event| format!("{}: {}", event["reason"], event["message"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "Pulled: Successfully pulled image \\i\\",
            "Created: Container created",
            "Started: Container started",
            "FailedPreStopHook: PreStopHook failed",
        ]
    );
}
