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
    vec![
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
