//! What has to hold, told without asking `decide`.

use std::rc::Rc;

use k8s_openapi::api::core::v1::{Container as SpecContainer, PodSpec};
use staticlet::decide::{Action, Decision, Step};
use staticlet::pod::{PodKey, ValidPod, container_of, is_sidecar};
use staticlet::state::{ContainerState, JobKey, ProbeKind};
use staticlet::status::{Again, Case, Reason, Restart, init_failed, reasons};
use staticlet::sys::Mono;

use super::agent::World;
use super::engine::{Engine, SANDBOX, Thing};
use super::pods;

/// Waits are told in whole seconds.
const ROUNDED_MS: u64 = 1_000;

/// What an action may do: it is about containers of ours, and takes no container away that should be left alone.
pub(super) fn action(world: &mut World, action: &Action) {
    let Action::Pod {
        key, steps, why, ..
    } = action
    else {
        return;
    };
    let mut ids: Vec<&str> = Vec::new();
    for step in steps {
        match step {
            Step::Stop { containers } => {
                ids.extend(containers.iter().map(|target| target.id.0.as_str()))
            }
            Step::Remove { containers } => ids.extend(containers.iter().map(|id| id.0.as_str())),
            Step::Volumes
            | Step::Sandbox { .. }
            | Step::Start { .. }
            | Step::PostStart { .. }
            | Step::Cleanup => {}
        }
    }
    for id in ids {
        let Some(thing) = world.engine.find(id).cloned() else {
            continue;
        };
        if !thing.is_ours() {
            world
                .engine
                .breaks(|| format!("foreign container touched: {id}, {why}"));
        }
        if thing.is_live() && thing.pod.key == *key && !is_fair(world, &thing) {
            world
                .engine
                .breaks(|| format!("{} {id} taken away for nothing: {why}", thing.name));
        }
    }
}

/// Whether there is a reason to stop a container that runs.
fn is_fair(world: &World, thing: &Thing) -> bool {
    let engine = &world.engine;
    let Some(pod) = world.truth.get(&thing.pod.key) else {
        return true;
    };
    let known = world.desired.pods.get(&thing.pod.key);
    if known.is_some_and(|known| known.pod.hash != thing.pod.hash) || world.engine.touched {
        return true;
    }
    let spec = spec(pod);
    let ours = |other: &&Thing| other.is_ours() && other.pod.uid == pod.uid;
    let sandboxes = engine
        .things
        .iter()
        .filter(ours)
        .filter(|other| other.is_sandbox());
    let newest = sandboxes.clone().max_by_key(|other| other.attempt);
    let lives = sandboxes.filter(|other| other.is_live()).count();
    let in_newest = thing.is_sandbox() || newest.is_some_and(|newest| newest.id == thing.sandbox);
    let twins = engine
        .things
        .iter()
        .filter(ours)
        .filter(|other| other.name == thing.name && other.is_live());
    let ends_all = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
        .any(|c| {
            let rule = Restart::of(Some(spec), Some(c));
            let code = newest_of(engine, pod, &c.name).and_then(code_of);
            code.is_some_and(|(code, _)| rule.after(code) == Again::StartAll)
        });
    let over = spec.active_deadline_seconds.is_some();
    thing.pod.hash != pod.hash
        || lives != 1
        || !newest.is_some_and(Thing::is_live)
        || !in_newest
        || twins.count() > 1
        || thing.by_hand
        || thing.ill
        || thing.starting
        || ends_all
        || over
        || is_finished(engine, pod)
        || is_failed(engine, pod)
}

fn spec(pod: &ValidPod) -> &PodSpec {
    pod.pod.spec.as_ref().unwrap()
}

fn newest_of<'a>(engine: &'a Engine, pod: &ValidPod, name: &str) -> Option<&'a Thing> {
    let mine = engine.things.iter().filter(|thing| {
        thing.is_ours()
            && thing.pod.uid == pod.uid
            && thing.pod.hash == pod.hash
            && thing.name == name
    });
    mine.max_by_key(|thing| thing.attempt)
}

fn code_of(thing: &Thing) -> Option<(i32, &str)> {
    match &thing.state {
        ContainerState::Exited(exit) => Some((exit.code, exit.reason.as_str())),
        ContainerState::Created
        | ContainerState::Running { .. }
        | ContainerState::Unknown { .. } => None,
    }
}

