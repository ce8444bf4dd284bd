//! What is told of a pod: the words of a kubelet, by hand-made worlds.

use serde_json::json;
use staticlet::pod::PodUid;
use staticlet::publish::{Publisher, path, read};
use staticlet::state::{ContainerMemory, ContainerState, Crash, FailReason, Failure, Node};
use staticlet::status::{Case, Row, Tone, age, pod_status, reasons, render, row};
use staticlet::sys::{Mono, Now};

use crate::support::world::{
    World, at, container, exited, healthy, healthy_with, key, name, node, running, told, want,
};

/// The one pod at a time.
fn with_case<T>(world: &World, now: Now, look: impl FnOnce(&Case<'_>) -> T) -> T {
    let uid = PodUid("v1".into());
    look(&Case {
        key: &key(),
        uid: &uid,
        wanted: world.desired.pods.get(&key()).map(|wanted| &*wanted.pod),
        there: world.observed.pods.get(&uid),
        memory: world.memory.pods.get(&key()),
        node: &node(),
        previous: None,
        now,
    })
}

/// Phase, Ready's reason, READY, STATUS and RESTARTS of the one pod.
fn words(world: &World, now: Now) -> String {
    with_case(world, now, words_of)
}

fn words_of(case: &Case<'_>) -> String {
    let status = pod_status(case);
    let ready = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "Ready")
        .unwrap();
    let ready = ready.reason.clone().unwrap_or_else(|| ready.status.clone());
    let phase = status.phase.clone().unwrap_or_default();
    let why: Vec<String> = reasons(case)
        .into_iter()
        .map(|reason| reason.reason)
        .collect();
    let mut pod = case.wanted.unwrap().pod.clone();
    pod.status = Some(status);
    let cells = row(&pod, case.now.wall).cells;
    format!(
        "{phase} {ready} | {} {} {} | {}",
        cells[2],
        cells[3],
        cells[4],
        why.join(" ")
    )
}

fn remember<'a>(world: &'a mut World, of: &str) -> &'a mut ContainerMemory {
    let pod = world.memory.pods.get_mut(&key()).unwrap();
    pod.containers.entry(name(of)).or_default()
}

fn failure(reason: FailReason, times: u32) -> Option<Failure> {
    Some(Failure {
        reason,
        message: "no such host".into(),
        times,
        retry: Mono(2_000_000),
    })
}

#[test]
fn the_words_are_those_of_a_kubelet() {
    let policy = |policy: &str| healthy_with(&["app", "side"], json!({"restartPolicy": policy}));
    let ended = |mut world: World, codes: [i32; 2]| {
        for (of, code) in ["app", "side"].into_iter().zip(codes) {
            world.newest("v1", container("v1", of, 0, exited(code, at(5))));
        }
        world
    };
    let mut world = healthy();
    assert_eq!(words(&world, at(5)), "Running True | 2/2 Running 0 | ");
    world.newest("v1", container("v1", "app", 0, exited(3, at(5))));
    assert_eq!(
        words(&world, at(5)),
        "Running ContainersNotReady | 1/2 Error 0 | "
    );
    let mut world = healthy();
    world.newest("v1", container("v1", "app", 2, exited(3, at(5))));
    remember(&mut world, "app").crash = Some(Crash {
        wait_ms: 20_000,
        started: at(4).mono,
    });
    let said = "Running ContainersNotReady | 1/2 CrashLoopBackOff 2 (1s ago) | CrashLoopBackOff";
    assert_eq!(words(&world, at(6)), said);
    for (times, word) in [(1, "ErrImagePull"), (2, "ImagePullBackOff")] {
        let mut world = healthy();
        world.there("v1").containers.remove(0);
        remember(&mut world, "app").failure = failure(FailReason::ErrImagePull, times);
        let said = format!("Pending ContainersNotReady | 1/2 {word} 0 | {word}");
        assert_eq!(words(&world, at(6)), said);
    }
    let said = "Succeeded PodCompleted | 0/2 Completed 0 | ";
    assert_eq!(words(&ended(policy("OnFailure"), [0, 0]), at(6)), said);
    let said = "Failed PodFailed | 0/2 Error 0 | Error";
    assert_eq!(words(&ended(policy("Never"), [3, 0]), at(6)), said);
    let limited = |seconds: u64| {
        let patch = json!({"activeDeadlineSeconds": seconds, "restartPolicy": "Never"});
        ended(healthy_with(&["app", "side"], patch), [0, 0])
    };
    let said = "Failed PodFailed | 0/2 Completed 0 | DeadlineExceeded";
    assert_eq!(words(&limited(4), at(6)), said);
    let said = "Succeeded PodCompleted | 0/2 Completed 0 | ";
    assert_eq!(words(&limited(6), at(9)), said, "in time");
    let mut world = healthy();
    world.there("v1").sandboxes[0].state = exited(0, at(5));
    let crash = Crash {
        wait_ms: 20_000,
        started: at(4).mono,
    };
    world.memory.pods.get_mut(&key()).unwrap().sandbox = Some(crash);
    let said = "Running True | 2/2 Running 0 | SandboxChanged";
    assert_eq!(words(&world, at(5)), said, "its sandboxes end");
    assert_eq!(words(&world, at(25)), "Running True | 2/2 Running 0 | ");
    let mut world = healthy();
    world.there("v1").containers[0].starting = true;
    let said = "Pending ContainersNotReady | 1/2 ContainerCreating 0 | ";
    assert_eq!(words(&world, at(6)), said, "its postStart hook goes on");
    let mut world = healthy();
    world.observed.pods.clear();
    assert_eq!(
        words(&world, at(6)),
        "Pending ContainersNotReady | 0/2 ContainerCreating 0 | "
    );
}

