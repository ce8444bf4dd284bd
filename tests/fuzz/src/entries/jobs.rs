//! Both directions of the line between the agent and its jobs.

use std::time::Duration;

use staticlet::jobs::Request;
use staticlet::pod::{ContainerName, PodKey};
use staticlet::state::{Event, JobKey, Memory, Observed, ProbeKind, Report};
use staticlet::sys::json;

use super::manifest::{NOW, wanted};
use super::parts;

/// A request, and reports line by line.
pub(super) fn job(data: &[u8]) {
    let [request, reports] = parts(data);
    if let Ok(request) = json::read::<Request>(request) {
        let text = serde_json::to_vec(&request).expect("a request has a form in JSON");
        let again: Request = json::read(&text).expect("it is read again");
        assert_eq!(text, serde_json::to_vec(&again).expect("as before"));
        if let Request::Pod(request) = &request
            && let Some(pod) = &request.pod
        {
            // No pod has been through the reader here: it is taken all the same.
            let desired = wanted(pod);
            Memory::default().saw(&desired, &Observed::default(), NOW);
        }
    }
    let key = PodKey {
        namespace: "d".into(),
        name: "p".into(),
    };
    let name = ContainerName("c".into());
    let keys = [
        JobKey::Pod(key.clone()),
        JobKey::Probe(key, name, ProbeKind::Liveness),
    ];
    let mut memory = Memory::default();
    for line in reports.split(|byte| *byte == b'\n') {
        let Ok(report) = serde_json::from_slice::<Report>(line) else {
            continue;
        };
        let text = serde_json::to_vec(&report).expect("a report has a form in JSON");
        assert_eq!(
            report,
            serde_json::from_slice(&text).expect("it is read again")
        );
        for job in &keys {
            let event = Event::JobSaid {
                job: job.clone(),
                report: report.clone(),
            };
            memory.fold(&event, Duration::from_secs(300), NOW);
        }
    }
}
