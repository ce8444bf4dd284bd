//! How many instructions a decision takes in worlds of 10, 100 and 1000 pods, counted by callgrind: no clock is in it, so
//! a busy machine changes nothing.
//!
//! The bench calls itself under valgrind, with few and with more decisions: what more of them cost is the decision's, and
//! the building of the world is not in it.

use std::hint::black_box;
use std::process::{Command, Stdio};

use serde_json::json;
use staticlet::decide::{Limits, decide};
use staticlet::pod::{PodKey, PodUid};
use staticlet::state::ObservedPod;

use crate::floor::text;
use crate::world::{World, at, container, pod, running, sandbox, want};

/// Decisions in the longer of both runs, beyond those in the shorter.
const MORE: u64 = 10;

const LIMITS: Limits = Limits {
    pod_jobs: 8,
    pulls: 4,
    probes: 64,
};

/// Prints the counts, and what each ten times as many pods cost beside the tenth.
pub fn run() -> Result<(), String> {
    println!(
        "{:<10} {:>24} {:>20} {:>22}",
        "pods", "instructions, at rest", "of them per pod", "beside the row above"
    );
    let mut before: Option<u64> = None;
    for pods in [10, 100, 1000] {
        let few = counted(pods, 1)?;
        let more = counted(pods, 1 + MORE)?;
        let each = more.saturating_sub(few) / MORE;
        let growth = before.map_or(String::new(), |before| {
            #[allow(clippy::cast_precision_loss)]
            let ratio = each as f64 / before as f64;
            format!("{ratio:.1} x")
        });
        println!("{pods:<10} {each:>24} {:>20} {growth:>22}", each / pods);
        before = Some(each);
    }
    Ok(())
}

/// Instructions of a process that builds a world and decides so many times.
fn counted(pods: u64, rounds: u64) -> Result<u64, String> {
    let program = std::env::current_exe().map_err(text)?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["decide", &pods.to_string(), &rounds.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind does not start, which counts instructions: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let number = line.and_then(|(_, number)| number.trim().parse().ok());
    number
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("valgrind says no count: {said}"))
}

/// What runs under valgrind.
pub fn decide_often(pods: usize, rounds: usize) -> Result<(), String> {
    let world = healthy(pods);
    for _ in 0..rounds {
        let decision = decide(
            &world.desired,
            &world.observed,
            &world.memory,
            LIMITS,
            at(1),
        );
        if !black_box(decision).actions.is_empty() {
            return Err("a world at rest is to give nothing to do".into());
        }
    }
    Ok(())
}

/// So many pods of two containers with a probe each, all of them well.
fn healthy(pods: usize) -> World {
    let mut world = World::default();
    world.desired.complete = true;
    // Not due yet: at rest nothing is.
    let probe = json!({"httpGet": {"port": 80}, "initialDelaySeconds": 100, "periodSeconds": 10});
    let spec = |image: &str| {
        json!({"containers": [
            {"name": "app", "image": image, "imagePullPolicy": "IfNotPresent", "readinessProbe": probe},
            {"name": "side", "image": image, "imagePullPolicy": "IfNotPresent"},
        ]})
    };
    for n in 0..pods {
        let uid = format!("v{n}");
        let mut wanted = pod(&uid, &[], spec("busybox:1"));
        let key = PodKey {
            namespace: "default".into(),
            name: format!("web-{n}-node1"),
        };
        wanted.key = key.clone();
        want(&mut world.desired, wanted);
        let there = ObservedPod {
            key,
            uid: PodUid(uid.clone()),
            sandboxes: vec![sandbox(&uid, 0, running())],
            containers: ["app", "side"]
                .map(|name| container(&uid, name, 0, running()))
                .into(),
        };
        world.observed.pods.insert(PodUid(uid.clone()), there);
        world.observed.dirs.insert(PodUid(uid));
    }
    world.memory.saw(&world.desired, &world.observed, at(0));
    world
}
