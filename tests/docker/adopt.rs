//! The agent goes and comes back; the pods do not notice.

use std::thread;
use std::time::Duration;

use crate::support::agent::{Agent, SOON, eventually, sleeper};
use crate::support::engine;

#[test]
#[ignore = "needs dockerd"]
fn an_agent_that_comes_back_restarts_nothing() {
    for signal in ["TERM", "KILL"] {
        let mut agent = Agent::started(&format!("back-{}", signal.to_lowercase()));
        agent.put("a.yaml", &sleeper("a"));
        let ids = (agent.wait_running("a", "c"), agent.wait_running("a", "POD"));
        let started = engine::inspect(&ids.0)["State"]["StartedAt"].clone();
        agent.wait_status("Running");
        agent.end(signal);
        assert_eq!(agent.running("a", "c"), [ids.0.clone()]);
        agent.start();
        thread::sleep(Duration::from_secs(3));
        assert_eq!(
            agent.running("a", "c"),
            [ids.0.clone()],
            "after SIG{signal}"
        );
        assert_eq!(agent.running("a", "POD"), [ids.1.clone()]);
        assert_eq!(engine::inspect(&ids.0)["State"]["StartedAt"], started);
        assert_eq!(agent.all("a").len(), 2);
    }
}

#[test]
#[ignore = "needs dockerd"]
fn killed_while_starting_it_ends_in_the_same_state() {
    let mut agent = Agent::started("kill-start");
    for n in 0..8_u64 {
        agent.put("a.yaml", &sleeper("a"));
        thread::sleep(Duration::from_millis(60 + 90 * n));
        agent.end("KILL");
        agent.start();
        agent.wait_running("a", "c");
        eventually(&agent, "one sandbox, one container", SOON, || {
            agent.running("a", "c").len() == 1 && agent.running("a", "POD").len() == 1
        });
        agent.remove("a.yaml");
        agent.wait_gone("a");
    }
}

#[test]
#[ignore = "needs dockerd"]
fn killed_while_stopping_it_ends_in_the_same_state() {
    let mut agent = Agent::started("kill-stop");
    for n in 0..4_u64 {
        agent.put("a.yaml", &sleeper("a"));
        agent.wait_running("a", "c");
        agent.remove("a.yaml");
        thread::sleep(Duration::from_millis(30 + 80 * n));
        agent.end("KILL");
        agent.start();
        agent.wait_gone("a");
    }
}

#[test]
#[ignore = "needs dockerd"]
fn a_manifest_removed_meanwhile_is_noticed() {
    let mut agent = Agent::started("meanwhile");
    agent.put("a.yaml", &sleeper("a"));
    agent.put("b.yaml", &sleeper("b"));
    let kept = agent.wait_running("b", "c");
    agent.wait_running("a", "c");
    agent.end("TERM");
    agent.remove("a.yaml");
    agent.start();
    agent.wait_gone("a");
    assert_eq!(agent.running("b", "c"), [kept]);
}

#[test]
#[ignore = "needs dockerd"]
fn a_second_agent_is_refused() {
    let agent = Agent::started("second");
    agent.put("a.yaml", &sleeper("a"));
    agent.wait_running("a", "c");
    let (code, said) = agent.second();
    assert!(matches!(code, Some(c) if c != 0), "{code:?} {said}");
    assert!(said.contains("agent.lock"), "{said}");
}