#[test]
fn init_containers_are_told_as_kubectl_does() {
    let with = |policy: &str, states: &[(&str, u32, ContainerState)]| {
        let init = json!([{"name": "one", "image": "x"},
            {"name": "log", "image": "x", "restartPolicy": "Always"}]);
        let patch = json!({"restartPolicy": policy, "initContainers": init});
        let mut world = healthy_with(&["app"], patch);
        world.there("v1").containers.clear();
        for (of, attempt, state) in states {
            world.newest("v1", container("v1", of, *attempt, state.clone()));
        }
        world
    };
    let (done, failed) = (exited(0, at(3)), exited(3, at(3)));
    let (one, two) = (("one", 0, done.clone()), ("log", 0, running()));
    for (policy, states, said) in [
        (
            "Always",
            vec![],
            "Pending ContainersNotReady | 0/2 Init:0/2 0 | ",
        ),
        (
            "Always",
            vec![("one", 0, running())],
            "Pending ContainersNotReady | 0/2 Init:0/2 0 | ",
        ),
        (
            "Always",
            vec![one.clone()],
            "Pending ContainersNotReady | 0/2 Init:1/2 0 | ",
        ),
        (
            "Always",
            vec![one.clone(), two.clone()],
            "Pending ContainersNotReady | 1/2 PodInitializing 0 | ",
        ),
        (
            "Always",
            vec![one.clone(), two.clone(), ("app", 0, running())],
            "Running True | 2/2 Running 0 | ",
        ),
        (
            "Never",
            vec![one.clone(), ("log", 0, done.clone()), ("app", 0, done)],
            "Succeeded PodCompleted | 0/2 Completed 0 | ",
        ),
        (
            "Never",
            vec![("one", 0, failed.clone())],
            "Failed PodFailed | 0/2 Init:Error 0 | Error",
        ),
        (
            "Always",
            vec![("one", 2, failed.clone())],
            "Pending ContainersNotReady | 0/2 Init:Error 2 | ",
        ),
        (
            "Always",
            vec![one, ("log", 1, failed), ("app", 0, running())],
            "Running ContainersNotReady | 1/2 Init:Error 1 | ",
        ),
    ] {
        assert_eq!(words(&with(policy, &states), at(5)), said, "{states:?}");
    }
    let mut world = with("Always", &[("one", 1, exited(3, at(3)))]);
    remember(&mut world, "one").crash = Some(Crash {
        wait_ms: 20_000,
        started: at(2).mono,
    });
    assert_eq!(
        words(&world, at(5)),
        "Pending ContainersNotReady | 0/2 Init:CrashLoopBackOff 1 (2s ago) | CrashLoopBackOff"
    );
}

