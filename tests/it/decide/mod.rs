//! One sentence, one change to a healthy world, and the complete list of what is decided, with reasons and wake time.

mod containers;
mod finished;
mod hooks;
mod images;
mod init;
mod jobs;
mod pods;
mod probes;
mod restarts;
mod sandboxes;
mod timers;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use staticlet::decide::{Action, ImageChoice, Limits, Step, StopTarget, Why, decide};
use staticlet::pod::{PodUid, SpecHash};
use staticlet::state::{
    ContainerState, Crash, Event, FailReason, Failure, Held, JobEnd, JobKey, ProbeKind, Probed,
    Pull, Report,
};

use crate::support::world::*;

const LIMITS: Limits = Limits {
    pod_jobs: 8,
    pulls: 3,
    probes: 64,
};
const CRASH_MAX: Duration = Duration::from_secs(300);

/// One row.
struct Row {
    says: &'static str,
    world: World,
    /// Seconds after the start of the world.
    at: u64,
    actions: Vec<Action>,
    /// Milliseconds from now until the next look, and whose.
    wake: Option<(u64, &'static str)>,
}

fn row(says: &'static str, change: impl FnOnce(&mut World), actions: Vec<Action>) -> Row {
    row_in(healthy(), says, change, actions)
}

fn row_in(
    mut world: World,
    says: &'static str,
    change: impl FnOnce(&mut World),
    actions: Vec<Action>,
) -> Row {
    change(&mut world);
    Row {
        says,
        world,
        at: 100,
        actions,
        wake: None,
    }
}

impl Row {
    fn wakes(self, ms: u64, why: &'static str) -> Row {
        Row {
            wake: Some((ms, why)),
            ..self
        }
    }
}

fn check(row: &Row) {
    let mut memory = row.world.memory.clone();
    memory.saw(&row.world.desired, &row.world.observed, at(row.at));
    let decision = decide(
        &row.world.desired,
        &row.world.observed,
        &memory,
        LIMITS,
        at(row.at),
    );
    assert_eq!(decision.actions, row.actions, "{}", row.says);
    let wake = decision
        .wake
        .map(|wake| (wake.at.since(at(row.at).mono).as_millis() as u64, wake.why));
    assert_eq!(wake, row.wake, "{}: wake", row.says);
}

fn act(uid: &str, why: Why, steps: Vec<Step>) -> Action {
    Action::Pod {
        key: key(),
        uid: PodUid(uid.into()),
        steps,
        why,
    }
}

fn stop(targets: &[(&str, &str, u32)]) -> Step {
    let target = |(id_text, container, grace): &(&str, &str, u32)| StopTarget {
        id: id(id_text),
        name: name(container),
        grace_seconds: *grace,
        turn: 0,
        pre_stop: false,
    };
    Step::Stop {
        containers: targets.iter().map(target).collect(),
    }
}

fn remove(ids: &[&str]) -> Step {
    Step::Remove {
        containers: ids.iter().map(|text| id(text)).collect(),
    }
}

fn start(container: &str, attempt: u32) -> Step {
    Step::Start {
        container: name(container),
        attempt,
        image: ImageChoice::Local,
    }
}

fn failure(retry_seconds: u64) -> Failure {
    Failure {
        reason: FailReason::CreateContainerError,
        message: "no".into(),
        times: 1,
        retry: at(retry_seconds).mono,
    }
}

fn everything_goes(uid: &str) -> Vec<Step> {
    let part = |container: &str| format!("{uid}-{container}-0");
    vec![
        stop(&[(&part("app"), "app", 30), (&part("side"), "side", 30)]),
        stop(&[(&part("POD"), "POD", 10)]),
        remove(&[&part("app"), &part("side")]),
        Step::Cleanup,
        remove(&[&part("POD")]),
    ]
}

fn rows() -> Vec<Row> {
    [
        pods::rows(),
        sandboxes::rows(),
        containers::rows(),
        images::rows(),
        init::rows(),
        finished::rows(),
        hooks::rows(),
        restarts::rows(),
        jobs::rows(),
        probes::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_row_holds() {
    for row in rows() {
        check(&row);
    }
}

#[test]
fn every_reason_and_every_step_stands_in_some_row() {
    let mut whys = BTreeSet::new();
    let mut steps = BTreeSet::new();
    for row in rows() {
        for action in &row.actions {
            match action {
                Action::Pod {
                    steps: list, why, ..
                } => {
                    whys.insert(word(why));
                    steps.extend(list.iter().map(word));
                }
                Action::Pull { why, .. }
                | Action::Probe { why, .. }
                | Action::Cancel { why, .. } => {
                    whys.insert(word(why));
                }
            }
        }
    }
    let source = include_str!("../../../src/decide/action.rs");
    for (kind, seen) in [("Why", &whys), ("Step", &steps)] {
        let body = source.split(&format!("pub enum {kind} {{")).nth(1).unwrap();
        let body = body.split("\n}").next().unwrap();
        let variants = body
            .lines()
            .filter(|line| line.starts_with("    ") && !line.starts_with("     "));
        for line in variants {
            let variant: String = line
                .trim()
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect();
            if !variant.is_empty() {
                assert!(
                    seen.contains(&variant),
                    "{kind}::{variant} stands in no row"
                );
            }
        }
    }
}

fn word(value: &impl std::fmt::Debug) -> String {
    format!("{value:?}")
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect()
}
