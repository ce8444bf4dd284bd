//! Pods that come, go and change.

use staticlet::state::Memory;

use super::*;

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("nothing changed, nothing done", |_| {}, vec![]),
        row(
            "a new pod gets its sandbox and its containers in one job",
            |w| w.observed = Default::default(),
            vec![act(
                "v1",
                Why::PodNew,
                vec![
                    Step::Volumes,
                    Step::Sandbox { attempt: 0 },
                    // The world was healthy before: the memory counts on.
                    start("app", 1),
                    start("side", 1),
                ],
            )],
        ),
        row(
            "a pod whose manifest is gone is stopped within its grace and removed, the sandbox last",
            |w| w.desired.pods.clear(),
            vec![act("v1", Why::PodUnwanted, everything_goes("v1"))],
        ),
        row(
            "nothing is removed before every source was read",
            |w| {
                w.memory = Memory::default();
                w.desired.pods.clear();
                w.desired.complete = false;
            },
            vec![],
        ),
        row(
            "nor while a manifest that is there might be its own",
            |w| {
                w.memory = Memory::default();
                w.desired.pods.clear();
                w.desired.doubtful = true;
            },
            vec![],
        ),
        row(
            "but a manifest that was seen to go is gone",
            |w| {
                w.desired.pods.clear();
                w.desired.doubtful = true;
            },
            vec![act("v1", Why::PodUnwanted, everything_goes("v1"))],
        ),
        row(
            "an edited pod: the old version goes first",
            |w| want(&mut w.desired, pod("v2", &["app"], json!({}))),
            vec![act("v1", Why::SpecChanged, everything_goes("v1"))],
        ),
        row(
            "an edit under a UID of the manifest's own is seen by the hash",
            |w| {
                let mut edited = pod("v1", &["app"], json!({}));
                edited.hash = SpecHash("other".into());
                want(&mut w.desired, edited);
            },
            vec![act("v1", Why::SpecChanged, everything_goes("v1"))],
        ),
        row(
            "remains of a pod with a UID of its manifest's own tell no version without a sandbox",
            |w| {
                let mut edited = pod("v1", &["app"], json!({}));
                edited.hash = SpecHash("other".into());
                want(&mut w.desired, edited);
                w.there("v1").sandboxes.clear();
                w.there("v1").containers = vec![container("v1", "app", 0, exited(0, at(9)))];
            },
            vec![act(
                "v1",
                Why::SpecChanged,
                vec![remove(&["v1-app-0"]), Step::Cleanup],
            )],
        ),
        row(
            "a directory of no pod is removed",
            |w| {
                w.observed.dirs.insert(PodUid("gone".into()));
            },
            vec![Action::Pod {
                key: staticlet::pod::PodKey {
                    namespace: "(none)".into(),
                    name: "gone".into(),
                },
                uid: PodUid("gone".into()),
                steps: vec![Step::Cleanup],
                why: Why::Orphan,
            }],
        ),
        row(
            "a pod that failed as a whole waits for its retry",
            |w| {
                w.observed.pods.clear();
                w.memory.pods.get_mut(&key()).unwrap().failure = Some(failure(103));
            },
            vec![],
        )
        .wakes(3_000, "retry of the pod"),
    ]
}
