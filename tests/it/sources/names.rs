//! Which files are followed, and what each of them may do to the others.

use super::*;

#[test]
fn a_rename_into_the_directory_is_acted_on_at_the_next_look() {
    let mut world = World::new();
    assert!(world.look().complete, "an empty directory is an answer");
    assert!(
        world.sources.due() > world.now().mono.after(SECOND),
        "a quiet directory is left alone"
    );
    world.place("a.yaml", &pod("a", "one"));
    assert_eq!(names(world.look()), ["a"]);
    world.place("a.yaml", &pod("a", "two"));
    assert_eq!(image(world.look(), "a").as_deref(), Some("two"));
    fs::rename(world.file("a.yaml"), world.root.join("away")).unwrap();
    assert_eq!(names(world.look()), ["a"], "it may be coming back");
    assert!(world.sources.due() <= world.now().mono.after(SECOND));
    assert_eq!(names(world.look_after(SECOND)), [""; 0]);
    assert!(world.seen.last().unwrap().complete);
    fs::rename(world.root.join("away"), world.file("a.yaml")).unwrap();
    assert_eq!(names(world.look()), ["a"]);
    assert!(
        world
            .messages
            .iter()
            .all(|message| message.level == Level::Info),
        "{:?}",
        world.messages
    );
}

#[test]
fn the_doorbell_rings_through_the_descriptor() {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut world = World::new();
    assert!(
        world.sources.fds().is_empty(),
        "nothing is opened before the first look"
    );
    world.look();
    world.place("a.yaml", &pod("a", "one"));
    let fds = world.sources.fds();
    let mut fds: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    assert_eq!(poll(&mut fds, PollTimeout::from(5000u16)).unwrap(), 1);
    let now = world.now();
    world.sources.ring(now);
    assert_eq!(world.sources.due(), Mono(0));
}

#[test]
fn only_names_of_manifests_are_read() {
    let mut world = World::new();
    let good = [
        "plain.yaml",
        "short.yml",
        "json.json",
        "with blank.yaml",
        "-dash.yaml",
        "[glob]*.yaml",
    ];
    for (at, name) in good.iter().enumerate() {
        fs::write(world.file(name), pod(&format!("good{at}"), "x")).unwrap();
    }
    let strange = [
        "kube-apiserver.yaml.backup",
        "noext",
        "a.yaml.bak",
        "a.yaml~",
        "a.yaml.swp",
        "a.txt",
        "UP.YAML",
        "a.json5",
        "a.yaml.tmp",
        "a.yaml.rpmsave",
        "a.yaml.dpkg-old",
        "a.yaml.orig",
        "4913",
        "yaml",
    ];
    for name in strange {
        fs::write(world.file(name), pod("bad", "x")).unwrap();
    }
    fs::write(world.file(".hidden.yaml"), pod("bad", "x")).unwrap();
    fs::write(world.file(".a.yaml.swp"), pod("bad", "x")).unwrap();
    fs::create_dir(world.file("sub")).unwrap();
    fs::write(world.file("sub/in.yaml"), pod("bad", "x")).unwrap();
    symlink("sub", world.file("dirlink")).unwrap();
    for _ in 0..3 {
        world.look_after(SECOND * 3);
    }
    let desired = world.seen.last().unwrap();
    assert_eq!(
        names(desired),
        ["good0", "good1", "good2", "good3", "good4", "good5"]
    );
    assert_eq!(refusals(desired), []);
    for name in strange.iter().chain(&["sub", "dirlink"]) {
        assert_eq!(world.told("not a manifest", name), 1, "{name}");
    }
    let count = world
        .messages
        .iter()
        .filter(|message| message.level == Level::Warn)
        .count();
    assert_eq!(count, strange.len() + 2, "{:#?}", world.messages);
}

#[test]
fn a_manifest_that_turns_bad_leaves_its_pod_alone() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "one"));
    world.place("b.yaml", &pod("b", "one"));
    world.until_pods(&["a", "b"]);
    for bad in ["{", "", "kind: Pod\n", "\0\0\0", "just words\n"] {
        world.place("a.yaml", bad);
        let before = world.messages.len();
        let desired = world.until("refused", |desired| !desired.refusals.is_empty());
        assert_eq!(names(desired), ["a", "b"], "{bad:?}");
        let refused = refusals(desired);
        assert_eq!(refused.len(), 1, "{bad:?}");
        assert_eq!(
            (refused[0].0.as_str(), refused[0].2.as_deref()),
            ("a.yaml", Some("a")),
            "{bad:?}"
        );
        for _ in 0..3 {
            world.look_after(SECOND * 21);
        }
        assert_eq!(
            world.messages.len() - before,
            1,
            "told once: {:?}",
            &world.messages[before..]
        );
        world.place("a.yaml", &pod("a", "one"));
        world.until("repaired", |desired| desired.refusals.is_empty());
        assert_eq!(
            world.told("manifest repaired", "a.yaml"),
            world.told("manifest refused", "a.yaml")
        );
    }
    world.place("a.yaml", "{");
    world.until("refused", |desired| !desired.refusals.is_empty());
    fs::remove_file(world.file("a.yaml")).unwrap();
    world.until_pods(&["b"]);
    assert_eq!(refusals(world.seen.last().unwrap()), []);
}

