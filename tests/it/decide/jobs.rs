//! What a job under way means for its pod.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    let busy = |wants: Option<&str>| {
        let mut w = healthy();
        w.there("v1").containers.clear();
        let started = Event::JobStarted {
            job: JobKey::Pod(key()),
            what: "start".into(),
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
    ]
}
