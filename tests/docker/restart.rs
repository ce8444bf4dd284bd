//! Who is started again, when, and who is not.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod, sleeper};
use crate::support::engine;

#[test]
#[ignore = "needs dockerd"]
fn restart_policies() {
    let agent = Agent::started("policies");
    for (name, policy, code) in [
        ("never-bad", "Never", 3),
        ("never-good", "Never", 0),
        ("onfail-bad", "OnFailure", 3),
        ("onfail-good", "OnFailure", 0),
        ("always-good", "Always", 0),
    ] {
        let spec = format!("  restartPolicy: {policy}\n");
        agent.put(
            &format!("{name}.yaml"),
            &pod(name, &format!("exit {code}"), &spec),
        );
    }
    for name in ["onfail-bad", "always-good"] {
        eventually(&agent, &format!("{name} was restarted"), SOON, || {
            agent.all(name).iter().any(|c| {
                c["Names"][0]
                    .as_str()
                    .is_some_and(|n| n.contains("k8s_c_") && n.ends_with("_1"))
            })
        });
    }
    agent.wait_status("CrashLoopBackOff");
    agent.wait_status("Completed");
    thread::sleep(Duration::from_secs(2));
    for name in ["never-bad", "never-good", "onfail-good"] {
        let all = agent.all(name);
        assert!(
            all.iter()
                .all(|c| c["Names"][0].as_str().is_some_and(|n| n.ends_with("_0"))),
            "{name}: {all:?}"
        );
        assert!(
            agent.running(name, "POD").is_empty(),
            "{name} is finished and keeps its sandbox"
        );
    }
}

#[test]
#[ignore = "needs dockerd"]
fn a_lost_sandbox_takes_its_containers_with_it() {
    let agent = Agent::started("sandbox");
    agent.put("a.yaml", &sleeper("a"));
    let (first, sandbox) = (agent.wait_running("a", "c"), agent.wait_running("a", "POD"));
    engine::call("POST", &format!("/containers/{sandbox}/kill"), None);
    let second_sandbox = agent.wait_other("a", "POD", &sandbox);
    let second = agent.wait_other("a", "c", &first);
    engine::remove(&second_sandbox);
    agent.wait_other("a", "POD", &second_sandbox);
    agent.wait_other("a", "c", &second);
    assert_eq!(agent.running("a", "POD").len(), 1);
}

#[test]
#[ignore = "needs dockerd"]
fn a_removed_container_is_back() {
    let agent = Agent::started("rm");
    agent.put("a.yaml", &sleeper("a"));
    let first = agent.wait_running("a", "c");
    engine::remove(&first);
    agent.wait_other("a", "c", &first);
}

#[test]
#[ignore = "needs dockerd"]
fn one_dead_instance_is_kept_and_the_rest_collected() {
    let agent = Agent::started("dead");
    agent.put("a.yaml", &sleeper("a"));
    let mut id = agent.wait_running("a", "c");
    for _ in 0..2 {
        engine::call("POST", &format!("/containers/{id}/kill"), None);
        eventually(
            &agent,
            "the next instance runs",
            Duration::from_secs(60),
            || agent.running("a", "c").iter().any(|other| *other != id),
        );
        id = agent.running("a", "c").pop().unwrap();
    }
    eventually(&agent, "one live, one dead, one sandbox", SOON, || {
        agent.all("a").len() == 3
    });
}

#[test]
#[ignore = "needs dockerd"]
fn a_container_has_a_policy_and_rules_of_its_own() {
    let agent = Agent::started("own-policy");
    let once = |name: &str, code: u32, more: &str| {
        format!(
            "  - {{name: {name}, image: 'busybox:1', command: [sh, -c, 'exit {code}']{more}}}\n"
        )
    };
    let rule = |action: &str| {
        format!(
            ", restartPolicy: Never, restartPolicyRules: [{{action: {action}, exitCodes: {{operator: In, values: [7]}}}}]"
        )
    };
    let never = once("never", 3, ", restartPolicy: Never");
    let other = once("other", 8, &rule("Restart"));
    let ruled = once("ruled", 7, &rule("Restart"));
    agent.put("a.yaml", &(sleeper("a") + &never + &other + &ruled));
    let attempts = |pod: &str, name: &str| {
        let all = agent.all(pod);
        let of = all.iter().filter_map(|c| {
            let name_of = c["Names"][0].as_str()?;
            let (_, attempt) = name_of.rsplit_once('_')?;
            name_of
                .contains(&format!("k8s_{name}_"))
                .then(|| attempt.parse::<u32>().unwrap())
        });
        of.max()
    };
    eventually(&agent, "the rule holds", SOON, || {
        attempts("a", "ruled") >= Some(1)
    });
    assert_eq!(
        (attempts("a", "never"), attempts("a", "other")),
        (Some(0), Some(0))
    );
    let all = once("ruled", 7, &rule("RestartAllContainers"));
    agent.put("b.yaml", &(sleeper("b") + &all));
    eventually(&agent, "all were restarted", SOON, || {
        attempts("b", "c") >= Some(1)
    });
    assert_eq!(attempts("b", "POD"), Some(0), "in the same sandbox");
}

#[test]
#[ignore = "needs dockerd"]
fn a_pod_is_active_until_its_deadline_whoever_runs_it() {
    let mut agent = Agent::started("deadline");
    let begun = Instant::now();
    let text = pod("a", FOREVER, "  activeDeadlineSeconds: 12\n");
    agent.put("a.yaml", &text);
    let first = agent.wait_running("a", "c");
    thread::sleep(Duration::from_secs(5));
    agent.end("KILL");
    agent.start();
    eventually(&agent, "it is stopped", SOON, || {
        agent.running("a", "POD").is_empty()
    });
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(11) && took < Duration::from_secs(30),
        "{took:?}"
    );
    agent.wait_status("DeadlineExceeded");
    agent.end("KILL");
    let _ = std::fs::remove_file(agent.base.join("run/pods.json"));
    agent.start();
    agent.wait_status("DeadlineExceeded: Pod was active on the node longer");
    thread::sleep(Duration::from_secs(2));
    let all = agent.all("a");
    let log = agent.log();
    assert!(all.iter().all(|c| c["State"] == "exited"), "{all:?}\n{log}");
    assert!(
        all.iter().any(|c| c["Id"] == first.as_str()) && all.len() == 2,
        "{all:?}\n{log}"
    );
}