/// A container has ended for good.
fn has_ended(engine: &Engine, pod: &ValidPod, container: &SpecContainer) -> bool {
    let rule = Restart::of(Some(spec(pod)), Some(container));
    let code = newest_of(engine, pod, &container.name).and_then(code_of);
    code.is_some_and(|(code, _)| rule.after(code) == Again::No)
}

/// All containers have ended for good.
fn is_finished(engine: &Engine, pod: &ValidPod) -> bool {
    spec(pod)
        .containers
        .iter()
        .all(|c| has_ended(engine, pod, c))
}

/// The pod cannot come up any more: an init container failed for good, or its sandbox is gone and nothing is started twice.
fn is_failed(engine: &Engine, pod: &ValidPod) -> bool {
    let spec = spec(pod);
    let init = spec.init_containers.iter().flatten();
    let failed = init.filter(|c| !is_sidecar(c)).any(|c| {
        let rule = Restart::of(Some(spec), Some(c));
        let newest = newest_of(engine, pod, &c.name);
        let dead =
            newest.is_some_and(|newest| matches!(newest.state, ContainerState::Unknown { .. }));
        let code = newest.and_then(code_of);
        (dead && rule.is_never())
            || code.is_some_and(|(code, reason)| {
                init_failed(code, reason) && rule.after_init(code, reason) == Again::No
            })
    });
    let never = spec.restart_policy.as_deref() == Some("Never");
    let lost = never && engine.sandbox(&pod.uid).is_none() && has_run(engine, pod);
    failed || lost
}

fn has_run(engine: &Engine, pod: &ValidPod) -> bool {
    engine.things.iter().any(|thing| {
        thing.is_ours()
            && thing.pod.uid == pod.uid
            && !thing.is_sandbox()
            && thing.state != ContainerState::Created
    })
}

/// What has to hold when nothing is under way: every wanted pod runs, or has ended as it may, or it is told why it does not
/// and tried again; and there is nothing else.
pub(super) fn at_rest(world: &mut World, decision: &Decision) {
    let mut wrong = Vec::new();
    for thing in world.engine.things.iter().filter(|thing| thing.is_ours()) {
        let wanted = world.truth.get(&thing.pod.key);
        // One that is dead and has a name of the manifest counts as a dead one of it.
        let counts = |wanted: &&Rc<ValidPod>| {
            wanted.hash == thing.pod.hash
                || (wanted.uid == thing.pod.uid
                    && !thing.is_live()
                    && container_of(spec(wanted), &thing.name).is_some())
        };
        if !wanted.is_some_and(|wanted| counts(&wanted)) {
            let known = world.memory.pods.get(&thing.pod.key);
            let waits = known.is_some_and(|known| known.failure.is_some());
            if !waits {
                wrong.push(format!(
                    "left over: {} {} of {}",
                    thing.name, thing.id, thing.pod.hash
                ));
            }
        }
    }
    for uid in &world.engine.dirs {
        let wanted = world.truth.values().any(|pod| pod.uid == *uid);
        let there = world
            .engine
            .things
            .iter()
            .any(|thing| thing.pod.uid == *uid);
        if !wanted && !there {
            wrong.push(format!("left over: directory of {uid}"));
        }
    }
    for (key, pod) in &world.truth {
        wrong.extend(pod_at_rest(world, key, pod, decision));
    }
    for why in wrong {
        world.engine.breaks(|| format!("at rest, and {why}"));
    }
}

