//! The commands that a person types about pods that are there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod};
use crate::support::engine;

/// Says `begin`, then a line on each stream every tenth of a second.
const TALKER: &str =
    "echo begin; trap 'exit 0' TERM; while :; do echo out; echo err >&2; sleep 0.1 & wait $!; done";

#[test]
#[ignore = "needs dockerd"]
fn logs_of_what_runs_and_of_what_has_ended() {
    let mut agent = Agent::started("logs");
    let other = "  - {name: tty, image: 'busybox:1', imagePullPolicy: Never, tty: true, command: [sh, -c, 'echo first; sleep 100000']}\n";
    agent.put("a.yaml", &(pod("a", TALKER, "") + other));
    let first = agent.wait_running("a", "c");
    agent.wait_running("a", "tty");
    let (out, err, code) = agent.typed(&["logs", "a"]);
    assert_eq!((out.as_str(), code), ("", 1), "{err}");
    assert!(
        err.ends_with("has several containers, choose one with -c: c, tty\n"),
        "{err}"
    );
    eventually(&agent, "the terminal is there", SOON, || {
        agent.typed(&["logs", "a", "-c", "tty"]).0 == "first\r\n"
    });
    let mut last = String::new();
    eventually(&agent, "both streams are there", SOON, || {
        let (out, err, code) = agent.typed(&["logs", "default/a", "-c", "c", "--tail=50"]);
        let said = format!("{code} {err}{}", out.chars().take(100).collect::<String>());
        if said != last {
            println!("{said}");
            last = said;
        }
        code == 0 && out.contains("out\n") && out.contains("err\n")
    });
    let (out, _, _) = agent.typed(&["logs", "a", "-c", "c", "--tail=1", "--timestamps"]);
    let (time, said) = out.split_once(' ').unwrap();
    assert!(time.len() > 20 && time.ends_with('Z'), "{out}");
    assert!(["out\n", "err\n"].contains(&said), "{out}");
    assert_eq!(agent.typed(&["logs", "a", "-c", "tty", "--since=0s"]).0, "");
    // A second attempt: both can be read, and without an agent too.
    engine::call("POST", &format!("/containers/{first}/kill"), None);
    agent.wait_other("a", "c", &first);
    agent.end("TERM");
    let name = format!("default/a-{}", agent.node);
    let (out, err, _) = agent.typed(&["logs", &name, "-c", "c", "-p", "--tail=all"]);
    // dockerd takes up the two streams side by side.
    assert!(out.lines().any(|line| line == "begin"), "{out} {err}");
    assert_eq!(agent.typed(&["logs", &name, "-c", "tty", "-p"]).2, 1);
}

