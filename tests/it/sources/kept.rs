//! The last good version of a manifest outlives the agent, whatever happens to the file or in the middle of a write.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// Everything that is kept, by name.
fn kept(world: &World) -> Vec<PathBuf> {
    let dir = fs::read_dir(world.root.join("kept"));
    let mut names: Vec<PathBuf> = dir
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    names
}

fn with_pod() -> World {
    let mut world = World::new();
    world.place("web.yaml", &pod("web", "img:1"));
    world.until_image("web", "img:1");
    world
}

#[test]
fn a_manifest_that_broke_while_no_agent_ran_runs_in_its_last_good_version() {
    type Break = fn(&World);
    let ways: [(&str, Break); 6] = [
        ("half", |w| w.place("web.yaml", "apiVersion: v1\nkind: Po")),
        ("invalid", |w| w.place("web.yaml", &pod("web", "\" \""))),
        ("empty", |w| w.place("web.yaml", "")),
        ("not text", |w| {
            fs::write(w.file("web.yaml"), [0xff, 0xfe, 0]).unwrap();
        }),
        ("a directory", |w| {
            fs::remove_file(w.file("web.yaml")).unwrap();
            fs::create_dir(w.file("web.yaml")).unwrap();
        }),
        ("a link to nowhere", |w| {
            fs::remove_file(w.file("web.yaml")).unwrap();
            symlink("/nowhere", w.file("web.yaml")).unwrap();
        }),
    ];
    for (what, break_it) in ways {
        let mut world = with_pod();
        let read = world.now().wall;
        break_it(&world);
        world.ahead += 60 * SECOND;
        world.restart();
        world.until(what, |desired| desired.complete);
        let desired = world.seen.last().unwrap();
        assert_eq!(names(desired), ["web"], "{what}");
        assert_eq!(image(desired, "web").as_deref(), Some("img:1"), "{what}");
        assert!(!desired.doubtful, "{what}");
        let refusal = &desired.refusals[0];
        assert!(refusal.keeps.is_some(), "{what}");
        assert!(
            refusal.good.is_some_and(|good| good <= read),
            "{what}: the time of the good version, not of this start: {:?}",
            refusal.good
        );
        assert_eq!(world.told("manifest refused", "web.yaml"), 1, "{what}");
        let why = &world.messages.last().unwrap().why;
        let good = refusal.good.unwrap().to_string();
        assert!(
            why.contains(&format!("running last good of {good}")),
            "{why}"
        );

        // Repaired, it is followed again, and removed, it goes.
        let _ = fs::remove_dir(world.file("web.yaml"));
        world.place("web.yaml", &pod("web", "img:2"));
        world.until_image("web", "img:2");
        fs::remove_file(world.file("web.yaml")).unwrap();
        world.until_pods(&[]);
        world.look();
        assert_eq!(kept(&world), Vec::<PathBuf>::new(), "{what}");
    }
}

#[test]
fn a_file_removed_while_no_agent_ran_stops_its_pod() {
    let mut world = with_pod();
    assert_eq!(kept(&world).len(), 1);
    fs::remove_file(world.file("web.yaml")).unwrap();
    world.restart();
    world.until_pods(&[]);
    assert!(world.seen.last().unwrap().complete);
    world.look();
    assert_eq!(kept(&world), Vec::<PathBuf>::new());
}

#[test]
fn a_path_that_is_not_there_at_the_start_runs_what_it_held_after_a_while() {
    let mut world = with_pod();
    let away = world.root.join("away");
    fs::rename(&world.dir, &away).unwrap();
    world.restart();
    world.look();
    assert_eq!(
        names(world.seen.last().unwrap()),
        Vec::<&str>::new(),
        "a disk may be mounted yet"
    );
    world.look_after(5 * SECOND);
    assert_eq!(names(world.seen.last().unwrap()), Vec::<&str>::new());
    world.look_after(6 * SECOND);
    assert_eq!(names(world.seen.last().unwrap()), ["web"]);
    assert!(
        !world.seen.last().unwrap().complete,
        "nothing may be removed for being absent"
    );
    fs::rename(&away, &world.dir).unwrap();
    world.place("web.yaml", &pod("web", "img:2"));
    world.until_image("web", "img:2");
}

