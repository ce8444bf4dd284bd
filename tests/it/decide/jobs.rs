//! What a job under way means for its pod.

use staticlet::pod::PodKey;

use super::*;

fn works_on(uid: &str, key: PodKey) -> Event {
    Event::JobStarted {
        job: JobKey::Pod(key),
        what: "clean up".into(),
        uid: Some(PodUid(uid.into())),
        wants: None,
        starts: vec![],
        sandbox: false,
    }
}

pub(super) fn rows() -> Vec<Row> {
    let busy = |wants: Option<&str>| {
        let mut w = healthy();
        w.there("v1").containers.clear();
        let started = Event::JobStarted {
            job: JobKey::Pod(key()),
            what: "start".into(),
            uid: None,
            wants: wants.map(|text| SpecHash(text.into())),
            starts: vec![],
            sandbox: false,
        };
        w.memory.fold(&started, CRASH_MAX, at(99));
        w
    };
    let cancel = |why| {
        vec![Action::Cancel {
            job: JobKey::Pod(key()),
            why,
        }]
    };
    vec![
        row_in(
            busy(Some("v1")),
            "a pod with a job under way is left alone",
            |_| {},
            vec![],
        ),
        row_in(
            busy(Some("v1")),
            "a start that is no longer wanted is cancelled",
            |w| w.desired.pods.clear(),
            cancel(Why::PodUnwanted),
        ),
        row_in(
            busy(Some("v1")),
            "a start of the version before an edit is cancelled",
            |w| want(&mut w.desired, pod("v2", &["app"], json!({}))),
            cancel(Why::SpecChanged),
        ),
        row_in(
            busy(Some("v1")),
            "but only once",
            |w| {
                w.desired.pods.clear();
                w.memory.fold(
                    &Event::JobCancelled {
                        job: JobKey::Pod(key()),
                    },
                    CRASH_MAX,
                    at(99),
                );
            },
            vec![],
        ),
        row_in(
            busy(None),
            "a job that takes away is never cancelled",
            |w| w.desired.pods.clear(),
            vec![],
        ),
        row(
            "the directory of a version that a job was killed over stays until the next look",
            |w| {
                w.observed.dirs.insert(PodUid("v0".into()));
                w.memory.fold(&works_on("v0", key()), CRASH_MAX, at(99));
            },
            vec![],
        ),
        row(
            "a pod is not started while its directory is being removed",
            |w| {
                w.observed.pods.clear();
                let none = PodKey {
                    namespace: "(none)".into(),
                    name: "v1".into(),
                };
                w.memory.fold(&works_on("v1", none), CRASH_MAX, at(99));
            },
            vec![],
        ),
    ]
}