fn pod_at_rest(world: &World, key: &PodKey, pod: &ValidPod, decision: &Decision) -> Vec<String> {
    let mut wrong = Vec::new();
    let engine = &world.engine;
    let live: Vec<&Thing> = engine
        .things
        .iter()
        .filter(|thing| thing.is_ours() && thing.pod.key == *key && thing.is_live())
        .collect();
    let told = told(world, key, pod);
    let over = told
        .iter()
        .any(|reason| reason.reason == "DeadlineExceeded");
    if over || is_finished(engine, pod) || is_failed(engine, pod) {
        // It may have been tried in vain to take them away.
        if !live.is_empty()
            && world
                .memory
                .pods
                .get(key)
                .is_none_or(|known| known.failure.is_none())
        {
            wrong.push(format!("{key} has ended, and {} runs", live[0].name));
        }
        return wrong;
    }
    // What is there cannot be taken away, or cannot be made: that is told, and tried again.
    let known = world
        .memory
        .pods
        .get(key)
        .and_then(|known| known.failure.as_ref());
    if known.is_some_and(|failure| waits_until(failure.retry, world, decision)) {
        return wrong;
    }
    let spec = spec(pod);
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|c| is_sidecar(c));
    let regular = spec
        .containers
        .iter()
        .filter(|c| !has_ended(engine, pod, c));
    let names = regular.chain(sidecars).map(|c| c.name.as_str());
    for name in [SANDBOX].into_iter().chain(names) {
        let mine: Vec<&&Thing> = live.iter().filter(|thing| thing.name == name).collect();
        let pause = engine.sandbox(&pod.uid).map(|pause| pause.id.as_str());
        match mine.as_slice() {
            [only] if only.pod.hash != pod.hash => {
                wrong.push(format!("{name} of {key} is an old one"))
            }
            [only] if name != SANDBOX && Some(only.sandbox.as_str()) != pause => {
                wrong.push(format!("{name} of {key} is in another sandbox"));
            }
            [_] => {}
            [] => wrong.extend(is_down(world, (key, name), &told, decision)),
            // Somebody started an old one: the pod may have to wait for its next sandbox.
            _ => {
                let waits = is_down(world, (key, name), &told, decision).is_none();
                if !waits {
                    wrong.push(format!("{name} of {key} runs {} times", mine.len()));
                }
            }
        }
    }
    wrong
}

/// A container that should run does not: that has a reason that is told, and a time of the next attempt.
fn is_down(
    world: &World,
    (key, name): (&PodKey, &str),
    told: &[Reason],
    decision: &Decision,
) -> Option<String> {
    let now = world.engine.now().mono;
    if is_asking(world, key) && (decision.wake.is_some() || !world.jobs.is_empty()) {
        return None;
    }
    // The pod as a whole holds up all of it, and an init container those after it.
    let spec = spec(&world.truth[key]);
    let is_init = |name: &str| {
        spec.init_containers
            .iter()
            .flatten()
            .any(|c| c.name == name)
    };
    let holds_up = |reason: &&Reason| {
        let of = reason.container.as_deref();
        of.is_none_or(|of| of == name || is_init(of))
    };
    let mut waits = told
        .iter()
        .filter(holds_up)
        .filter_map(|reason| reason.next_attempt);
    let waits = waits.find(|at| *at >= now);
    let Some(at) = waits else {
        return Some(format!(
            "{name} of {key} is down, and it is not told why: {told:?}"
        ));
    };
    if !waits_until(at, world, decision) {
        let wake = decision.wake;
        return Some(format!(
            "{name} of {key} is down until {at:?}, now {now:?}, and the next look is {wake:?}"
        ));
    }
    None
}

/// The next look comes at that time, which is yet to come, or before.
fn waits_until(at: Mono, world: &World, decision: &Decision) -> bool {
    let wake = decision.wake.map_or(Mono(u64::MAX), |wake| wake.at);
    at >= world.engine.now().mono && wake <= Mono(at.0 + ROUNDED_MS)
}

/// A sidecar runs and has not passed its startup probe yet: the others wait for it.
fn is_asking(world: &World, key: &PodKey) -> bool {
    let known = world.memory.pods.get(key);
    let mut of = known.iter().flat_map(|known| known.containers.values());
    of.any(|of| {
        let startup = of.probes.get(&ProbeKind::Startup);
        startup.is_some_and(|probe| {
            let thing = world.engine.find(&probe.container.0);
            probe.well.is_none() && thing.is_some_and(Thing::is_live)
        })
    })
}

fn told(world: &World, key: &PodKey, pod: &ValidPod) -> Vec<Reason> {
    reasons(&Case {
        key,
        uid: &pod.uid,
        wanted: Some(pod),
        there: world.last.pods.get(&pod.uid),
        memory: world.memory.pods.get(key),
        node: &world.node,
        previous: None,
        now: world.engine.now(),
    })
}

/// Nothing is under way that will end by itself, and nothing waits.
pub(super) fn is_quiet(world: &World, decision: &Decision) -> bool {
    let probes_only = |action: &Action| matches!(action, Action::Probe { .. });
    decision.actions.iter().all(probes_only)
        && !world.is_busy()
        && world.engine.due().is_none()
        && world
            .memory
            .jobs
            .keys()
            .all(|job| matches!(job, JobKey::Probe(..)))
}

/// Whether some pod never comes to rest, as its program fails for ever.
pub(super) fn is_hopeless(world: &World) -> bool {
    world.truth.values().any(|pod| pods::is_hopeless(pod))
}
