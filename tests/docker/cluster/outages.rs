//! An API server that goes, hangs, loses everything, or trusts others than before.

use std::fs;
use std::time::{Duration, Instant};

use super::site::Site;
use super::{each, is_ready, mirror, node, outage, uid, wait_mirror, wait_no_mirror};
use crate::support::agent::{Agent, SOON, eventually, sleeper};

/// For fifty pods on a machine that does much else.
const LONG: Duration = Duration::from_secs(400);

/// What is done to the server.
type Turn = fn(&Site);

/// What happens here while nobody answers there is told afterwards, and nothing waits for it.
fn meanwhile(site: &Site, agent: &Agent, (go, come_back): (Turn, Turn)) {
    agent.put("web.yaml", &sleeper("web"));
    agent.put("old.yaml", &sleeper("old"));
    let id = agent.wait_running("web", "c");
    let web = wait_mirror(site, agent, "web", "");
    wait_mirror(site, agent, "old", "");
    go(site);
    let begin = Instant::now();
    agent.put("new.yaml", &sleeper("new"));
    agent.remove("old.yaml");
    agent.wait_running("new", "c");
    agent.wait_gone("old");
    agent.wait_status("API server");
    std::thread::sleep(outage().saturating_sub(begin.elapsed()));
    come_back(site);
    wait_mirror(site, agent, "new", "");
    wait_no_mirror(site, agent, "old");
    println!(
        "{}: told all {:?} after its return",
        site.name(),
        begin.elapsed() - outage()
    );
    let name = mirror(agent, "web");
    assert_eq!(
        uid(&site.object(&["pod", &name])),
        uid(&web),
        "its mirror was made anew"
    );
    assert_eq!(agent.running("web", "c"), [id], "the container was touched");
    // Its watches are those of the server that is there now.
    site.kubectl(&["delete", "pod", &name]);
    wait_mirror(site, agent, "web", uid(&web));
    assert!(is_ready(&site.object(&["node", &agent.node])));
}

#[test]
#[ignore = "needs dockerd"]
fn a_server_that_is_killed_for_a_minute_is_told_what_it_missed() {
    each("killed", |site, test| {
        meanwhile(site, &node(site, test), (Site::kill, Site::revive));
    });
}

#[test]
#[ignore = "needs dockerd"]
fn a_server_that_hangs_for_a_minute_is_told_what_it_missed() {
    each("hung", |site, test| {
        meanwhile(site, &node(site, test), (Site::freeze, Site::thaw));
    });
}

#[test]
#[ignore = "needs dockerd"]
fn a_server_that_lost_everything_has_it_all_again() {
    each("wiped", |site, test| {
        let agent = node(site, test);
        agent.put("web.yaml", &sleeper("web"));
        let id = agent.wait_running("web", "c");
        let old = wait_mirror(site, &agent, "web", "");
        site.wipe();
        wait_mirror(site, &agent, "web", uid(&old));
        eventually(&agent, "a Lease is there again", SOON, || {
            let lease = site.object(&["leases", "-n", "kube-node-lease", &agent.node]);
            lease["spec"]["holderIdentity"] == agent.node.as_str()
        });
        assert_eq!(agent.running("web", "c"), [id], "the container was touched");
    });
}

#[test]
#[ignore = "needs dockerd"]
fn certificates_are_renewed_under_it() {
    each("renewed", |site, test| {
        let agent = node(site, test);
        agent.put("web.yaml", &sleeper("web"));
        let id = agent.wait_running("web", "c");
        let old = wait_mirror(site, &agent, "web", "");
        // Before its end, by the same authority, with another key; the former one is of no use any more.
        site.join(&agent.node);
        let name = mirror(&agent, "web");
        site.kubectl(&["delete", "pod", &name]);
        let old = wait_mirror(site, &agent, "web", uid(&old));
        // Another authority: it is a stranger until it is given a certificate of that.
        site.renew();
        agent.wait_status("API server");
        agent.put("new.yaml", &sleeper("new"));
        agent.wait_running("new", "c");
        let file = site.join(&agent.node);
        assert!(fs::exists(file).unwrap());
        wait_mirror(site, &agent, "new", "");
        site.kubectl(&["delete", "pod", &name]);
        wait_mirror(site, &agent, "web", uid(&old));
        assert_eq!(agent.running("web", "c"), [id], "the container was touched");
    });
}

#[test]
#[ignore = "needs dockerd"]
fn fifty_pods_have_fifty_mirrors_and_rest() {
    each("fifty", |site, test| {
        let agent = node(site, test);
        let begin = Instant::now();
        for n in 0..50 {
            agent.put(&format!("p{n}.yaml"), &sleeper(&format!("p{n}")));
        }
        eventually(&agent, "fifty mirrors are ready", LONG, || {
            let pods = site.object(&["pods"]);
            let pods = pods["items"].as_array().cloned().unwrap_or_default();
            pods.len() == 50 && pods.iter().all(is_ready)
        });
        println!(
            "{}: fifty mirrors are ready after {:?}",
            site.name(),
            begin.elapsed()
        );
        let Some(server) = site.as_fake() else {
            return;
        };
        // The events of the last ones are told a little later.
        eventually(&agent, "it rests", LONG, || {
            server.requests();
            std::thread::sleep(Duration::from_secs(15));
            server
                .requests()
                .iter()
                .all(|asked| asked.contains("/leases/"))
        });
        std::thread::sleep(Duration::from_secs(61));
        let requests = server.requests();
        let count = |part: &str| requests.iter().filter(|asked| asked.contains(part)).count();
        let (leases, pods, node) = (
            count("/leases/"),
            count("GET /api/v1/pods?"),
            count("/nodes"),
        );
        println!(
            "61 s at rest: {leases} leases, {pods} lists or watches of pods, {node} for the Node"
        );
        assert!((4..=8).contains(&leases), "{requests:#?}");
        assert!((1..=3).contains(&pods), "{requests:#?}");
        // Its status is told every five minutes, and its watch opened again then: both are read and patched.
        assert!(node <= 4, "{requests:#?}");
        assert_eq!(requests.len(), leases + pods + node, "{requests:#?}");
    });
}
