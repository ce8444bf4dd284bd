//! Hooks: who has one is stopped by it, and one that was cut short is run again.

use super::*;

/// The job that started it died before the hook had ended.
fn cut_short(world: &mut World) {
    world.there("v1").containers[0].starting = true;
}

fn hook() -> Step {
    Step::PostStart {
        container: name("app"),
        id: id("v1-app-0"),
        attempt: 0,
    }
}

fn stop_by_hook() -> Step {
    let target = |container: &str| StopTarget {
        id: id(&format!("v1-{container}-0")),
        name: name(container),
        grace_seconds: 30,
        turn: 0,
        pre_stop: container == "app",
    };
    Step::Stop {
        containers: vec![target("app"), target("side")],
    }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row(
            "a postStart hook that was cut short is run again",
            cut_short,
            vec![act("v1", Why::HookUnfinished, vec![hook()])],
        ),
        row(
            "and goes before other starts",
            |w| {
                cut_short(w);
                w.there("v1").containers.remove(1);
                w.memory = Default::default();
            },
            vec![act(
                "v1",
                Why::HookUnfinished,
                vec![hook(), start("side", 0)],
            )],
        ),
        row(
            "when that cannot be done it waits",
            |w| {
                cut_short(w);
                let pod = w.memory.pods.get_mut(&key()).unwrap();
                pod.containers.entry(name("app")).or_default().failure = Some(failure(107));
            },
            vec![],
        )
        .wakes(7_000, "retry of a container"),
        row(
            "a preStop hook is run although the manifest is gone",
            |w| {
                w.desired.pods.clear();
                w.there("v1").containers[0].pre_stop = true;
            },
            {
                let mut steps = everything_goes("v1");
                steps[0] = stop_by_hook();
                vec![act("v1", Why::PodUnwanted, steps)]
            },
        ),
        row_in(
            sidecar_world(),
            "a sidecar whose postStart hook goes on holds up the next one",
            |w| w.there("v1").containers[0].starting = true,
            vec![act(
                "v1",
                Why::HookUnfinished,
                vec![Step::PostStart {
                    container: name("log"),
                    id: id("v1-log-0"),
                    attempt: 0,
                }],
            )],
        ),
    ]
}

/// A sidecar runs, and nothing else has been started yet.
fn sidecar_world() -> World {
    let init = json!([{"name": "log", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always"}]);
    let mut world = healthy_with(&["app"], json!({ "initContainers": init }));
    world.there("v1").containers.clear();
    let mut sidecar = container("v1", "log", 0, running());
    sidecar.sidecar = Some(0);
    world.newest("v1", sidecar);
    world.memory = Default::default();
    world
}

#[test]
fn a_failed_post_start_hook_is_backed_off_as_a_crash_is() {
    let mut w = healthy();
    let report = Report::Failed {
        container: Some(name("app")),
        reason: FailReason::PostStartHookError,
        message: "no".into(),
    };
    let said = Event::JobSaid {
        job: JobKey::Pod(key()),
        report,
    };
    w.memory.fold(&said, CRASH_MAX, at(99));
    w.newest("v1", container("v1", "app", 0, exited(0, at(99))));
    let why = Why::ContainerExited { code: 0 };
    check(&Row {
        says: "the first time it is started again at once",
        world: w,
        at: 100,
        actions: vec![act("v1", why, vec![start("app", 1)])],
        wake: None,
    });
}
