//! When probes are made, and what their results mean.

use staticlet::state::{Before, ContainerId, ProbeKind, Probed};

use super::*;

/// The healthy world, its first container with these probes, seen at second `seen` by an agent that knows `before`.
fn world(probes: serde_json::Value, seen: u64, before: &[(&str, Before)]) -> World {
    let mut app = json!({"name": "app", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"});
    let object = app.as_object_mut().unwrap();
    object.extend(probes.as_object().unwrap().clone());
    let side = json!({"name": "side", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"});
    let mut world = healthy_with(&["app", "side"], json!({"containers": [app, side]}));
    world.memory = Default::default();
    world.memory.before = before.iter().map(|(i, b)| (id(i), *b)).collect();
    world.memory.saw(&world.desired, &world.observed, at(seen));
    world
}

fn job(kind: ProbeKind) -> JobKey {
    JobKey::Probe(key(), name("app"), kind)
}

fn begin(world: &mut World, kind: ProbeKind, second: u64) {
    let started = Event::JobStarted {
        job: job(kind),
        what: "probe".into(),
        uid: None,
        wants: None,
        starts: vec![],
        sandbox: false,
    };
    world.memory.fold(&started, CRASH_MAX, at(second));
}

fn end(world: &mut World, kind: ProbeKind, second: u64) {
    let ended = Event::JobEnded {
        job: job(kind),
        end: JobEnd::Done,
    };
    world.memory.fold(&ended, CRASH_MAX, at(second));
}

fn say(world: &mut World, kind: ProbeKind, of: &str, (found, second): (Probed, u64)) {
    let said = Event::JobSaid {
        job: job(kind),
        report: Report::Probed {
            id: ContainerId(of.into()),
            found,
            output: "no".into(),
        },
    };
    world.memory.fold(&said, CRASH_MAX, at(second));
}

/// Probes once, from start to end, within the same second.
fn probe(world: &mut World, kind: ProbeKind, (found, second): (Probed, u64)) {
    begin(world, kind, second);
    say(world, kind, "v1-app-0", (found, second));
    end(world, kind, second);
}

fn due(kind: ProbeKind) -> Action {
    Action::Probe {
        key: key(),
        container: name("app"),
        id: id("v1-app-0"),
        kind,
        ip: Some("172.17.0.2".into()),
        why: Why::ProbeDue,
    }
}

fn row_at(second: u64, says: &'static str, world: World, actions: Vec<Action>) -> Row {
    Row {
        says,
        world,
        at: second,
        actions,
        wake: None,
    }
}

/// A world whose liveness probe has just failed for good at second 30.
fn ill(grace: serde_json::Value) -> World {
    let probes = json!({"livenessProbe": {"exec": {}, "failureThreshold": 2, "terminationGracePeriodSeconds": grace}});
    let mut w = world(probes, 0, &[]);
    for second in [10, 20] {
        probe(&mut w, ProbeKind::Liveness, (Probed::Failure, second));
    }
    w
}

pub(super) fn rows() -> Vec<Row> {
    [schedule(), thresholds(), startup(), restarts()]
        .into_iter()
        .flatten()
        .collect()
}

fn schedule() -> Vec<Row> {
    let live = json!({"livenessProbe": {"exec": {}, "initialDelaySeconds": 25}});
    let ready = json!({"readinessProbe": {"exec": {}, "periodSeconds": 4}});
    let under_way = |second| {
        let mut w = world(ready.clone(), 0, &[]);
        begin(&mut w, ProbeKind::Readiness, second);
        w
    };
    let mut done = under_way(1);
    end(&mut done, ProbeKind::Readiness, 2);
    let mut late = under_way(0);
    end(&mut late, ProbeKind::Readiness, 9);
    let mut no_sandbox = world(ready.clone(), 0, &[]);
    no_sandbox.there("v1").sandboxes[0].ips.clear();
    let host = json!({"readinessProbe": {"exec": {}}});
    let mut host = world(host, 0, &[]);
    host.there("v1").sandboxes[0].host_network = true;
    let mut desired = host.desired.pods.remove(&key()).unwrap();
    let mut pod = (*desired.pod).clone();
    pod.pod.spec.as_mut().unwrap().host_network = Some(true);
    desired.pod = pod.into();
    host.desired.pods.insert(key(), desired);
    let Action::Probe { key, container, .. } = due(ProbeKind::Readiness) else {
        unreachable!()
    };
    let at_machine = Action::Probe {
        key,
        container,
        id: id("v1-app-0"),
        kind: ProbeKind::Readiness,
        ip: None,
        why: Why::ProbeDue,
    };
    vec![
        row_at(
            0,
            "readiness is asked at once",
            world(ready.clone(), 0, &[]),
            vec![due(ProbeKind::Readiness)],
        ),
        row_at(
            5,
            "the delay counts from the start of the container",
            world(live.clone(), 5, &[]),
            vec![],
        )
        .wakes(20_000, "probe"),
        row_at(
            25,
            "and then the probe is due",
            world(live.clone(), 5, &[]),
            vec![due(ProbeKind::Liveness)],
        ),
        row_at(
            42,
            "an agent that starts anew goes on with the same ticks",
            world(live, 42, &[]),
            vec![],
        )
        .wakes(13_000, "probe"),
        row_at(
            9,
            "a probe under way is not made twice",
            under_way(1),
            vec![],
        ),
        row_at(
            2,
            "the next tick comes one period later, whatever the last one took",
            done,
            vec![],
        )
        .wakes(2_000, "probe"),
        row_at(
            9,
            "a tick that was missed is made up for once",
            late,
            vec![due(ProbeKind::Readiness)],
        ),
        row_at(
            2,
            "in the machine's own network the machine is asked",
            host,
            vec![at_machine],
        ),
    ]
}

fn thresholds() -> Vec<Row> {
    let mut once = world(json!({"livenessProbe": {"exec": {}}}), 0, &[]);
    probe(&mut once, ProbeKind::Liveness, (Probed::Failure, 10));
    probe(&mut once, ProbeKind::Liveness, (Probed::Failure, 20));
    probe(&mut once, ProbeKind::Liveness, (Probed::Success, 30));
    probe(&mut once, ProbeKind::Liveness, (Probed::Failure, 40));
    let mut unknown = world(
        json!({"livenessProbe": {"exec": {}, "failureThreshold": 1}}),
        0,
        &[],
    );
    probe(&mut unknown, ProbeKind::Liveness, (Probed::Unknown, 10));
    let mut old = world(
        json!({"livenessProbe": {"exec": {}, "failureThreshold": 1}}),
        0,
        &[],
    );
    begin(&mut old, ProbeKind::Liveness, 10);
    say(
        &mut old,
        ProbeKind::Liveness,
        "v1-app-7",
        (Probed::Failure, 11),
    );
    end(&mut old, ProbeKind::Liveness, 11);
    let mut ready = world(
        json!({"readinessProbe": {"exec": {}, "failureThreshold": 1}}),
        0,
        &[],
    );
    probe(&mut ready, ProbeKind::Readiness, (Probed::Failure, 0));
    vec![
        row_at(
            41,
            "failures with a success between them do not add up",
            once,
            vec![],
        )
        .wakes(9_000, "probe"),
        row_at(
            11,
            "a probe that could not be made counts neither way",
            unknown,
            vec![],
        )
        .wakes(9_000, "probe"),
        row_at(
            11,
            "what was found of an earlier instance counts for nothing",
            old,
            vec![],
        )
        .wakes(9_000, "probe"),
        row_at(1, "readiness restarts nothing", ready, vec![]).wakes(9_000, "probe"),
    ]
}

fn startup() -> Vec<Row> {
    let probes = || {
        json!({
            "startupProbe": {"exec": {}, "periodSeconds": 5, "failureThreshold": 2, "terminationGracePeriodSeconds": 7},
            "livenessProbe": {"exec": {}, "periodSeconds": 1},
            "readinessProbe": {"exec": {}, "periodSeconds": 1},
        })
    };
    let mut started = world(probes(), 0, &[]);
    probe(&mut started, ProbeKind::Startup, (Probed::Success, 5));
    let mut failed = world(probes(), 0, &[]);
    probe(&mut failed, ProbeKind::Startup, (Probed::Failure, 5));
    probe(&mut failed, ProbeKind::Startup, (Probed::Failure, 10));
    let told = |started| {
        let before = Before {
            started,
            ready: started,
        };
        world(probes(), 60, &[("v1-app-0", before)])
    };
    let both = vec![due(ProbeKind::Readiness)];
    vec![
        row_at(
            3,
            "until a container has started only that is asked",
            world(probes(), 0, &[]),
            vec![],
        )
        .wakes(2_000, "probe"),
        row_at(
            6,
            "once it has started that is asked no more, and the others are",
            started,
            vec![due(ProbeKind::Liveness), due(ProbeKind::Readiness)]
                .into_iter()
                .rev()
                .collect(),
        ),
        row_at(
            60,
            "an agent that starts anew does not ask whether it has started",
            told(true),
            both,
        )
        .wakes(1_000, "probe"),
        row_at(
            60,
            "unless it had not",
            told(false),
            vec![due(ProbeKind::Startup)],
        ),
        row_at(
            11,
            "a container that does not start is stopped within the grace of its probe, and started again",
            failed,
            vec![act(
                "v1",
                Why::StartupFailed,
                vec![stop(&[("v1-app-0", "app", 7)]), start("app", 1)],
            )],
        ),
    ]
}

fn restarts() -> Vec<Row> {
    let mut never = ill(json!(null));
    let mut wanted = never.desired.pods.remove(&key()).unwrap();
    let mut pod = (*wanted.pod).clone();
    pod.pod.spec.as_mut().unwrap().restart_policy = Some("Never".into());
    wanted.pod = pod.into();
    never.desired.pods.insert(key(), wanted);
    let again = |wait_ms| {
        let mut w = ill(json!(null));
        let dead = container("v1", "app", 9, exited(137, at(15)));
        w.there("v1").containers.push(dead);
        let pod = w.memory.pods.get_mut(&key()).unwrap();
        pod.containers.get_mut(&name("app")).unwrap().crash = Some(Crash {
            wait_ms,
            started: at(15).mono,
        });
        w
    };
    let stops = |steps: Vec<Step>| vec![act("v1", Why::LivenessFailed, steps)];
    vec![
        row_at(
            21,
            "a container that is not alive is stopped within its pod's grace, and started again at once",
            ill(json!(null)),
            stops(vec![stop(&[("v1-app-0", "app", 30)]), start("app", 1)]),
        ),
        row_at(
            21,
            "a grace below the least is not kept",
            ill(json!(1)),
            stops(vec![stop(&[("v1-app-0", "app", 2)]), start("app", 1)]),
        ),
        row_at(
            21,
            "with restartPolicy Never it is only stopped",
            never,
            stops(vec![stop(&[("v1-app-0", "app", 30)])]),
        ),
        row_at(
            21,
            "in its back-off it is only stopped",
            again(80_000),
            stops(vec![stop(&[("v1-app-0", "app", 30)])]),
        ),
        row_at(
            21,
            "the back-off counts from the end of the instance before",
            again(5_000),
            stops(vec![stop(&[("v1-app-0", "app", 30)]), start("app", 1)]),
        ),
    ]
}

#[test]
fn probes_over_the_limit_wait_and_the_oldest_goes_first() {
    let w = world(
        json!({"livenessProbe": {"exec": {}, "periodSeconds": 1}, "readinessProbe": {"exec": {}}}),
        0,
        &[],
    );
    let one = Limits {
        probes: 1,
        ..LIMITS
    };
    let decision = decide(&w.desired, &w.observed, &w.memory, one, at(5));
    assert_eq!(decision.actions, [due(ProbeKind::Readiness)]);
}

#[test]
fn probes_go_on_while_the_pod_has_a_job() {
    let mut w = world(json!({"readinessProbe": {"exec": {}}}), 0, &[]);
    let started = Event::JobStarted {
        job: JobKey::Pod(key()),
        what: "start".into(),
        uid: None,
        wants: Some(SpecHash("v1".into())),
        starts: vec![],
        sandbox: false,
    };
    w.memory.fold(&started, CRASH_MAX, at(0));
    let decision = decide(&w.desired, &w.observed, &w.memory, LIMITS, at(1));
    assert_eq!(decision.actions, [due(ProbeKind::Readiness)]);
}
