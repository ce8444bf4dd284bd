//! Containers that end, fail, or are too many.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    let crashed = |w: &mut World, wait_ms: u64| {
        w.newest("v1", container("v1", "app", 3, exited(1, at(95))));
        let pod = w.memory.pods.get_mut(&key()).unwrap();
        let app = pod.containers.entry(name("app")).or_default();
        app.crash = Some(Crash {
            wait_ms,
            started: at(90).mono,
        });
    };
    vec![
        row(
            "a container that was never made is started alone",
            |w| {
                w.there("v1").containers.remove(0);
                w.memory = Default::default();
            },
            vec![act("v1", Why::ContainerNew, vec![start("app", 0)])],
        ),
        row(
            "a container that somebody removed counts on",
            |w| {
                w.there("v1").containers.remove(0);
            },
            vec![act("v1", Why::ContainerNew, vec![start("app", 1)])],
        ),
        row(
            "an exited container is started again, whatever its code",
            |w| w.newest("v1", container("v1", "app", 0, exited(0, at(99)))),
            vec![act(
                "v1",
                Why::ContainerExited { code: 0 },
                vec![start("app", 1)],
            )],
        ),
        row(
            "a container that keeps dying waits, counted from its end",
            |w| crashed(w, 20_000),
            vec![],
        )
        .wakes(15_000, "crash-loop back-off"),
        row(
            "and is started when the wait is over",
            |w| crashed(w, 5_000),
            vec![act(
                "v1",
                Why::ContainerExited { code: 1 },
                vec![start("app", 4)],
            )],
        ),
        row(
            "a container that was created and never started is made anew under the same count",
            |w| w.newest("v1", container("v1", "app", 2, ContainerState::Created)),
            vec![act(
                "v1",
                Why::ContainerNeverStarted,
                vec![remove(&["v1-app-2"]), start("app", 2)],
            )],
        ),
        row(
            "a container in a state it cannot stay in is removed before the next one starts",
            |w| {
                let dead = ContainerState::Unknown {
                    word: "dead".into(),
                };
                w.newest("v1", container("v1", "app", 2, dead));
            },
            vec![act(
                "v1",
                Why::ContainerUnknown,
                vec![remove(&["v1-app-2"]), start("app", 3)],
            )],
        ),
        row(
            "a running container that the manifest does not name is stopped and removed",
            |w| {
                w.there("v1")
                    .containers
                    .push(container("v1", "stray", 0, running()))
            },
            vec![act(
                "v1",
                Why::ContainerUnwanted,
                vec![
                    stop(&[("v1-stray-0", "stray", 30)]),
                    remove(&["v1-stray-0"]),
                ],
            )],
        ),
        row(
            "a dead container that the manifest does not name is removed",
            |w| {
                let there = w.there("v1");
                let old = container("v1", "old", 0, exited(0, at(9)));
                there.containers.push(old);
            },
            vec![act("v1", Why::Surplus, vec![remove(&["v1-old-0"])])],
        ),
        row(
            "of the dead instances of a container the newest is kept",
            |w| {
                for attempt in [1, 0] {
                    let dead = container("v1", "app", attempt, exited(1, at(1)));
                    w.there("v1").containers.push(dead);
                }
                w.there("v1").containers[0].attempt = 2;
                w.there("v1").containers[0].id = id("v1-app-2");
            },
            vec![act("v1", Why::Surplus, vec![remove(&["v1-app-0"])])],
        ),
        row(
            "a container that could not be made waits, the others do not",
            |w| {
                w.there("v1").containers.clear();
                w.memory = Default::default();
                w.memory.saw(&w.desired, &w.observed, at(0));
                let pod = w.memory.pods.get_mut(&key()).unwrap();
                pod.containers.entry(name("app")).or_default().failure = Some(failure(102));
            },
            vec![act("v1", Why::ContainerNew, vec![start("side", 0)])],
        )
        .wakes(2_000, "retry of a container"),
    ]
}
