//! Init containers: one after the other, sidecars beside the others.

use super::*;

/// The pod `web` with the init containers `one` and `two`, the sidecar `log` between them, and the container `app`.
fn world(policy: &str) -> World {
    let init = json!([
        {"name": "one", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"},
        {"name": "log", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always"},
        {"name": "two", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"},
    ]);
    let patch = json!({"initContainers": init, "restartPolicy": policy});
    let mut world = healthy_with(&["app"], patch);
    world.newest("v1", container("v1", "one", 0, exited(0, at(1))));
    world.newest("v1", container("v1", "two", 0, exited(0, at(2))));
    world.newest("v1", sidecar(0, running()));
    world
}

fn sidecar(attempt: u32, state: ContainerState) -> staticlet::state::Container {
    let mut made = container("v1", "log", attempt, state);
    made.sidecar = Some(1);
    made
}

/// As far as this: the others have left no trace.
fn only(world: &mut World, names: &[&str]) {
    let there = world.there("v1");
    there
        .containers
        .retain(|c| names.contains(&c.name.as_str()));
    world.memory = Default::default();
}

fn new(container: &str) -> Vec<Action> {
    vec![act("v1", Why::ContainerNew, vec![start(container, 0)])]
}

fn again(code: i32, container: &str) -> Vec<Action> {
    let why = Why::ContainerExited { code };
    vec![act("v1", why, vec![start(container, 1)])]
}

fn stop_in_turn(targets: &[(&str, u32)]) -> Step {
    let target = |(container, turn): &(&str, u32)| StopTarget {
        id: id(&format!("v1-{container}-0")),
        name: name(container),
        grace_seconds: 30,
        turn: *turn,
        pre_stop: false,
    };
    Step::Stop {
        containers: targets.iter().map(target).collect(),
    }
}

pub(super) fn rows() -> Vec<Row> {
    [sequence(), failures(), sidecars(), sandboxes()]
        .into_iter()
        .flatten()
        .collect()
}

fn sequence() -> Vec<Row> {
    vec![
        row_in(
            world("Always"),
            "a pod whose init containers are done is left alone",
            |_| {},
            vec![],
        ),
        row_in(
            world("Always"),
            "the first init container comes first",
            |w| only(w, &[]),
            new("one"),
        ),
        row_in(
            world("Always"),
            "nothing happens while it runs",
            |w| {
                only(w, &["one"]);
                w.newest("v1", container("v1", "one", 0, running()));
            },
            vec![],
        ),
        row_in(
            world("Always"),
            "when it has ended well the next one starts",
            |w| only(w, &["one"]),
            new("log"),
        ),
        row_in(
            world("Always"),
            "after a sidecar that runs the next one starts",
            |w| only(w, &["one", "log"]),
            new("two"),
        ),
        row_in(
            world("Always"),
            "when the last has ended well the others start",
            |w| only(w, &["one", "log", "two"]),
            new("app"),
        ),
        row_in(
            world("Always"),
            "how far the sequence is, is known from the last one of which there is a trace",
            |w| only(w, &["two", "log"]),
            new("app"),
        ),
        row_in(
            world("Always"),
            "init containers that were removed are not run again while the others run",
            |w| only(w, &["app", "log"]),
            vec![],
        ),
        row_in(
            world("Always"),
            "one that was created and never started is made anew",
            |w| {
                only(w, &["one"]);
                w.newest("v1", container("v1", "one", 0, ContainerState::Created));
            },
            vec![act(
                "v1",
                Why::ContainerNeverStarted,
                vec![remove(&["v1-one-0"]), start("one", 0)],
            )],
        ),
    ]
}

fn failures() -> Vec<Row> {
    let fails = |w: &mut World, code: i32| {
        only(w, &["one"]);
        w.newest("v1", container("v1", "one", 0, exited(code, at(99))));
    };
    let no_memory = |w: &mut World| {
        fails(w, 0);
        if let ContainerState::Exited(exit) = &mut w.there("v1").containers[0].state {
            exit.reason = "OOMKilled".into();
        }
    };
    let over = || {
        let steps = vec![stop(&[("v1-POD-0", "POD", 10)])];
        vec![act("v1", Why::InitFailed, steps)]
    };
    vec![
        row_in(
            world("Always"),
            "one that failed is started again",
            |w| fails(w, 3),
            again(3, "one"),
        ),
        row_in(
            world("OnFailure"),
            "also with OnFailure",
            |w| fails(w, 3),
            again(3, "one"),
        ),
        row_in(
            world("Never"),
            "with Never the pod has failed",
            |w| fails(w, 3),
            over(),
        ),
        row_in(
            world("Always"),
            "one that was killed for memory has failed whatever its code",
            no_memory,
            again(0, "one"),
        ),
        row_in(
            world("Never"),
            "and with Never so has the pod",
            no_memory,
            over(),
        ),
        row_in(
            world("Never"),
            "a pod that failed so stays as it is",
            |w| {
                fails(w, 3);
                w.there("v1").sandboxes[0] = sandbox("v1", 0, exited(0, at(99)));
            },
            vec![],
        ),
        row_in(
            world("Always"),
            "also when it failed for good by its own policy, in a sandbox that is gone",
            |w| {
                fails(w, 3);
                let init = json!([{"name": "one", "image": "busybox:1", "restartPolicy": "Never"}]);
                let patch = json!({"initContainers": init, "restartPolicy": "Always"});
                want(&mut w.desired, pod("v1", &["app"], patch));
                w.there("v1").sandboxes[0] = sandbox("v1", 0, exited(0, at(99)));
            },
            vec![],
        ),
        row_in(
            world("Always"),
            "one that keeps failing waits",
            |w| {
                fails(w, 3);
                w.memory.saw(&w.desired, &w.observed, at(99));
                let pod = w.memory.pods.get_mut(&key()).unwrap();
                pod.containers.entry(name("one")).or_default().crash = Some(Crash {
                    wait_ms: 20_000,
                    started: at(98).mono,
                });
            },
            vec![],
        )
        .wakes(19_000, "crash-loop back-off"),
    ]
}

fn sidecars() -> Vec<Row> {
    let dead = |w: &mut World, code| w.newest("v1", sidecar(0, exited(code, at(99))));
    vec![
        row_in(
            world("Always"),
            "a sidecar is started again whatever its code",
            |w| dead(w, 0),
            again(0, "log"),
        ),
        row_in(
            world("Never"),
            "and whatever the pod's policy",
            |w| dead(w, 5),
            again(5, "log"),
        ),
        row_in(
            world("Always"),
            "it is kept up while a later init container runs",
            |w| {
                only(w, &["one"]);
                w.newest("v1", sidecar(0, exited(1, at(99))));
                w.newest("v1", container("v1", "two", 0, running()));
            },
            again(1, "log"),
        ),
        row_in(
            world("Always"),
            "one that was removed is made anew",
            |w| only(w, &["one", "two", "app"]),
            new("log"),
        ),
        row_in(
            world("Never"),
            "when the others are finished sidecars stop before the sandbox",
            |w| w.newest("v1", container("v1", "app", 0, exited(0, at(99)))),
            vec![act(
                "v1",
                Why::PodFinished,
                vec![
                    stop_in_turn(&[("log", 1)]),
                    stop(&[("v1-POD-0", "POD", 10)]),
                ],
            )],
        ),
        row_in(
            world("Never"),
            "a sidecar that died is not started for a finished pod",
            |w| {
                dead(w, 5);
                w.newest("v1", container("v1", "app", 0, exited(0, at(99))));
            },
            vec![act(
                "v1",
                Why::PodFinished,
                vec![stop(&[("v1-POD-0", "POD", 10)])],
            )],
        ),
        row_in(
            world("Always"),
            "sidecars stop last, and in reverse order",
            |w| {
                w.desired.pods.clear();
                only(w, &["app", "log"]);
                let mut second = container("v1", "net", 0, running());
                second.sidecar = Some(2);
                w.there("v1").containers.push(second);
            },
            vec![act(
                "v1",
                Why::PodUnwanted,
                vec![
                    stop_in_turn(&[("app", 0), ("net", 1), ("log", 2)]),
                    stop(&[("v1-POD-0", "POD", 10)]),
                    remove(&["v1-log-0", "v1-app-0", "v1-net-0"]),
                    Step::Cleanup,
                    remove(&["v1-POD-0"]),
                ],
            )],
        ),
    ]
}

fn sandboxes() -> Vec<Row> {
    vec![
        row_in(
            world("Always"),
            "in a new sandbox the sequence begins anew",
            |w| {
                w.there("v1").sandboxes[0] = sandbox("v1", 0, exited(137, at(99)));
                w.newest("v1", container("v1", "app", 0, exited(137, at(99))));
                w.newest("v1", sidecar(0, exited(137, at(99))));
            },
            vec![act(
                "v1",
                Why::SandboxDead,
                vec![Step::Volumes, Step::Sandbox { attempt: 1 }, start("one", 1)],
            )],
        ),
        row_in(
            world("Always"),
            "what ran in the old one does not count",
            |w| {
                let old = sandbox("v1", 0, exited(137, at(99)));
                w.there("v1").sandboxes = vec![sandbox("v1", 1, running()), old];
                w.newest("v1", container("v1", "app", 0, exited(137, at(99))));
                w.newest("v1", sidecar(0, exited(137, at(99))));
                let mut first = container("v1", "one", 1, exited(0, at(99)));
                first.sandbox = id("v1-POD-1");
                w.newest("v1", first);
                w.memory.saw(&w.desired, &w.observed, at(99));
            },
            vec![act(
                "v1",
                Why::ContainerNew,
                vec![start("log", 1), remove(&["v1-POD-0"])],
            )],
        ),
    ]
}
