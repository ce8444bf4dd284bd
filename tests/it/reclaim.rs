//! Which images go: a sentence, a world of images, and the complete list of what is removed, in order and with reasons.

use std::collections::BTreeSet;
use std::time::Duration;

use staticlet::decide::{Disk, ImageSeen, Pins, ReclaimLimits, ReclaimWhy, reclaim};
use staticlet::state::Usage;
use staticlet::sys::Wall;

const HOUR: i64 = 3600;

/// 2027-01-15.
const NOW: Wall = Wall(1_800_000_000_000_000);

fn ago(seconds: i64) -> Wall {
    Wall(NOW.0 - seconds * 1_000_000)
}

/// An image with this name that a pod of ours had until so many seconds ago.
fn image(name: &str, seconds: i64) -> ImageSeen {
    ImageSeen {
        id: format!("sha256:{name}"),
        tags: vec![name.to_owned()],
        digests: Vec::new(),
        bytes: 1000,
        busy: false,
        usage: Some(Usage {
            names: BTreeSet::from([name.to_owned()]),
            busy: false,
            used: ago(seconds),
        }),
    }
}

fn known_as(mut image: ImageSeen, names: &[&str]) -> ImageSeen {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    image.usage.as_mut().unwrap().names = names;
    image
}

struct World {
    images: Vec<ImageSeen>,
    pins: Pins,
    /// In percent.
    used: Option<u64>,
    limits: ReclaimLimits,
}

/// A full disk, and images of no use: `c:1` for the longest time.
fn full() -> World {
    World {
        images: vec![
            image("a:1", HOUR),
            image("b:1", 2 * HOUR),
            image("c:1", 3 * HOUR),
        ],
        pins: Pins::default(),
        used: Some(90),
        limits: ReclaimLimits {
            high_percent: 85,
            low_percent: 80,
            age_min: Duration::from_secs(120),
            age_max: Duration::ZERO,
        },
    }
}

fn is_so(says: &str, change: impl FnOnce(&mut World), expected: &[(&str, ReclaimWhy)]) {
    let mut world = full();
    change(&mut world);
    let disk = world.used.map(|used| Disk {
        capacity: 1000,
        available: 1000 - used * 10,
    });
    let removed = reclaim(&world.images, &world.pins, disk, &world.limits, NOW);
    let found: Vec<(&str, ReclaimWhy)> = removed
        .iter()
        .map(|one| (one.id.strip_prefix("sha256:").unwrap(), one.why))
        .collect();
    assert_eq!(found, expected, "{says}");
}

use ReclaimWhy::{Age, Space};

#[test]
fn a_full_disk_loses_what_was_of_no_use_for_the_longest_time_first() {
    let all = [("c:1", Space), ("b:1", Space), ("a:1", Space)];
    is_so("all in this order, as long as it is full", |_| {}, &all);
    is_so("at the mark", |w| w.used = Some(85), &all);
    is_so("one percent below it", |w| w.used = Some(84), &[]);
    is_so("no disk to be seen", |w| w.used = None, &[]);
    let never = |w: &mut World| {
        w.limits.high_percent = 100;
        w.used = Some(100);
    };
    is_so("a mark of 100 is never reached", never, &[]);
    let limits = full().limits;
    let at = |used: u64| Disk {
        capacity: 1000,
        available: 1000 - used * 10,
    };
    assert!(limits.is_enough(at(80)) && !limits.is_enough(at(81)));
    let nothing = Disk {
        capacity: 0,
        available: 0,
    };
    assert_eq!(nothing.percent(), 0, "no size, no statement");
    let huge = Disk {
        capacity: u64::MAX,
        available: 1,
    };
    assert_eq!(huge.percent(), 100);
}