#[test]
fn files_that_are_not_ours_are_ignored_with_one_message() {
    let mut world = with_pod();
    world.place("db.yaml", &pod("db", "img:1"));
    world.until_pods(&["db", "web"]);
    let files = kept(&world);
    let text = fs::read_to_string(&files[0]).unwrap();
    fs::write(&files[0], &text[..text.len() - 3]).unwrap();
    let other = text.replacen("\"staticlet\":1", "\"staticlet\":2", 1);
    fs::write(&files[1], other).unwrap();
    fs::write(world.root.join("kept/README"), "hello").unwrap();
    fs::write(
        world
            .root
            .join("kept")
            .join(format!(".{}.new", "0".repeat(32))),
        "half",
    )
    .unwrap();
    for name in ["db.yaml", "web.yaml"] {
        world.place(name, "broken");
    }
    world.restart();
    world.ahead += 60 * SECOND;
    world.until("all judged", |desired| desired.complete);
    let ignored = world
        .messages
        .iter()
        .filter(|m| m.event == "kept manifest ignored");
    let whys: Vec<&str> = ignored.map(|message| message.why.as_str()).collect();
    assert_eq!(whys.len(), 1, "{whys:?}");
    assert!(whys[0].starts_with("3 files; "), "{whys:?}");
    assert_eq!(names(world.seen.last().unwrap()), Vec::<&str>::new());
    assert!(world.seen.last().unwrap().doubtful, "what runs goes on");
    for name in ["db.yaml", "web.yaml"] {
        world.place(name, &pod(&name[..name.len() - 5], "img:3"));
    }
    world.until_pods(&["db", "web"]);
    world.look();
    assert_eq!(
        kept(&world).len(),
        2 + 2,
        "written anew; what is not ours stays"
    );
}

#[test]
fn an_unchanged_manifest_is_written_once() {
    let mut world = with_pod();
    let stamp = |world: &World| fs::metadata(&kept(world)[0]).unwrap().modified().unwrap();
    let first = stamp(&world);
    world.restart();
    world.until_pods(&["web"]);
    fs::write(world.file("web.yaml"), pod("web", "img:1")).unwrap();
    world.look_after(60 * SECOND);
    assert_eq!(stamp(&world), first);
}

#[test]
fn what_could_not_be_written_is_written_later() {
    let mut world = World::new();
    fs::write(world.root.join("kept"), "in the way").unwrap();
    world.place("web.yaml", &pod("web", "img:1"));
    world.until_image("web", "img:1");
    let due = world.sources.jobs_due().expect("it is tried again");
    assert!(due > world.now().mono, "but not at once");
    fs::remove_file(world.root.join("kept")).unwrap();
    world.look_after(30 * SECOND);
    assert_eq!(kept(&world).len(), 1);
}

/// The writer is killed at a random instant, 200 times: the next start finds the old version or the new one.
#[test]
fn a_writer_that_is_killed_leaves_the_old_or_the_new_version() {
    let mut world = with_pod();
    let mut seed = 0x2545_F491_4F6C_DD1D_u64 ^ u64::from(std::process::id());
    println!("seed {seed}");
    let (mut olds, mut news) = (0, 0);
    for round in 2..202 {
        let (old, new) = (format!("img:{}", round - 1), format!("img:{round}"));
        // Large, so that there is a middle to be killed in.
        let padding = "# padding\n".repeat(20_000);
        world.place("web.yaml", &format!("{}{padding}", pod("web", &new)));
        let request = loop {
            let now = world.now();
            world.sources.ring(now);
            let _ = world.sources.look(now, &|_| None);
            if let Some(request) = world.sources.keep(now) {
                break request;
            }
            world.ahead += SECOND;
        };
        let request = serde_json::json!({ "keep": request }).to_string();
        let mut job = Command::new(env!("CARGO_BIN_EXE_staticlet"))
            .arg("job")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let input = job.stdin.take();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // Most of its life is before and after the write: the window is put over both, round by round.
        input.unwrap().write_all(request.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_micros(seed % 12_000));
        job.kill().unwrap();
        job.wait().unwrap();

        world.place("web.yaml", "broken: [");
        world.ahead += 60 * SECOND;
        world.restart();
        world.until("judged", |desired| desired.complete);
        let found = image(world.seen.last().unwrap(), "web");
        assert!(
            found.as_deref() == Some(&*old) || found.as_deref() == Some(&*new),
            "round {round}: {found:?}, {:?}",
            world.messages
        );
        if found.as_deref() == Some(&*old) {
            olds += 1;
            // The next round begins with this round's version on disk.
            world.place("web.yaml", &format!("{}{padding}", pod("web", &new)));
            world.ahead += 60 * SECOND;
            world.until_image("web", &new);
        } else {
            news += 1;
        }
    }
    println!("{olds} old, {news} new");
    assert!(
        olds > 0 && news > 0,
        "killed at one point only: {olds} old, {news} new"
    );
}
