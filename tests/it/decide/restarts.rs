//! A container's own restart policy and rules, and what probes of sidecars hold up.

use super::*;

/// The pod `web` with `app`, which has these fields too, and `side`; `app` has ended with this code.
fn ended(policy: &str, fields: serde_json::Value, code: i32) -> World {
    let mut app = json!({"name": "app", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"});
    app.as_object_mut()
        .unwrap()
        .extend(fields.as_object().cloned().unwrap());
    let side = json!({"name": "side", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"});
    let patch = json!({"containers": [app, side], "restartPolicy": policy});
    let mut world = healthy_with(&["app", "side"], patch);
    world.newest("v1", container("v1", "app", 0, exited(code, at(99))));
    world
}

fn rules(policy: &str, action: &str, operator: &str) -> serde_json::Value {
    let codes = json!({"operator": operator, "values": [3, 4]});
    json!({"restartPolicy": policy, "restartPolicyRules": [{"action": action, "exitCodes": codes}]})
}

fn again(code: i32) -> Vec<Action> {
    let why = Why::ContainerExited { code };
    vec![act("v1", why, vec![start("app", 1)])]
}

fn anew() -> Vec<Action> {
    let steps = vec![
        stop(&[("v1-side-0", "side", 2)]),
        remove(&["v1-app-0", "v1-side-0"]),
    ];
    vec![act("v1", Why::RestartAll, steps)]
}

pub(super) fn rows() -> Vec<Row> {
    [policies(), all(), sidecars()]
        .into_iter()
        .flatten()
        .collect()
}

fn policies() -> Vec<Row> {
    let same = |_: &mut World| {};
    let own = |policy: &str| json!({ "restartPolicy": policy });
    vec![
        row_in(
            ended("Always", own("Never"), 3),
            "a container with Never stays ended in a pod with Always",
            same,
            vec![],
        ),
        row_in(
            ended("Never", own("Always"), 0),
            "one with Always is started in a pod with Never",
            same,
            again(0),
        ),
        row_in(
            ended("Never", own("OnFailure"), 3),
            "and so is one with OnFailure that failed",
            same,
            again(3),
        ),
        row_in(
            ended("Never", rules("Never", "Restart", "In"), 4),
            "a rule that matches the code starts it again",
            same,
            again(4),
        ),
        row_in(
            ended("Never", rules("Never", "Restart", "In"), 5),
            "one that does not leaves it to the policy",
            same,
            vec![],
        ),
        row_in(
            ended("Never", rules("Never", "Restart", "NotIn"), 5),
            "NotIn is the opposite",
            same,
            again(5),
        ),
        row_in(
            init("OnFailure"),
            "an init container with OnFailure is run again in a pod with Never",
            same,
            vec![act(
                "v1",
                Why::ContainerExited { code: 3 },
                vec![start("one", 1)],
            )],
        ),
        row_in(
            init("Never"),
            "one with Never fails a pod with Always",
            |w| {
                let mut pod = w.desired.pods[&key()].pod.as_ref().clone();
                pod.pod.spec.as_mut().unwrap().restart_policy = Some("Always".into());
                want(&mut w.desired, pod);
            },
            vec![act(
                "v1",
                Why::InitFailed,
                vec![stop(&[("v1-POD-0", "POD", 10)])],
            )],
        ),
    ]
}

/// In a pod with Never the init container `one` with a policy of its own has failed.
fn init(policy: &str) -> World {
    let one = json!({"name": "one", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": policy});
    let patch = json!({"initContainers": [one], "restartPolicy": "Never"});
    let mut world = healthy_with(&["app"], patch);
    world.there("v1").containers.clear();
    world.newest("v1", container("v1", "one", 0, exited(3, at(99))));
    world.memory = Default::default();
    world
}

fn all() -> Vec<Row> {
    let of = |code| ended("Never", rules("Never", "RestartAllContainers", "In"), code);
    vec![
        row_in(of(3), "a rule may restart all containers", |_| {}, anew()),
        row_in(
            of(3),
            "which is backed off as a crash is",
            |w| {
                w.memory.saw(&w.desired, &w.observed, at(99));
                let pod = w.memory.pods.get_mut(&key()).unwrap();
                pod.containers.entry(name("app")).or_default().crash = Some(Crash {
                    wait_ms: 20_000,
                    started: at(98).mono,
                });
            },
            vec![],
        )
        .wakes(19_000, "crash-loop back-off"),
        row_in(
            of(3),
            "after that they start as a new pod does, and are counted on",
            |w| {
                w.there("v1").containers.clear();
            },
            vec![act(
                "v1",
                Why::ContainerNew,
                vec![start("app", 1), start("side", 1)],
            )],
        ),
    ]
}

/// The sidecar `log` with this probe runs since the start, and nothing else has been started.
fn sidecar(probes: serde_json::Value) -> World {
    let mut log = json!({"name": "log", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always"});
    log.as_object_mut()
        .unwrap()
        .extend(probes.as_object().cloned().unwrap());
    let mut world = healthy_with(&["app"], json!({ "initContainers": [log] }));
    world.there("v1").containers.clear();
    let mut made = container("v1", "log", 0, running());
    made.sidecar = Some(0);
    world.newest("v1", made);
    world.memory = Default::default();
    world.memory.saw(&world.desired, &world.observed, at(0));
    world
}

fn said(w: &mut World, kind: ProbeKind, found: Probed, times: u32) {
    let job = JobKey::Probe(key(), name("log"), kind);
    for _ in 0..times {
        let report = Report::Probed {
            id: id("v1-log-0"),
            found,
            output: String::new(),
        };
        let said = Event::JobSaid {
            job: job.clone(),
            report,
        };
        w.memory.fold(&said, CRASH_MAX, at(95));
    }
}

fn sidecars() -> Vec<Row> {
    let startup = || sidecar(json!({"startupProbe": {"exec": {}, "periodSeconds": 200}}));
    let live = || sidecar(json!({"livenessProbe": {"exec": {}, "periodSeconds": 200}}));
    let replaced = |why| {
        let steps = vec![stop(&[("v1-log-0", "log", 30)]), start("log", 1)];
        vec![act("v1", why, steps)]
    };
    vec![
        row_in(
            startup(),
            "a sidecar that has not started holds up what comes next",
            |_| {},
            vec![],
        )
        .wakes(100_000, "probe"),
        row_in(
            startup(),
            "its startup probe lets the others start",
            |w| said(w, ProbeKind::Startup, Probed::Success, 1),
            vec![act("v1", Why::ContainerNew, vec![start("app", 0)])],
        ),
        row_in(
            startup(),
            "when that fails it is replaced",
            |w| said(w, ProbeKind::Startup, Probed::Failure, 3),
            replaced(Why::StartupFailed),
        ),
        row_in(
            live(),
            "and when it is not alive, whatever the pod's policy",
            |w| {
                said(w, ProbeKind::Liveness, Probed::Failure, 3);
                let mut app = container("v1", "app", 0, running());
                app.sidecar = None;
                w.newest("v1", app);
                let mut pod = w.desired.pods[&key()].pod.as_ref().clone();
                pod.pod.spec.as_mut().unwrap().restart_policy = Some("Never".into());
                want(&mut w.desired, pod);
            },
            replaced(Why::LivenessFailed),
        ),
    ]
}