#[test]
#[ignore = "needs dockerd"]
fn logs_are_followed_until_nobody_reads_or_nobody_speaks() {
    let agent = Agent::started("follow");
    agent.put(
        "quiet.yaml",
        &pod("quiet", "echo hello; exec sleep 100000", ""),
    );
    agent.put(
        "brief.yaml",
        &pod(
            "brief",
            "echo one; sleep 8; echo two; exit 3",
            "  restartPolicy: Never\n",
        ),
    );
    let quiet = agent.wait_running("quiet", "c");
    agent.wait_running("brief", "c");
    let follow = |pod: &str| {
        let mut child = agent
            .typing(&["logs", "-f", pod])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        (child, out, line)
    };
    let (mut child, out, line) = follow("quiet");
    assert_eq!(line, "hello\n");
    // It says nothing more, and the reader goes.
    drop(out);
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < SOON, "it goes on with nobody there");
        std::thread::sleep(Duration::from_millis(20));
    }
    let out = child.wait_with_output().unwrap();
    assert_eq!(
        (out.status.code(), out.stderr.as_slice()),
        (Some(0), &b""[..])
    );
    assert_eq!(agent.running("quiet", "c"), [quiet]);
    let (mut child, mut out, line) = follow("brief");
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!((line + &rest).as_str(), "one\ntwo\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
#[ignore = "needs dockerd"]
fn logs_are_linked_where_log_shippers_look() {
    let agent = Agent::started("links");
    agent.put("a.yaml", &pod("a", TALKER, ""));
    let first = agent.wait_running("a", "c");
    engine::call("POST", &format!("/containers/{first}/kill"), None);
    let second = agent.wait_other("a", "c", &first);
    let name = format!("a-{}", agent.node);
    let uid = engine::inspect(&second)["Config"]["Labels"]["io.kubernetes.pod.uid"].clone();
    let dir = format!("/var/log/pods/default_{name}_{}/c", uid.as_str().unwrap());
    let mut links = Vec::new();
    for (attempt, id) in [&first, &second].into_iter().enumerate() {
        let link = format!("{dir}/{attempt}.log");
        let legacy = format!("/var/log/containers/{name}_default_c-{id}.log");
        eventually(&agent, "the links are laid", SOON, || {
            Path::new(&legacy).is_symlink()
        });
        assert_eq!(fs::read_link(&legacy).unwrap(), Path::new(&link));
        let log = engine::inspect(id)["LogPath"].clone();
        assert_eq!(
            fs::read_link(&link).unwrap(),
            Path::new(log.as_str().unwrap())
        );
        links.extend([link, legacy]);
    }
    eventually(&agent, "the log is behind the link", SOON, || {
        fs::read_to_string(&links[3]).unwrap().contains("begin")
    });
    agent.remove("a.yaml");
    agent.wait_gone("a");
    assert!(
        links.iter().all(|link| !Path::new(link).is_symlink()),
        "{links:?}"
    );
    assert!(!Path::new(&dir).parent().unwrap().exists());
}

#[test]
#[ignore = "needs dockerd"]
fn pods_are_waited_for_until_ready_and_until_gone() {
    let agent = Agent::started("wait");
    let probe = "    readinessProbe: {periodSeconds: 1, exec: {command: [test, -e, /tmp/ready]}}\n";
    agent.put("a.yaml", &(pod("a", FOREVER, "") + probe));
    agent.put(
        "done.yaml",
        &pod("done", "exit 0", "  restartPolicy: Never\n"),
    );
    let id = agent.wait_running("a", "c");
    let name = format!("default/a-{}", agent.node);
    let (_, err, code) = agent.typed(&["wait", "--timeout=3s"]);
    assert_eq!(code, 1, "{err}");
    let line = err.lines().next().unwrap();
    assert!(
        line.starts_with(&format!("staticlet: wait: {name}: Running, 0/1 ready")),
        "{err}"
    );
    let waiter = agent
        .typing(&["wait", "--timeout=2m", "a", "done"])
        .spawn()
        .unwrap();
    engine::exec(&id, &["touch", "/tmp/ready"]);
    assert_eq!(waiter.wait_with_output().unwrap().status.code(), Some(0));
    let first = agent.status_json();
    assert_eq!(
        first["items"][0]["status"]["containerStatuses"][0]["ready"],
        true
    );
    // An edit is not taken for done, though the pod of before is ready; a broken one is no good end either.
    agent.put("a.yaml", &pod("a", "exit 7", "  restartPolicy: Never\n"));
    let (_, err, code) = agent.typed(&["wait", "--timeout=2m", "a"]);
    assert!(
        code == 1 && err.contains("it has failed for good: Error"),
        "{code} {err}"
    );
    agent.put(
        "a.yaml",
        &pod("a", FOREVER, "").replace("image:", "imagee:"),
    );
    let (_, err, code) = agent.typed(&["wait", "--timeout=2m", "a"]);
    assert!(
        code == 1 && err.contains("imagee: unknown field"),
        "{code} {err}"
    );
    agent.remove("a.yaml");
    let (_, err, code) = agent.typed(&["wait", "--timeout=2m", "--for=gone", &name]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(agent.all("a").is_empty());
}

#[test]
#[ignore = "needs dockerd"]
fn a_restart_is_the_next_attempt_whatever_the_policy_lets() {
    let mut agent = Agent::started("restart");
    let polite = "trap 'echo asked; exit 0' TERM; while :; do sleep 1000 & wait $!; done";
    let hook =
        "    lifecycle: {preStop: {exec: {command: [sh, -c, 'echo hooked >/proc/1/fd/1']}}}\n";
    agent.put("a.yaml", &(pod("a", polite, "") + hook));
    for (name, policy) in [("once", "Never"), ("retry", "OnFailure")] {
        let spec = format!("  restartPolicy: {policy}\n");
        agent.put(&format!("{name}.yaml"), &pod(name, polite, &spec));
    }
    let first = agent.wait_running("a", "c");
    let once = agent.wait_running("once", "c");
    let retry = agent.wait_running("retry", "c");
    let (out, err, code) = agent.typed(&["restart", "a", "--timeout=1m"]);
    let said = |pod: &str| format!("default/{pod}-{}: c: attempt 1 runs\n", agent.node);
    assert_eq!((out, err.as_str(), code), (said("a"), "", 0));
    assert_ne!(agent.wait_running("a", "c"), first);
    // It was asked to end, after its hook.
    let (out, err, _) = agent.typed(&["logs", "-p", "a"]);
    assert_eq!(out, "hooked\nasked\n", "{err}");
    let (_, err, code) = agent.typed(&["restart", "once"]);
    assert!(
        code == 1 && err.contains("container c has restartPolicy Never"),
        "{code} {err}"
    );
    let (out, err, code) = agent.typed(&["restart", "retry", "--timeout=1m"]);
    assert_eq!((out, err.as_str(), code), (said("retry"), "", 0));
    assert_ne!(agent.wait_running("retry", "c"), retry);
    // A second one is backed off.
    let (_, err, code) = agent.typed(&["restart", "a", "-c", "c", "--timeout=1s"]);
    assert!(
        code == 1 && err.contains("does not run yet: CrashLoopBackOff"),
        "{code} {err}"
    );
    let again = agent.wait_running("a", "c");
    agent.end("TERM");
    let (_, err, code) = agent.typed(&["restart", "a"]);
    assert!(
        code == 1 && err.contains("the agent is not running"),
        "{code} {err}"
    );
    assert_eq!(agent.running("a", "c"), [again]);
    assert_eq!(agent.running("once", "c"), [once]);
}

#[test]
#[ignore = "needs dockerd"]
fn all_pods_are_stopped_in_order_and_come_back() {
    let mut agent = Agent::started("stop");
    let said = agent.base.join("said");
    fs::create_dir(&said).unwrap();
    // Says when it ends, with the time; and a grace that nobody would wait for.
    let talker = |name: &str| {
        format!(
            "trap 'echo {name} $(date +%s) >>/said/log; exit 0' TERM; while :; do sleep 1000 & wait $!; done"
        )
    };
    let mounts = "    volumeMounts: [{name: said, mountPath: /said}]\n";
    let side = format!(
        "  volumes: [{{name: said, hostPath: {{path: {}}}}}]\n  initContainers:\n  - {{name: side, restartPolicy: Always, image: 'busybox:1', imagePullPolicy: Never, command: [sh, -c, \"{}\"],\n     volumeMounts: [{{name: said, mountPath: /said}}]}}\n",
        said.display(),
        talker("side")
    );
    let hook = "    lifecycle: {preStop: {exec: {command: [sh, -c, 'echo hook >>/said/log']}}}\n";
    agent.put(
        "a.yaml",
        &(pod("a", &talker("main"), &side) + mounts + hook),
    );
    let deaf = pod("deaf", "trap '' TERM; while :; do sleep 1; done", "");
    agent.put(
        "deaf.yaml",
        &deaf.replace("PeriodSeconds: 2", "PeriodSeconds: 600"),
    );
    agent.wait_running("a", "c");
    let first = agent.wait_running("deaf", "c");
    let (_, err, code) = agent.typed(&["stop", "--all"]);
    assert!(
        code == 1 && err.contains(&format!("runs as process {}", agent.pid())),
        "{code} {err}"
    );
    assert_eq!(agent.running("deaf", "c"), [first]);
    agent.end("TERM");
    let begin = Instant::now();
    let (out, err, code) = agent.typed(&["stop", "--all", "--timeout=5s"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(
        begin.elapsed() < Duration::from_secs(300),
        "the grace was cut"
    );
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    let ended = ["a", "deaf"].map(|pod| format!("default/{pod}-{}: ended", agent.node));
    assert_eq!(lines, ended);
    assert!(agent.all("a").is_empty() && agent.all("deaf").is_empty());
    let log = fs::read_to_string(said.join("log")).unwrap();
    let words: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(words, ["hook", "main", "side"], "{log}");
    let dirs = fs::read_dir(agent.base.join("root/pods")).unwrap();
    assert_eq!(dirs.count(), 0, "what they had on disk went with them");
    assert!(agent.status().contains("no pods"));
    assert_eq!(
        agent.typed(&["stop", "--all"]).2,
        0,
        "there is nothing more to do"
    );
    agent.start();
    agent.wait_running("a", "c");
    agent.wait_running("deaf", "c");
}
