//! The manifest path itself: missing, replaced, one file, behind links.

use super::*;

#[test]
fn slashes_at_the_end_and_links_lead_to_the_directory() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    let link = world.root.join("link");
    symlink(&world.dir, &link).unwrap();
    world.sources = sources(&world.root, Path::new(&format!("{}//", link.display())));
    world.ahead = SECOND;
    assert_eq!(names(world.look()), ["a"]);
}

#[test]
fn a_missing_directory_is_waited_for() {
    let mut world = World::at("not/yet/there", |_| ());
    let desired = world.look();
    assert!(
        !desired.complete,
        "nothing is known, so nothing may be removed"
    );
    assert_eq!(refusals(desired).len(), 1);
    assert!(world.sources.due() <= world.now().mono.after(SECOND));
    world.look_after(SECOND * 2);
    assert_eq!(world.messages.len(), 1, "{:?}", world.messages);
    fs::create_dir_all(&world.dir).unwrap();
    world.until("read", |desired| {
        desired.complete && desired.refusals.is_empty()
    });
    world.place("a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
}

/// What a path turns into, and how.
type Cause = (&'static str, fn(&Path));

#[test]
fn a_directory_that_goes_away_keeps_its_pods() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    let away = world.root.join("away");
    let causes: [Cause; 3] = [
        ("removed", |_| ()),
        ("a dangling link", |dir| symlink("nowhere", dir).unwrap()),
        ("a link to itself", |dir| symlink(dir, dir).unwrap()),
    ];
    for (cause, make) in causes {
        let before = world.messages.len();
        fs::rename(&world.dir, &away).unwrap();
        make(&world.dir);
        world.until(cause, |desired| !desired.refusals.is_empty());
        for _ in 0..3 {
            let desired = world.look_after(SECOND * 10);
            assert_eq!(
                (names(desired), desired.complete),
                (vec!["a"], true),
                "{cause}"
            );
        }
        assert_eq!(
            world.messages.len(),
            before + 1,
            "{cause}: {:?}",
            &world.messages[before..]
        );
        let _ = fs::remove_file(&world.dir);
        fs::rename(&away, &world.dir).unwrap();
        world.until("back", |desired| desired.refusals.is_empty());
        assert_eq!(names(world.seen.last().unwrap()), ["a"], "{cause}");
    }
    world.place("b.yaml", &pod("b", "x"));
    world.until_pods(&["a", "b"]);
}

#[test]
fn a_path_through_a_file_is_not_an_empty_directory() {
    let mut world = World::at("file/m", |dir| {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("a.yaml"), pod("a", "x")).unwrap();
    });
    world.until_pods(&["a"]);
    world.run("cd ../..; mv file file.d; touch file");
    world.until("not a directory", |desired| !desired.refusals.is_empty());
    assert_eq!(names(world.look_after(SECOND * 60)), ["a"]);
}

#[test]
fn a_directory_removed_and_made_again_stops_nothing() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.place("b.yaml", &pod("b", "x"));
    world.until_pods(&["a", "b"]);
    world.begin();
    world.run("cd ..; cp -r m copy; rm -r m");
    world.until("missing", |desired| !desired.refusals.is_empty());
    fs::create_dir(&world.dir).unwrap();
    world.until("replaced", |desired| {
        refusals(desired)
            .iter()
            .any(|(_, why, _)| why.contains("lacks 2"))
    });
    assert_eq!(
        names(world.look_after(SECOND * 60)),
        ["a", "b"],
        "an empty one proves nothing"
    );
    world.run("cp -r ../copy/a.yaml .; sleep 0.3; cp -r ../copy/b.yaml .");
    world.until("all back", |desired| desired.refusals.is_empty());
    assert!(
        world
            .seen
            .iter()
            .all(|desired| names(desired) == ["a", "b"])
    );
}

#[test]
fn another_directory_with_manifests_is_believed_when_it_is_quiet() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.place("b.yaml", &pod("b", "x"));
    world.until_pods(&["a", "b"]);
    world.run("cp -rp ../m ../next; rm ../next/b.yaml; mv ../m ../old; mv ../next ../m");
    world.until("seen", |desired| !desired.refusals.is_empty());
    assert_eq!(names(world.look_after(SECOND * 2)), ["a", "b"]);
    assert_eq!(names(world.look_after(SECOND * 4)), ["a"]);
    assert_eq!(refusals(world.look()), []);
}

#[test]
fn one_file_of_any_name_will_do() {
    let mut world = World::at("pod.conf", |file| fs::write(file, pod("a", "one")).unwrap());
    fs::write(world.root.join("other.yaml"), pod("b", "x")).unwrap();
    world.until_pods(&["a"]);
    fs::write(world.root.join(".new"), pod("a", "two")).unwrap();
    fs::rename(world.root.join(".new"), &world.dir).unwrap();
    assert_eq!(
        image(world.look(), "a").as_deref(),
        Some("two"),
        "an edit by rename"
    );
    fs::write(&world.dir, pod("a", "three")).unwrap();
    assert_eq!(
        image(world.look(), "a").as_deref(),
        Some("three"),
        "an edit in place"
    );
    fs::remove_file(&world.dir).unwrap();
    world.until_pods(&[]);
    assert!(world.seen.last().unwrap().complete && world.seen.last().unwrap().refusals.is_empty());
    fs::write(&world.dir, pod("a", "four")).unwrap();
    world.until_image("a", "four");
    fs::rename(&world.root, world.root.with_extension("moved")).unwrap();
    assert_eq!(
        names(world.look_after(SECOND * 60)),
        ["a"],
        "a missing directory proves nothing"
    );
    fs::rename(world.root.with_extension("moved"), &world.root).unwrap();
    world.until("back", |desired| desired.refusals.is_empty());
}

#[test]
fn a_mounted_config_map_is_followed_through_its_links() {
    let mut world = World::new();
    world.run("mkdir ..v1 ..v2; ln -s ..v1 ..data; ln -s ..data/pod.yaml pod.yaml");
    fs::write(world.file("..v1/pod.yaml"), pod("a", "one")).unwrap();
    fs::write(world.file("..v2/pod.yaml"), pod("a", "two")).unwrap();
    world.until_image("a", "one");
    world.begin();
    world.run("ln -s ..v2 ..tmp; mv -T ..tmp ..data");
    world.until_image("a", "two");
    fs::write(world.file("..v2/pod.yaml"), pod("a", "six")).unwrap();
    world.until_image("a", "six");
    assert!(world.seen.iter().all(|desired| names(desired) == ["a"]));
}

#[test]
fn the_target_of_a_link_is_watched() {
    let mut world = World::new();
    let target = world.root.join("target");
    fs::write(&target, pod("a", "one")).unwrap();
    symlink(&target, world.file("a.yaml")).unwrap();
    world.until_image("a", "one");
    fs::write(&target, pod("a", "two")).unwrap();
    world.until_image("a", "two");
    fs::write(world.root.join("next"), pod("a", "three")).unwrap();
    fs::rename(world.root.join("next"), &target).unwrap();
    world.until_image("a", "three");
    fs::remove_file(&target).unwrap();
    world.until("dangling", |desired| !desired.refusals.is_empty());
    assert_eq!(names(world.seen.last().unwrap()), ["a"]);
}