#[test]
fn ages_are_printed_as_kubectl_does() {
    let rows = [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (184, "3m4s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (25_620, "7h7m"),
        (172_800, "2d"),
        (183_600, "2d3h"),
        (864_000, "10d"),
    ];
    for (seconds, text) in rows {
        assert_eq!(age(std::time::Duration::from_secs(seconds)), text);
    }
}

#[test]
fn a_word_is_painted_and_the_columns_stay() {
    let of = |word: &str, is_well| Row {
        cells: ["ns", "a", "1/1", word, "0", "1s", "<none>", "n"].map(str::to_owned),
        is_well,
    };
    for (word, is_well, tone) in [
        ("Running", true, Tone::Well),
        ("Completed", true, Tone::Well),
        ("Running", false, Tone::Busy),
        ("Init:0/2", false, Tone::Busy),
        ("Terminating", false, Tone::Busy),
        ("Init:CrashLoopBackOff", false, Tone::Ill),
        ("CrashLoopBackOff", false, Tone::Ill),
        ("Init:ErrImagePull", false, Tone::Ill),
    ] {
        assert_eq!(of(word, is_well).tone(), tone, "{word}");
    }
    let mark = |tone: Tone, word: &str| format!("<{}>", format!("{tone:?} {word}").to_uppercase());
    let rows = [of("Running", true), of("ErrImagePull", false)];
    assert_eq!(
        render(&rows, &mark),
        "NAMESPACE   NAME   READY   STATUS         RESTARTS   AGE   IP       NODE\n\
         ns          a      1/1     <WELL RUNNING     >   0          1s    <none>   n\n\
         ns          a      1/1     <ILL ERRIMAGEPULL>   0          1s    <none>   n\n"
    );
    assert_eq!(render(&[], &mark), "");
}

#[test]
fn the_file_is_written_when_something_changed() {
    let dir = std::env::temp_dir().join(format!("staticlet-status-{}", std::process::id()));
    let node = Node {
        run_dir: dir.to_string_lossy().into_owned(),
        ..node()
    };
    let mut world = healthy();
    world.observed.docker.version = "20.10".into();
    let file = path(&node.run_dir);
    let tell = |publisher: &mut Publisher, world: &World, seconds| {
        let events = Default::default();
        let told = told(world, &node, &events);
        publisher.publish(&told, at(seconds)).unwrap();
        read(&file).unwrap()
    };
    let mut publisher = Publisher::new(&node);
    let first = tell(&mut publisher, &world, 1);
    assert_eq!(tell(&mut publisher, &world, 9), first, "nothing changed");
    // An agent that starts anew keeps the start time and the transitions, whatever its own clock says.
    let mut next = Publisher::new(&node);
    world.memory.pods.clear();
    let again = tell(&mut next, &world, 99);
    assert_eq!(again.items, first.items);
    world.desired.pods.clear();
    let leaving = tell(&mut next, &world, 100);
    assert!(leaving.items[0].metadata.deletion_timestamp.is_some());
    assert_eq!(row(&leaving.items[0], at(100).wall).cells[3], "Terminating");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_restart_of_all_containers_is_a_condition_where_a_rule_can_bring_it_about() {
    let said = |policy: &str, states: [i32; 2]| {
        let rules = json!([{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [3]}}]);
        let mut world = healthy_with(&["app", "side"], json!({"restartPolicy": policy}));
        let mut pod = world.desired.pods[&key()].pod.as_ref().clone();
        let app = &mut pod.pod.spec.as_mut().unwrap().containers[0];
        app.restart_policy = Some("Never".into());
        app.restart_policy_rules = serde_json::from_value(rules).unwrap();
        want(&mut world.desired, pod);
        for (of, code) in ["app", "side"].into_iter().zip(states) {
            let state = match code {
                -1 => running(),
                code => exited(code, at(9)),
            };
            world.newest("v1", container("v1", of, 0, state));
        }
        let conditions = with_case(&world, at(10), pod_status)
            .conditions
            .unwrap_or_default();
        let mut found = conditions
            .into_iter()
            .filter(|one| one.type_ == "AllContainersRestarting");
        let one = found.next().unwrap();
        format!("{} {}", one.status, one.reason.unwrap_or_default())
    };
    assert_eq!(said("Always", [-1, -1]), "False ");
    assert_eq!(said("Always", [3, -1]), "True RestartAllContainersStarted");
    assert_eq!(said("Always", [4, -1]), "False ");
    assert_eq!(said("Always", [-1, 3]), "False ");
    assert_eq!(said("Never", [0, 0]), "False PodCompleted");
    assert_eq!(said("Never", [1, 0]), "False PodFailed");
}
