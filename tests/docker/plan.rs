//! `staticlet plan` says what the agent then does, and does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod};
use crate::support::engine;

fn plan(agent: &Agent, path: &Path) -> (BTreeMap<String, (String, String)>, Value) {
    let place = [
        "plan".to_owned(),
        "-o=json".to_owned(),
        format!("--hostname-override={}", agent.node),
        format!("--root-dir={}/root", agent.base.display()),
        path.display().to_string(),
    ];
    let line: Vec<&str> = place.iter().map(String::as_str).collect();
    let (text, said, code) = agent.typed(&line);
    assert_eq!((said.as_str(), code), ("", 0));
    let value: Value = serde_json::from_str(&text).unwrap();
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = value["pods"].as_array().unwrap().iter().map(|row| {
        let name = word(row, "pod");
        let name = name.trim_start_matches("default/");
        let name = name
            .trim_end_matches(&format!("-{}", agent.node))
            .to_owned();
        (name, (word(row, "change"), word(row, "why")))
    });
    (rows.collect(), value)
}

fn changes(plan: &BTreeMap<String, (String, String)>) -> Vec<(&str, &str)> {
    plan.iter()
        .map(|(pod, (change, _))| (pod.as_str(), change.as_str()))
        .collect()
}

/// Every container of the agent, by name.
fn ids(agent: &Agent) -> Vec<String> {
    let names = ["same", "edit", "old", "new", "bad"];
    let all = names.iter().flat_map(|name| agent.all(name));
    let mut ids: Vec<String> = all.map(|one| one["Id"].to_string()).collect();
    ids.sort();
    ids
}

#[test]
#[ignore = "needs dockerd"]
fn a_plan_is_what_the_agent_then_does() {
    let mut agent = Agent::started("plan");
    let text = |name: &str, more: &str| pod(name, &format!("{more}{FOREVER}"), "");
    for name in ["same", "edit", "old", "bad"] {
        agent.put(&format!("{name}.yaml"), &text(name, ""));
    }
    for name in ["same", "edit", "old", "bad"] {
        agent.wait_running(name, "c");
    }
    let before = ids(&agent);
    let own = agent.base.join("manifests");
    eventually(&agent, "nothing is to be done", SOON, || {
        let (rows, _) = plan(&agent, &own);
        rows.len() == 4 && rows.values().all(|(change, _)| change == "unchanged")
    });

    let next = agent.base.join("next");
    fs::create_dir(&next).unwrap();
    let put = |name: &str, text: &str| fs::write(next.join(name), text).unwrap();
    put("same.yaml", &text("same", ""));
    put("edit.yaml", &text("edit", "echo edited; "));
    put("new.yaml", &text("new", ""));
    put("bad.yaml", "nonsense");
    // As long as nobody knows whose the broken file is, nothing would go.
    let (rows, value) = plan(&agent, &next);
    let wanted = [
        ("bad", "unchanged"),
        ("edit", "replace"),
        ("new", "create"),
        ("old", "unchanged"),
        ("same", "unchanged"),
    ];
    assert_eq!(changes(&rows), wanted);
    assert_eq!(value["refusals"].as_array().unwrap().len(), 1);
    let edit = value["pods"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["change"] == "replace")
        .unwrap();
    assert_eq!(
        edit["fields"],
        serde_json::json!(["spec.containers[0].command[2]"]),
        "{edit}"
    );
    fs::remove_file(next.join("bad.yaml")).unwrap();
    let (rows, _) = plan(&agent, &next);
    let wanted = [
        ("bad", "remove"),
        ("edit", "replace"),
        ("new", "create"),
        ("old", "remove"),
        ("same", "unchanged"),
    ];
    assert_eq!(changes(&rows), wanted);
    assert_eq!(before, ids(&agent), "nothing was done");

    // The same without an agent, and then it is done.
    agent.end("TERM");
    assert_eq!(changes(&plan(&agent, &next).0), wanted);
    fs::rename(&own, agent.base.join("away")).unwrap();
    fs::rename(&next, &own).unwrap();
    let same = agent.running("same", "c");
    let edited = agent.running("edit", "c");
    agent.start();
    agent.wait_running("new", "c");
    agent.wait_gone("old");
    agent.wait_gone("bad");
    agent.wait_other("edit", "c", &edited[0]);
    assert_eq!(agent.running("same", "c"), same);
    eventually(&agent, "nothing is left to be done", SOON, || {
        plan(&agent, &own)
            .0
            .values()
            .all(|(change, _)| change == "unchanged")
    });

    // What an agent has not seen yet is told as what it will do.
    agent.end("TERM");
    engine::call("POST", &format!("/containers/{}/kill", same[0]), None);
    eventually(&agent, "it is dead", SOON, || {
        agent.running("same", "c").is_empty()
    });
    let (rows, _) = plan(&agent, &own);
    let (change, why) = &rows["same"];
    assert_eq!(
        (change.as_str(), why.as_str()),
        ("mend", "container exited with 137: start c 1")
    );
}
