//! From any start, with any faults, the world comes to rest where it should, and nothing runs twice on the way.

use std::collections::BTreeMap;

use serde_json::json;
use staticlet::pod::{PodKey, PodUid, SpecHash, ValidPod};
use staticlet::state::ContainerState;

use crate::support::toy::{Dice, Toy, is_live};
use crate::support::world::{at_ms, exited, pod};

/// Runs; each takes some milliseconds. `SEED=n` repeats one that failed.
const RUNS: u64 = 1_000;

#[test]
fn any_faults_end_in_rest() {
    let first = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(1..=RUNS, |seed: u64| seed..=seed);
    for seed in seeds {
        one_run(seed);
    }
}

fn one_run(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut toy = Toy::new();
    for _ in 0..40 {
        disturb(&mut toy, &mut dice);
        if dice.one_in(3) {
            toy.think();
        } else {
            toy.tick();
        }
        toy.work(Some(&mut dice));
        nothing_runs_twice(&toy, seed);
        toy.ms += dice.below(3_000);
    }
    for _ in 0..400 {
        let busy = toy.is_busy();
        let decision = toy.tick();
        toy.work(None);
        nothing_runs_twice(&toy, seed);
        let rest = decision.actions.is_empty() && !busy;
        match decision.wake {
            None if rest => return all_is_well(&toy, seed),
            Some(wake) if rest => toy.ms += 1 + wake.at.since(toy.now().mono).as_millis() as u64,
            None | Some(_) => toy.ms += 50,
        }
    }
    panic!("SEED={seed}: no rest\n{}", toy.log.join("\n"));
}

fn disturb(toy: &mut Toy, dice: &mut Dice) {
    let n = dice.below(3);
    match dice.below(12) {
        0..=2 => {
            let version = dice.below(4);
            toy.want(version_of(n, version));
        }
        3 => {
            toy.desired.pods.remove(&key_of(n));
        }
        4 => toy.forget(),
        5 if dice.one_in(3) => toy.dockerd_restarts(),
        6 => {
            let now = at_ms(toy.ms);
            let live = toy.things.iter_mut().filter(|thing| is_live(thing));
            if let Some(thing) = live.min_by_key(|_| dice.below(100)) {
                thing.state = exited(137, now);
            }
        }
        7 => {
            let gone = dice.below(10) as usize;
            if gone < toy.things.len() {
                toy.things.remove(gone);
            }
        }
        8 => {
            if let Some(thing) = toy.things.iter_mut().find(|thing| !is_live(thing)) {
                thing.state = match dice.below(2) {
                    0 => ContainerState::Created,
                    _ => ContainerState::Unknown {
                        word: "dead".into(),
                    },
                };
            }
        }
        9 => toy.image_here = false,
        _ => {}
    }
}

fn key_of(n: u64) -> PodKey {
    PodKey {
        namespace: "default".into(),
        name: format!("pod{n}-node1"),
    }
}

fn version_of(n: u64, version: u64) -> ValidPod {
    let names: &[&str] = if version.is_multiple_of(2) {
        &["app"]
    } else {
        &["app", "side"]
    };
    let policy = if version == 3 {
        "Always"
    } else {
        "IfNotPresent"
    };
    let list: Vec<_> = names
        .iter()
        .map(|name| json!({"name": name, "image": "x", "imagePullPolicy": policy}))
        .collect();
    // The third pod has a sequence before it.
    let init = json!([{"name": "init", "image": "x", "imagePullPolicy": policy},
        {"name": "sidecar", "image": "x", "imagePullPolicy": policy, "restartPolicy": "Always"}]);
    let init = if n == 2 { init } else { json!(null) };
    let patch = json!({ "containers": list, "initContainers": init });
    let mut made = pod("x", names, patch);
    made.key = key_of(n);
    // Version 2 is an edit under a UID of the manifest's own.
    made.uid = PodUid(format!(
        "pod{n}-v{}",
        if version == 2 { 0 } else { version }
    ));
    made.hash = SpecHash(format!("pod{n}-h{version}"));
    made
}

fn nothing_runs_twice(toy: &Toy, seed: u64) {
    let mut live: BTreeMap<_, u32> = BTreeMap::new();
    for thing in toy
        .things
        .iter()
        .filter(|thing| is_live(thing) && thing.name != "POD")
    {
        *live.entry((&thing.key, &thing.name)).or_default() += 1;
    }
    for (which, count) in live {
        assert!(
            count < 2,
            "SEED={seed}: {which:?} runs {count} times\n{}",
            toy.log.join("\n")
        );
    }
}

fn all_is_well(toy: &Toy, seed: u64) {
    let story = || format!("SEED={seed}\n{}\n{:#?}", toy.log.join("\n"), toy.things);
    let mut wanted = 0;
    let mut wanted_dead = 0;
    for pod in toy.desired.pods.values() {
        let spec = pod.pod.pod.spec.as_ref().unwrap();
        let init = spec.init_containers.iter().flatten();
        let runs_on = init.clone().filter(|c| c.restart_policy.is_some());
        wanted_dead += init.count();
        let all = spec.containers.iter().chain(runs_on);
        for name in all.map(|c| c.name.as_str()).chain(["POD"]) {
            let runs = toy
                .things
                .iter()
                .filter(|thing| is_live(thing) && thing.hash == pod.pod.hash && thing.name == name);
            assert!(runs.clone().all(|thing| !thing.starting), "{}", story());
            assert_eq!(runs.count(), 1, "{name} of {}: {}", pod.pod.key, story());
            wanted += 1;
        }
    }
    assert_eq!(
        toy.things.iter().filter(|thing| is_live(thing)).count(),
        wanted,
        "{}",
        story()
    );
    let kept = toy.things.iter().filter(|thing| !is_live(thing)).count();
    assert!(
        kept <= wanted + wanted_dead,
        "dead containers left: {}",
        story()
    );
}
