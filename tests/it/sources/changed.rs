//! Other settings while the agent runs.

use staticlet::sources::UrlSettings;
use staticlet::state::{Fetched, JobEnd, Report};

use super::*;

fn settings(world: &World, path: Option<&Path>) -> SourceSettings {
    SourceSettings {
        path: path.map(Path::to_owned),
        ..plain(&world.root)
    }
}

#[test]
fn pods_of_another_path_stay_until_the_new_one_has_been_read() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.place("b.yaml", &pod("b", "x"));
    world.until_pods(&["a", "b"]);
    let new = world.root.join("new");
    world.sources.set(settings(&world, Some(&new)));
    world.begin();
    for _ in 0..5 {
        let desired = world.look_after(SECOND * 8);
        assert_eq!(names(desired), ["a", "b"]);
        assert!(!desired.complete, "nothing else may be removed either");
    }
    fs::create_dir(&new).unwrap();
    world.dir = new;
    world.place("c.yaml", &pod("b", "x"));
    world.until_pods(&["b"]);
    assert!(
        world
            .seen
            .iter()
            .all(|desired| names(desired).contains(&"b"))
    );
    let desired = world.seen.last().unwrap();
    assert_eq!(source_of(desired, "b").as_deref(), Some("c.yaml"));
    assert!(
        desired.complete && desired.refusals.is_empty(),
        "{}",
        summary(desired)
    );
}

#[test]
fn a_broken_file_at_another_path_keeps_every_pod_until_it_is_mended() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.place("b.yaml", &pod("b", "x"));
    world.until_pods(&["a", "b"]);
    let new = world.root.join("new");
    fs::create_dir(&new).unwrap();
    world.dir = new.clone();
    world.place("a.yaml", "nonsense: [");
    world.sources.set(settings(&world, Some(&new)));
    world.until("refused", |desired| !desired.refusals.is_empty());
    assert_eq!(names(world.look_after(SECOND * 60)), ["a", "b"]);
    world.place("a.yaml", &pod("a", "z"));
    world.until_pods(&["a"]);
    assert_eq!(image(world.look(), "a").as_deref(), Some("z"));
}

#[test]
fn a_path_that_is_set_back_goes_on_as_before() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    let nowhere = world.root.join("nowhere");
    world.sources.set(settings(&world, Some(&nowhere)));
    assert_eq!(names(world.look_after(SECOND)), ["a"]);
    let back = world.dir.clone();
    world.sources.set(settings(&world, Some(&back)));
    let desired = world.look_after(SECOND);
    assert!(names(desired) == ["a"] && desired.complete && desired.refusals.is_empty());
}

#[test]
fn pods_of_a_path_that_nothing_replaces_go() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    world.sources.set(settings(&world, None));
    let desired = world.look_after(SECOND);
    assert!(names(desired).is_empty() && desired.complete);
}

#[test]
fn a_file_is_judged_anew_when_unknown_fields_are_allowed() {
    let mut world = World::new();
    world.place(
        "a.yaml",
        &pod("a", "x").replace("spec:", "spec:\n  nosuch: 1"),
    );
    world.until("refused", |desired| !desired.refusals.is_empty());
    let path = world.dir.clone();
    world.sources.set(SourceSettings {
        allow_unknown_fields: true,
        ..settings(&world, Some(&path))
    });
    world.until_pods(&["a"]);
    world.sources.set(settings(&world, Some(&path)));
    world.until("refused again", |desired| !desired.refusals.is_empty());
    assert_eq!(names(world.look()), ["a"], "the last good version stays");
}

fn answer(world: &mut World, text: &str) {
    let part = Fetched::Part {
        text: text.to_owned(),
    };
    let all = Fetched::All {
        etag: None,
        last_modified: None,
        signature: None,
    };
    for said in [part, all] {
        world.sources.fetch_said(&Report::Fetched(said));
    }
    world.sources.fetch_ended(&JobEnd::Done);
    world.look();
}

fn url(world: &World, url: &str) -> SourceSettings {
    SourceSettings {
        url: Some(UrlSettings {
            url: url.to_owned(),
            check: SECOND * 20,
            ..UrlSettings::default()
        }),
        ..settings(world, None)
    }
}

#[test]
fn an_answer_of_the_former_url_is_not_taken_for_one_of_the_new_one() {
    let mut world = World::new();
    world.sources.set(url(&world, "http://old/"));
    assert!(world.sources.fetch(world.now()).is_some());
    answer(&mut world, &pod("a", "x"));
    assert_eq!(names(world.look()), ["a"]);

    world.ahead += SECOND * 21;
    assert!(world.sources.fetch(world.now()).is_some());
    world.sources.set(url(&world, "http://new/"));
    assert!(
        world.sources.fetch(world.now()).is_none(),
        "one job at a time"
    );
    answer(&mut world, &pod("old", "x"));
    let desired = world.look();
    assert!(
        names(desired) == ["a"] && !desired.complete,
        "{}",
        summary(desired)
    );

    let request = world.sources.fetch(world.now()).expect("due at once");
    assert_eq!(request.url, "http://new/");
    answer(&mut world, "nonsense");
    let desired = world.look();
    assert!(names(desired) == ["a"], "{}", summary(desired));
    world.ahead += SECOND * 21;
    assert!(world.sources.fetch(world.now()).is_some());
    answer(&mut world, &pod("b", "x"));
    let desired = world.look();
    assert!(
        names(desired) == ["b"] && desired.complete,
        "{}",
        summary(desired)
    );
}

#[test]
fn a_new_pin_asks_for_the_whole_answer_at_once() {
    let mut world = World::new();
    world.sources.set(url(&world, "http://old/"));
    world.sources.fetch(world.now()).unwrap();
    world.sources.fetch_said(&Report::Fetched(Fetched::Part {
        text: pod("a", "x"),
    }));
    let tag = Some("\"1\"".to_owned());
    world.sources.fetch_said(&Report::Fetched(Fetched::All {
        etag: tag.clone(),
        last_modified: None,
        signature: None,
    }));
    world.sources.fetch_ended(&JobEnd::Done);
    world.look();
    world.ahead += SECOND * 21;
    assert_eq!(world.sources.fetch(world.now()).unwrap().tags.etag, tag);
    let mut pinned = url(&world, "http://old/");
    pinned.url.as_mut().unwrap().trust.sha256 = Some("0".repeat(64));
    world.sources.set(pinned);
    world.sources.fetch_ended(&JobEnd::Done);
    let request = world.sources.fetch(world.now()).expect("due at once");
    assert_eq!(
        (request.tags.etag, request.trust.sha256),
        (None, Some("0".repeat(64)))
    );
    assert_eq!(names(world.look()), ["a"]);
}
