//! Sandboxes that die, or are not what they should be.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    let again = |why| {
        vec![act(
            "v1",
            why,
            vec![
                stop(&[("v1-app-0", "app", 30), ("v1-side-0", "side", 30)]),
                Step::Volumes,
                Step::Sandbox { attempt: 1 },
                start("app", 1),
                start("side", 1),
            ],
        )]
    };
    vec![
        row(
            "a dead sandbox is replaced, and every container with it",
            |w| w.there("v1").sandboxes[0].state = exited(0, at(99)),
            again(Why::SandboxDead),
        ),
        row(
            "a container that runs once, by its own policy, is not run again for the sake of the sandbox",
            |w| {
                let policy = json!({"containers": [
                    {"name": "app", "image": "busybox:1", "imagePullPolicy": "IfNotPresent", "restartPolicy": "Never"},
                    {"name": "side", "image": "busybox:1", "imagePullPolicy": "IfNotPresent"}]});
                want(&mut w.desired, pod("v1", &[], policy));
                w.there("v1").sandboxes[0].state = exited(0, at(99));
            },
            vec![act(
                "v1",
                Why::SandboxDead,
                vec![
                    stop(&[("v1-app-0", "app", 30), ("v1-side-0", "side", 30)]),
                    Step::Volumes,
                    Step::Sandbox { attempt: 1 },
                    start("side", 1),
                ],
            )],
        ),
        row(
            "a sandbox that never ran gives its name to the next",
            |w| {
                w.there("v1").containers.clear();
                w.there("v1").sandboxes[0].state = ContainerState::Created;
                w.memory = Default::default();
            },
            vec![act(
                "v1",
                Why::SandboxDead,
                vec![
                    remove(&["v1-POD-0"]),
                    Step::Volumes,
                    Step::Sandbox { attempt: 0 },
                    start("app", 0),
                    start("side", 0),
                ],
            )],
        ),
        row(
            "a sandbox without an address is replaced",
            |w| {
                w.there("v1").sandboxes[0].ips.clear();
                w.there("v1").containers.clear();
                w.memory = Default::default();
            },
            vec![act(
                "v1",
                Why::SandboxNoAddress,
                vec![
                    stop(&[("v1-POD-0", "POD", 10)]),
                    Step::Volumes,
                    Step::Sandbox { attempt: 1 },
                    start("app", 0),
                    start("side", 0),
                ],
            )],
        ),
        row(
            "a sandbox of the other network mode is replaced",
            |w| {
                w.there("v1").sandboxes[0].host_network = true;
                w.there("v1").containers.clear();
                w.memory = Default::default();
            },
            vec![act(
                "v1",
                Why::SandboxNetwork,
                vec![
                    stop(&[("v1-POD-0", "POD", 10)]),
                    Step::Volumes,
                    Step::Sandbox { attempt: 1 },
                    start("app", 0),
                    start("side", 0),
                ],
            )],
        ),
        row(
            "of two running sandboxes neither stays",
            |w| {
                w.there("v1")
                    .sandboxes
                    .insert(0, sandbox("v1", 1, running()));
                w.there("v1").containers.clear();
                w.memory = Default::default();
            },
            vec![act(
                "v1",
                Why::SandboxTwice,
                vec![
                    stop(&[("v1-POD-1", "POD", 10), ("v1-POD-0", "POD", 10)]),
                    Step::Volumes,
                    Step::Sandbox { attempt: 2 },
                    start("app", 0),
                    start("side", 0),
                ],
            )],
        ),
        row(
            "sandboxes that die one after the other wait longer and longer",
            |w| {
                w.there("v1").sandboxes[0].state = exited(1, at(99));
                let crash = Crash {
                    wait_ms: 4_000,
                    started: at(97).mono,
                };
                w.memory.pods.get_mut(&key()).unwrap().sandbox = Some(crash);
            },
            vec![],
        )
        .wakes(1_000, "sandbox back-off"),
        row(
            "a pod whose directory was removed gets it back before a container starts",
            |w| {
                w.observed.dirs.clear();
                w.newest("v1", container("v1", "app", 0, exited(1, at(99))));
            },
            vec![act(
                "v1",
                Why::ContainerExited { code: 1 },
                vec![Step::Volumes, start("app", 1)],
            )],
        ),
        row(
            "an old dead sandbox is removed",
            |w| {
                w.there("v1")
                    .sandboxes
                    .insert(0, sandbox("v1", 1, running()));
                w.there("v1").sandboxes[1].state = exited(0, at(1));
                for container in &mut w.there("v1").containers {
                    container.sandbox = id("v1-POD-1");
                }
            },
            vec![act("v1", Why::Surplus, vec![remove(&["v1-POD-0"])])],
        ),
    ]
}