#[test]
fn what_is_of_use_stays() {
    let rest = [("b:1", Space), ("a:1", Space)];
    is_so(
        "a container has it, perhaps somebody else's",
        |w| w.images[2].busy = true,
        &rest,
    );
    is_so(
        "a container has it by what is remembered",
        |w| w.images[2].usage.as_mut().unwrap().busy = true,
        &rest,
    );
    for name in [
        "c:1",
        "docker.io/library/c:1",
        "index.docker.io/library/c:1",
    ] {
        is_so(
            "a wanted pod names it",
            |w| w.pins.names = vec![name.into()],
            &rest,
        );
    }
    let digest = format!("c@sha256:{}", "1".repeat(64));
    is_so(
        "a wanted pod names its digest",
        |w| {
            w.images[2].digests = vec![digest.clone()];
            w.pins.names = vec![digest.clone()];
        },
        &rest,
    );
    is_so(
        "another tag of it is wanted",
        |w| w.pins.names = vec!["c:2".into()],
        &[("c:1", Space), ("b:1", Space), ("a:1", Space)],
    );
    is_so(
        "an archive would bring it again at once",
        |w| w.pins.ids = BTreeSet::from(["sha256:c:1".to_owned()]),
        &rest,
    );
    is_so(
        "it was of use a moment ago",
        |w| w.images = vec![image("a:1", 119), image("b:1", 120), image("c:1", -5)],
        &[("b:1", Space)],
    );
}

#[test]
fn what_is_somebody_elses_stays() {
    let rest = [("b:1", Space), ("a:1", Space)];
    is_so(
        "no pod of ours ever had it",
        |w| w.images[2].usage = None,
        &rest,
    );
    is_so(
        "somebody has given it another name",
        |w| w.images[2].tags.push("mine:1".into()),
        &rest,
    );
    is_so(
        "somebody has pushed it elsewhere",
        |w| w.images[2].digests = vec![format!("mine@sha256:{}", "1".repeat(64))],
        &rest,
    );
}

#[test]
fn every_name_that_we_know_goes_and_an_image_without_one_by_its_id() {
    let digest = format!("r.io:5000/web@sha256:{}", "1".repeat(64));
    let mut named = known_as(
        image("r.io:5000/web:1", HOUR),
        &["r.io:5000/web:1", "web:1"],
    );
    named.tags.push("docker.io/library/web:1".into());
    named.digests.push(digest.clone());
    let mut bare = known_as(image("x", 2 * HOUR), &["r.io/x:1"]);
    bare.tags = vec!["<none>:<none>".into()];
    bare.digests = vec!["<none>@<none>".into()];
    // A newer image has taken the tag.
    let mut old = known_as(image("old", 3 * HOUR), &["r.io:5000/web:1"]);
    old.tags = Vec::new();
    old.digests = vec![digest.clone()];
    let disk = Some(Disk {
        capacity: 100,
        available: 0,
    });
    let images = [named, bare, old];
    let removed = reclaim(&images, &Pins::default(), disk, &full().limits, NOW);
    let names: Vec<Vec<&str>> = removed
        .iter()
        .map(|one| one.names.iter().map(String::as_str).collect())
        .collect();
    let all = vec!["r.io:5000/web:1", "docker.io/library/web:1", &digest];
    assert_eq!(names, [vec![digest.as_str()], vec![], all]);
}

#[test]
fn what_is_too_old_goes_with_room_enough() {
    let old = |w: &mut World| {
        w.used = Some(10);
        w.limits.age_max = Duration::from_secs(2 * 3600 - 1);
    };
    is_so("both of them", old, &[("c:1", Age), ("b:1", Age)]);
    let both = |w: &mut World| {
        w.used = Some(90);
        w.limits.age_max = Duration::from_secs(2 * 3600);
    };
    is_so(
        "and more on a full disk",
        both,
        &[("c:1", Age), ("b:1", Space), ("a:1", Space)],
    );
}

#[test]
fn the_end_of_use_is_when_it_was_first_seen_and_survives_a_clock_that_jumps() {
    let now = |seconds: i64| Wall(NOW.0 + seconds * 1_000_000);
    let mut usage = Usage::new(true, now(0));
    usage.seen(true, now(100));
    assert_eq!(
        usage.used,
        now(0),
        "nothing to be written as long as it is of use"
    );
    usage.seen(false, now(200));
    assert_eq!((usage.busy, usage.used), (false, now(200)));
    usage.seen(false, now(300));
    assert_eq!(usage.used, now(200));
    usage.seen(false, now(100));
    assert_eq!(
        usage.used,
        now(100),
        "the clock went back: no image stays for ever"
    );
    // A machine without a clock: it boots in 1970, and hears the time later.
    let mut usage = Usage::new(true, Wall(5_000_000));
    usage.seen(false, Wall(9_000_000));
    assert_eq!(usage.used, Wall(9_000_000));
    usage.seen(false, now(0));
    assert_eq!(usage.used, now(0), "it is not fifty years old");
}
