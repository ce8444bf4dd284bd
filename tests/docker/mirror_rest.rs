//! What an API server is asked at rest, request by request.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::agent::{Agent, SOON, eventually, sleeper};
use crate::support::apiserver::ApiServer;

const PODS: usize = 20;

/// More than a minute, and less than two.
pub(crate) const REST: Duration = Duration::from_secs(119);

/// What a request is, of those that there may be at rest.
fn kind(asked: &str) -> &'static str {
    let (method, path) = asked.split_once(' ').unwrap_or((asked, ""));
    let is_watch = path.contains("watch=true");
    match method {
        "PATCH" if path.contains("/kube-node-lease/leases/") => "renewals of the Lease",
        "GET" if path.starts_with("/api/v1/pods?") && !is_watch => "lists of the pods",
        "GET" if is_watch => "watches opened",
        _ => "others",
    }
}

/// How many of each kind.
pub(crate) fn count(requests: &[String]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for asked in requests {
        *counts.entry(kind(asked)).or_insert(0) += 1;
    }
    counts
}

/// Two watches are open all the time, one of the pods and one of the Node. They are opened again every 290 s, when the pods are
/// listed and the Node is read once more; its status is told every 300 s.
#[test]
#[ignore = "needs dockerd"]
fn at_rest_twenty_pods_cost_a_lease_and_one_list_a_minute() {
    let server = ApiServer::start();
    let mut agent = Agent::new("mirror_rest");
    let file = agent.base.join("kubeconfig");
    let user = json!({"token": format!("node:{}", agent.node)});
    fs::write(&file, server.kubeconfig_of(&user)).unwrap();
    agent.args.push(format!("--kubeconfig={}", file.display()));
    agent.start();
    for n in 0..PODS {
        agent.put(&format!("web{n}.yaml"), &sleeper(&format!("web{n}")));
    }
    let is_ready = |pod: &serde_json::Value| {
        let conditions = pod["status"]["conditions"].as_array();
        let mut all = conditions.into_iter().flatten();
        all.any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    let all = "/api/v1/namespaces/default/pods/";
    eventually(&agent, "the mirrors are ready", SOON, || {
        server
            .objects(all)
            .iter()
            .filter(|pod| is_ready(pod))
            .count()
            == PODS
    });
    let mut opened = Vec::new();
    // The events of the last ones are told a little later.
    eventually(&agent, "it rests", SOON, || {
        opened.extend(
            server
                .requests()
                .into_iter()
                .filter(|one| kind(one) == "watches opened"),
        );
        std::thread::sleep(Duration::from_secs(8));
        server.requests().len() <= 1
    });
    assert_eq!(opened.len(), 2, "{opened:#?}");
    std::thread::sleep(REST);
    let requests = server.requests();
    for asked in &requests {
        println!("{asked}");
    }
    let counts = count(&requests);
    println!("{} s at rest with {PODS} pods: {counts:?}", REST.as_secs());
    let of = |kind: &str| counts.get(kind).copied().unwrap_or(0);
    assert!(
        (9..=12).contains(&of("renewals of the Lease")),
        "{counts:?}"
    );
    assert!((1..=2).contains(&of("lists of the pods")), "{counts:?}");
    assert_eq!(counts.len(), 2, "{counts:?}");
}
