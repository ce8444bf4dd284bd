//! An API server that goes, hangs, loses everything, or trusts others than before.

use std::fs;
use std::time::{Duration, Instant};

use super::site::Site;
use super::{each, is_ready, mirror, node, outage, uid, wait_mirror, wait_no_mirror};
use crate::mirror_rest::{REST, count};
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

/// At rest each node renews its Lease, lists its pods once a minute, and keeps two watches open: of its pods, and of its Node.
#[test]
#[ignore = "needs dockerd"]
fn fifty_pods_of_two_nodes_have_fifty_mirrors_and_rest() {
    each("fifty", |site, test| {
        let nodes = ["one", "two"].map(|name| node(site, &format!("{test}_{name}")));
        let begin = Instant::now();
        for n in 0..25 {
            for agent in &nodes {
                agent.put(&format!("p{n}.yaml"), &sleeper(&format!("p{n}")));
            }
        }
        eventually(&nodes[0], "fifty mirrors are ready", LONG, || {
            let pods = site.object(&["pods"]);
            let pods = pods["items"].as_array().cloned().unwrap_or_default();
            pods.len() == 50 && pods.iter().all(is_ready)
        });
        println!(
            "{}: fifty mirrors are ready after {:?}",
            site.name(),
            begin.elapsed()
        );
        for agent in &nodes {
            let selector = format!("--field-selector=spec.nodeName={}", agent.node);
            let pods = site.object(&["pods", &selector]);
            assert_eq!(pods["items"].as_array().map(Vec::len), Some(25));
        }
        let Some(server) = site.as_fake() else {
            return;
        };
        // The events of the last ones are told a little later.
        eventually(&nodes[0], "they rest", LONG, || {
            server.requests();
            std::thread::sleep(Duration::from_secs(15));
            server
                .requests()
                .iter()
                .all(|asked| asked.contains("/leases/"))
        });
        std::thread::sleep(REST);
        let requests = server.requests();
        for agent in &nodes {
            let own = requests.iter().filter(|asked| asked.contains(&agent.node));
            let counts = count(&own.cloned().collect::<Vec<_>>());
            println!("{}: {} s at rest: {counts:?}", agent.node, REST.as_secs());
            let of = |kind: &str| counts.get(kind).copied().unwrap_or(0);
            assert!(
                (9..=12).contains(&of("renewals of the Lease")),
                "{requests:#?}"
            );
            assert!((1..=2).contains(&of("lists of the pods")), "{requests:#?}");
            assert_eq!(counts.len(), 2, "{requests:#?}");
        }
    });
}