#[test]
fn what_is_not_a_file_is_told_once_and_hurts_nobody() {
    let mut world = World::new();
    world.run(
        "mkfifo fifo.yaml; mkdir dir.yaml; ln -s nowhere dangling.yaml; ln -s loop.yaml loop.yaml",
    );
    world.run("ln -s /dev/zero device.yaml; head -c 11000000 /dev/zero > big.yaml; ln -s /proc/self/mem mem.yaml");
    let socket = std::os::unix::net::UnixListener::bind(world.file("socket.yaml")).unwrap();
    world.place("good.yaml", &pod("good", "x"));
    let start = Instant::now();
    for _ in 0..4 {
        world.look_after(SECOND * 3);
    }
    assert!(start.elapsed() < SECOND * 5, "nothing blocks");
    let desired = world.seen.last().unwrap();
    assert_eq!(names(desired), ["good"]);
    assert!(desired.complete);
    let refused = refusals(desired);
    let expected = [
        ("big.yaml", "1048576"),
        ("dangling.yaml", "link to nowhere"),
        ("device.yaml", "a device"),
        ("dir.yaml", "a directory"),
        ("fifo.yaml", "a named pipe"),
        ("loop.yaml", "levels of symbolic links"),
        ("mem.yaml", "error"),
        ("socket.yaml", "a socket"),
    ];
    assert_eq!(refused.len(), expected.len(), "{refused:#?}");
    for ((name, problem, keeps), (file, words)) in refused.iter().zip(expected) {
        assert_eq!((name.as_str(), keeps), (file, &None));
        assert!(problem.contains(words), "{name}: {problem}");
        assert_eq!(world.told("manifest refused", file), 1, "{name}");
    }
    drop(socket);
}

#[test]
fn a_pipe_in_place_of_a_manifest_keeps_the_pod() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    world.begin();
    world.run("rm a.yaml; mkfifo a.yaml");
    world.until("refused", |desired| {
        refusals(desired)
            == [(
                "a.yaml".to_owned(),
                "it is a named pipe, not a file".to_owned(),
                Some("a".to_owned()),
            )]
    });
    assert!(world.seen.iter().all(|desired| names(desired) == ["a"]));
}

#[test]
fn the_file_that_was_followed_stays() {
    let mut world = World::new();
    world.place("b.yaml", &pod("web", "one"));
    world.until_pods(&["web"]);
    fs::copy(world.file("b.yaml"), world.file("a.yaml")).unwrap();
    let desired = world.until("conflict", |desired| !desired.refusals.is_empty());
    assert_eq!(source_of(desired, "web").as_deref(), Some("b.yaml"));
    let (file, why, keeps) = refusals(desired).remove(0);
    assert_eq!((file.as_str(), keeps), ("a.yaml", None));
    assert!(why.contains("/b.yaml as well"), "{why}");
    world.look_after(SECOND * 21);
    assert_eq!(world.told("manifest refused", "a.yaml"), 1);
    world.place("b.yaml", &pod("web", "two"));
    world.until_image("web", "two");
    fs::remove_file(world.file("b.yaml")).unwrap();
    world.until_image("web", "one");
    let desired = world.seen.last().unwrap();
    assert_eq!(
        (
            source_of(desired, "web").as_deref(),
            refusals(desired).len()
        ),
        (Some("a.yaml"), 0)
    );
}

#[test]
fn after_a_start_the_file_whose_pod_runs_is_followed() {
    let mut world = World::new();
    world.place("a.yaml", &pod("web", "one"));
    world.place("b.yaml", &pod("web", "two"));
    world.ahead = SECOND;
    let first = world.look().clone();
    assert_eq!(
        source_of(&first, "web").as_deref(),
        Some("a.yaml"),
        "nothing runs: the first by name"
    );
    fs::remove_file(world.file("a.yaml")).unwrap();
    world.until_image("web", "two");
    let second = world
        .seen
        .last()
        .unwrap()
        .pods
        .values()
        .next()
        .unwrap()
        .pod
        .clone();
    world.place("a.yaml", &pod("web", "one"));
    world.sources = sources(&world.root, &world.dir);
    assert_eq!(
        source_of(world.look_after(SECOND), "web").as_deref(),
        Some("a.yaml"),
        "dockerd has not answered yet"
    );
    world.running = vec![(second.key.clone(), second.uid.clone())];
    assert_eq!(
        source_of(world.look_after(SECOND), "web").as_deref(),
        Some("b.yaml")
    );
}

#[test]
fn a_new_name_for_a_file_or_a_pod_is_followed() {
    let mut world = World::new();
    world.place("a.yaml", &pod("one", "x"));
    world.until_pods(&["one"]);
    world.run("mv a.yaml b.yaml");
    let desired = world.look();
    assert_eq!(
        (names(desired), source_of(desired, "one").as_deref()),
        (vec!["one"], Some("b.yaml"))
    );
    world.place("b.yaml", &pod("two", "x"));
    assert_eq!(
        names(world.look()),
        ["two"],
        "the old pod goes with the same look"
    );
    assert_eq!(world.told("manifest renamed", "a.yaml"), 1);
}

#[test]
fn there_is_a_limit_to_the_number_of_manifests() {
    let mut world = World::new();
    for at in 0..1003 {
        fs::write(
            world.file(&format!("{at:04}.yaml")),
            pod(&format!("p{at:04}"), "x"),
        )
        .unwrap();
    }
    for _ in 0..3 {
        world.look_after(SECOND);
    }
    let desired = world.seen.last().unwrap();
    assert_eq!(desired.pods.len(), 1000);
    let refused = refusals(desired);
    assert!(
        refused.len() == 1 && refused[0].1.contains("3 more"),
        "{refused:?}"
    );
    let told = |world: &World| {
        world
            .messages
            .iter()
            .filter(|message| message.level == Level::Warn)
            .count()
    };
    assert_eq!(told(&world), 1);
}
