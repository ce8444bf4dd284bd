//! Restart policies under which a pod can be over.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    let once = |policy: &str, code: i32| {
        let mut w = healthy_with(&["app"], json!({"restartPolicy": policy}));
        w.newest("v1", container("v1", "app", 0, exited(code, at(99))));
        w
    };
    let same = |_: &mut World| {};
    let over = vec![act(
        "v1",
        Why::PodFinished,
        vec![stop(&[("v1-POD-0", "POD", 10)])],
    )];
    // First seen at 0, looked at at 100.
    let limited = |seconds: u64, policy: &str| {
        let patch = json!({"activeDeadlineSeconds": seconds, "restartPolicy": policy});
        healthy_with(&["app", "side"], patch)
    };
    let too_long = vec![act(
        "v1",
        Why::DeadlineExceeded,
        vec![
            stop(&[("v1-app-0", "app", 30), ("v1-side-0", "side", 30)]),
            stop(&[("v1-POD-0", "POD", 10)]),
        ],
    )];
    let starts = |w: &mut World| {
        let started = Event::JobStarted {
            job: JobKey::Pod(key()),
            what: "start".into(),
            uid: None,
            wants: Some(SpecHash("v1".into())),
            starts: vec![],
            sandbox: false,
        };
        w.memory.fold(&started, CRASH_MAX, at(0));
    };
    let ended = |w: &mut World, code, seconds| {
        w.newest("v1", container("v1", "app", 0, exited(code, at(seconds))));
        w.newest("v1", container("v1", "side", 0, exited(0, at(seconds))));
    };
    vec![
        row_in(
            limited(107, "Always"),
            "a pod may be active until its deadline",
            same,
            vec![],
        )
        .wakes(7_000, "active deadline"),
        row_in(
            limited(100, "Always"),
            "and is stopped then",
            same,
            too_long.clone(),
        ),
        row_in(
            limited(107, "Always"),
            "a new agent counts from when the first one saw it",
            |w| {
                w.memory = Default::default();
                w.there("v1").sandboxes[0].seen = Some(at(0).wall);
            },
            vec![],
        )
        .wakes(7_000, "active deadline"),
        row_in(
            limited(60, "Always"),
            "nothing is started after that, whatever the policy",
            |w| {
                ended(w, 143, 70);
                w.there("v1").sandboxes[0].state = exited(0, at(71));
            },
            vec![],
        ),
        row_in(
            limited(60, "Never"),
            "a pod that was finished before is finished",
            |w| {
                ended(w, 1, 50);
                w.there("v1").sandboxes[0].state = exited(0, at(51));
            },
            vec![],
        ),
        row_in(
            limited(60, "Always"),
            "a job that builds it is cancelled",
            starts,
            vec![Action::Cancel {
                job: JobKey::Pod(key()),
                why: Why::DeadlineExceeded,
            }],
        ),
        row_in(limited(107, "Always"), "but not before", starts, vec![])
            .wakes(7_000, "active deadline"),
        row_in(
            once("Never", 3),
            "Never: one exit ends the pod",
            same,
            over.clone(),
        ),
        row_in(
            once("OnFailure", 0),
            "OnFailure: success ends it",
            same,
            over,
        ),
        row_in(
            once("OnFailure", 3),
            "OnFailure: failure does not",
            same,
            vec![act(
                "v1",
                Why::ContainerExited { code: 3 },
                vec![start("app", 1)],
            )],
        ),
        row_in(
            once("Never", 3),
            "a finished pod is quiet",
            |w| w.there("v1").sandboxes[0].state = exited(0, at(99)),
            vec![],
        ),
    ]
}

#[test]
fn a_pod_that_is_seen_before_its_manifest_is_as_old_as_its_sandbox_says() {
    let mut w = healthy_with(&["app"], json!({"activeDeadlineSeconds": 60}));
    w.there("v1").sandboxes[0].seen = Some(at(0).wall);
    let mut memory = staticlet::state::Memory::default();
    memory.saw(&Default::default(), &w.observed, at(100));
    memory.wants(&w.desired, &w.observed, at(100));
    assert_eq!(memory.pods[&key()].seen, at(0).wall);
}
