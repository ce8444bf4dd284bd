//! A cluster's side of the matter, with a real kubectl: each scene at the fake API server, which holds nodes to the rules of
//! NodeRestriction by their certificates, and at a real one where `KUBEBUILDER_ASSETS` names a folder with `etcd`,
//! `kube-apiserver` and `kubectl`, as envtest has it. Where it does not, each test says so on its standard error.

mod outages;
mod pki;
mod real;
mod site;
mod walk;

use std::time::{Duration, Instant};

use serde_json::Value;
use site::Site;

use crate::support::agent::{Agent, SOON, eventually};

/// Plays a scene at each API server that there is.
fn each(test: &str, scene: impl Fn(&Site, &str)) {
    scene(&Site::fake(test), test);
    match Site::real(test) {
        Some(site) => scene(&site, &format!("{test}_real")),
        None => real::tell_missing(test),
    }
}

/// An agent that is a node of the cluster, by its certificate.
fn node(site: &Site, test: &str) -> Agent {
    let mut agent = Agent::new(test);
    let file = site.join(&agent.node);
    agent.args.push(format!("--kubeconfig={}", file.display()));
    agent.start();
    agent
}

fn mirror(agent: &Agent, pod: &str) -> String {
    format!("{pod}-{}", agent.node)
}

fn uid(pod: &Value) -> &str {
    pod["metadata"]["uid"].as_str().unwrap_or_default()
}

fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    let mut all = conditions.into_iter().flatten();
    all.any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// Waits for a ready mirror with another UID than `old`, that goes with the Node as it is; gives it.
fn wait_mirror(site: &Site, agent: &Agent, pod: &str, old: &str) -> Value {
    let name = mirror(agent, pod);
    let mut found = Value::Null;
    let begin = Instant::now();
    eventually(agent, &format!("the mirror {name} is there"), SOON, || {
        found = site.object(&["pod", &name]);
        let node = site.object(&["node", &agent.node]);
        let owner = &found["metadata"]["ownerReferences"][0]["uid"];
        is_ready(&found)
            && uid(&found) != old
            && found["metadata"]["deletionTimestamp"].is_null()
            && owner.is_string()
            && *owner == node["metadata"]["uid"]
    });
    println!(
        "{}: {name} is there after {:?}",
        site.name(),
        begin.elapsed()
    );
    found
}

fn wait_no_mirror(site: &Site, agent: &Agent, pod: &str) {
    let name = mirror(agent, pod);
    eventually(agent, &format!("the mirror {name} is gone"), SOON, || {
        site.object(&["pod", &name]).is_null()
    });
}

/// A minute, as long as a person takes to notice; shorter where that is asked for by hand.
fn outage() -> Duration {
    let seconds = std::env::var("STATICLET_OUTAGE_SECONDS").ok();
    Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(60))
}
