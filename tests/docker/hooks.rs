//! Hooks of real containers: what they hold up, what their failure does, and that they are run whatever happens.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, FOREVER, SOON, eventually};
use crate::support::engine;

/// A pod with a container `c` and these lines in it, which writes into the file `said` of the test's directory.
fn manifest(agent: &Agent, script: &str, lines: &str) -> String {
    let base = agent.base.display();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  terminationGracePeriodSeconds: 4\n  \
         os: {{name: linux}}\n  volumes:\n  - {{name: v, hostPath: {{path: {base}}}}}\n  containers:\n  - name: c\n    \
         image: busybox:1\n    volumeMounts: [{{name: v, mountPath: /v}}]\n    command: [sh, -c, \"{script}\"]\n{lines}"
    )
}

fn said(agent: &Agent) -> String {
    fs::read_to_string(agent.base.join("said")).unwrap_or_default()
}

fn says(script: &str) -> String {
    format!("{{exec: {{command: [sh, -c, \"{script}\"]}}}}")
}

fn wait_said(agent: &Agent, text: &str) {
    let what = format!("{text:?} was said");
    eventually(agent, &what, SOON, || said(agent).contains(text));
}

#[test]
#[ignore = "needs dockerd"]
fn a_post_start_hook_holds_up_the_next_container() {
    let agent = Agent::started("post");
    let hook = says("sleep 3; echo posted >> /v/said");
    let second = format!(
        "  - {{name: d, image: 'busybox:1', volumeMounts: [{{name: v, mountPath: /v}}], command: [sh, -c, \"echo second >> /v/said; {FOREVER}\"]}}\n"
    );
    let lines = format!("    lifecycle: {{postStart: {hook}}}\n{second}");
    agent.put("a.yaml", &manifest(&agent, FOREVER, &lines));
    agent.wait_running("a", "c");
    agent.wait_status("ContainerCreating");
    assert!(agent.running("a", "d").is_empty());
    agent.wait_status("2/2");
    assert_eq!(said(&agent), "posted\nsecond\n");
}

#[test]
#[ignore = "needs dockerd"]
fn a_post_start_hook_that_fails_ends_the_container() {
    let agent = Agent::started("post-fails");
    let (bad, stop) = (
        says("echo bad hook; exit 9"),
        says("echo stopped >> /v/said"),
    );
    let lines = format!("    lifecycle: {{postStart: {bad}, preStop: {stop}}}\n");
    agent.put("a.yaml", &manifest(&agent, FOREVER, &lines));
    agent.wait_status("CrashLoopBackOff");
    wait_said(&agent, "stopped\nstopped");
    agent.wait_status("CrashLoopBackOff");
    let log = agent.log();
    for words in ["PostStartHookError", "exited with 9", "bad hook"] {
        assert!(log.contains(words), "{log}");
    }
    agent.remove("a.yaml");
    agent.wait_gone("a");
}

#[test]
#[ignore = "needs dockerd"]
fn a_post_start_hook_that_was_cut_short_is_run_again() {
    let mut agent = Agent::started("post-again");
    let hook = says(
        "echo begun >> /v/said; while ! test -e /v/go; do sleep 1; done; echo ended >> /v/said",
    );
    let lines = format!("    lifecycle: {{postStart: {hook}}}\n");
    agent.put("a.yaml", &manifest(&agent, FOREVER, &lines));
    wait_said(&agent, "begun");
    let id = agent.wait_running("a", "c");
    agent.end("KILL");
    agent.start();
    wait_said(&agent, "begun\nbegun");
    agent.wait_status("ContainerCreating");
    fs::write(agent.base.join("go"), "").unwrap();
    agent.wait_status("1/1");
    assert_eq!(agent.running("a", "c"), [id]);
    agent.end("KILL");
    agent.start();
    agent.wait_status("1/1");
    assert_eq!(said(&agent).matches("begun").count(), 2, "it has ended");
}

#[test]
#[ignore = "needs dockerd"]
fn pre_stop_hooks_come_before_the_signal_also_without_a_manifest() {
    let mut agent = Agent::started("pre");
    let script =
        "trap 'echo signal >> /v/said; exit 0' USR1; while :; do sleep 1000 & wait $!; done";
    let hook = says("echo begun >> /v/said; sleep 1; echo ended >> /v/said");
    let lines = format!("    lifecycle: {{preStop: {hook}, stopSignal: SIGUSR1}}\n");
    agent.put("a.yaml", &manifest(&agent, script, &lines));
    agent.wait_status("1/1");
    agent.end("TERM");
    agent.remove("a.yaml");
    agent.start();
    agent.wait_gone("a");
    assert_eq!(said(&agent), "begun\nended\nsignal\n");
}

#[test]
#[ignore = "needs dockerd"]
fn a_pre_stop_hook_does_not_outlive_the_grace() {
    let agent = Agent::started("pre-long");
    let hook = says("echo begun >> /v/said; sleep 30; echo late >> /v/said");
    let lines = format!("    lifecycle: {{preStop: {hook}}}\n");
    let script =
        "trap 'echo term >> /v/said; sleep 1000' TERM; while :; do sleep 1000 & wait $!; done";
    agent.put("a.yaml", &manifest(&agent, script, &lines));
    agent.wait_status("1/1");
    let id = agent.wait_running("a", "c");
    agent.remove("a.yaml");
    wait_said(&agent, "begun");
    let begun = Instant::now();
    eventually(&agent, "it has ended", SOON, || {
        engine::inspect(&id)["State"]["Running"] != true
    });
    // 4 s of grace, and 2 s for the signal.
    let took = begun.elapsed();
    assert!(
        took > Duration::from_secs(5) && took < Duration::from_secs(12),
        "{took:?}"
    );
    agent.wait_gone("a");
    assert_eq!(said(&agent), "begun\nterm\n");
    let log = agent.log();
    assert!(
        log.contains("FailedPreStopHook") && log.contains("did not end within"),
        "{log}"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn hooks_by_http_and_of_sleep_are_run() {
    let agent = Agent::started("hook-http");
    let script = "mkdir /w; echo x > /w/i; httpd -f -vv -p 8081 -h /w";
    let lines = "    ports: [{name: web, containerPort: 8081}]\n    lifecycle:\n      postStart: {sleep: {seconds: 1}}\n      preStop: {httpGet: {port: web, path: /i}}\n";
    agent.put(
        "a.yaml",
        &manifest(&agent, &format!("{script} 2>> /v/said"), lines),
    );
    agent.wait_status("1/1");
    agent.remove("a.yaml");
    agent.wait_gone("a");
    assert!(said(&agent).contains("url:/i"), "{}", said(&agent));
    assert!(
        !agent.log().contains("FailedPreStopHook"),
        "{}",
        agent.log()
    );
}
