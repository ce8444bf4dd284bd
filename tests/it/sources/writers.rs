//! Files while they are written, and every tool that people edit with.

use super::*;

#[test]
fn a_slow_writer_is_waited_for() {
    let mut world = World::new();
    world.look();
    let path = world.file("a.yaml");
    let whole = format!("{}  - name: side\n    image: z\n", pod("a", "x"));
    let writer = std::thread::spawn(move || {
        let mut file = fs::File::create(path).unwrap();
        for line in whole.lines() {
            writeln!(file, "{line}").unwrap();
            std::thread::sleep(Duration::from_millis(250));
        }
    });
    world.until_pods(&["a"]);
    writer.join().unwrap();
    assert_eq!(containers(world.seen.last().unwrap()), 2);
    assert!(world.seen.iter().all(|desired| desired.refusals.is_empty()));
}

#[test]
fn a_slow_edit_in_place_leaves_the_pod_alone_until_it_is_done() {
    let mut world = World::new();
    world.place("a.yaml", &pod("a", "one"));
    world.until_pods(&["a"]);
    world.begin();
    let path = world.file("a.yaml");
    let writer = std::thread::spawn(move || {
        let mut file = fs::File::create(path).unwrap();
        for part in pod("a", "two").as_bytes().chunks(20) {
            std::thread::sleep(Duration::from_millis(100));
            file.write_all(part).unwrap();
        }
    });
    world.until_image("a", "two");
    writer.join().unwrap();
    assert!(
        world
            .seen
            .iter()
            .all(|desired| names(desired) == ["a"] && desired.refusals.is_empty())
    );
}

#[test]
fn a_file_that_is_held_open_is_read_when_it_is_quiet() {
    let mut world = World::new();
    world.look();
    let mut file = fs::File::create(world.file("a.yaml")).unwrap();
    file.write_all(pod("a", "x").as_bytes()).unwrap();
    assert_eq!(names(world.look()), [""; 0]);
    assert_eq!(names(world.look_after(SECOND * 2)), [""; 0]);
    assert_eq!(names(world.look_after(SECOND * 4)), ["a"]);
    file.write_all(b"  - name: side\n").unwrap();
    assert_eq!(containers(world.look()), 1, "again it is waited for");
    file.write_all(b"    image: z\n").unwrap();
    drop(file);
    assert_eq!(containers(world.look()), 2, "a close ends the wait");
}

#[test]
fn an_empty_file_is_not_ready_before_it_is_wrong() {
    let mut world = World::new();
    world.look();
    fs::write(world.file("a.yaml"), "").unwrap();
    assert_eq!(refusals(world.look()), []);
    assert_eq!(refusals(world.look_after(SECOND)), []);
    let refused = refusals(world.look_after(SECOND * 2));
    assert_eq!(
        refused,
        [("a.yaml".to_owned(), "the file is empty".to_owned(), None)]
    );
    fs::write(world.file("a.yaml"), pod("a", "x")).unwrap();
    assert_eq!(names(world.look()), ["a"]);
}

/// How people change a file, and the command that changes `one` to `two` in a.yaml that way.
const EDITS: [(&str, &str); 16] = [
    (
        "vim",
        "vim -es -u NONE -N -c 'set backup writebackup' -c '%s/one/two/' -c 'wq' a.yaml < /dev/null",
    ),
    (
        "vim that renames",
        "vim -es -u NONE -N -c 'set backup backupcopy=no' -c '%s/one/two/' -c 'wq' a.yaml < /dev/null",
    ),
    ("sed -i", "sed -i s/one/two/ a.yaml"),
    ("sed with a backup", "sed -i.bak s/one/two/ a.yaml"),
    ("cp", "sed s/one/two/ a.yaml > ../new; cp ../new a.yaml"),
    (
        "cp -p over it",
        "sed s/one/two/ a.yaml > ../new; touch -d 2001-01-01 ../new; cp -p ../new a.yaml",
    ),
    ("mv", "sed s/one/two/ a.yaml > ../new; mv ../new a.yaml"),
    (
        "rsync",
        "mkdir -p ../from; sed s/one/two/ a.yaml > ../from/a.yaml; rsync -a --checksum ../from/ ./",
    ),
    (
        "rsync --inplace",
        "mkdir -p ../from; sed s/one/two/ a.yaml > ../from/a.yaml; rsync -a --checksum --inplace ../from/ ./",
    ),
    ("cat", "sed s/one/two/ a.yaml > ../new; cat ../new > a.yaml"),
    (
        "remove and make again",
        "sed s/one/two/ a.yaml > ../new; rm a.yaml; cp ../new a.yaml",
    ),
    (
        "a hard link",
        "sed s/one/two/ a.yaml > ../new; ln -f ../new a.yaml",
    ),
    (
        "install",
        "sed s/one/two/ a.yaml > ../new; install -m 600 ../new a.yaml",
    ),
    (
        "tee",
        "sed s/one/two/ a.yaml > ../new; tee a.yaml < ../new > /dev/null",
    ),
    (
        "tar",
        "sed s/one/two/ a.yaml > ../a.yaml; tar -C .. -c a.yaml | tar -x",
    ),
    (
        "nano",
        "(sleep 1; printf '\\033\\122one\\rtwo\\rA'; sleep 1; printf '\\017\\r'; sleep 1; printf '\\030'; sleep 1) | TERM=xterm script -qec 'nano -I -B a.yaml' /dev/null > /dev/null",
    ),
];

#[test]
fn every_way_to_edit_ends_in_the_new_version() {
    let mut failed = Vec::new();
    for (tool, command) in EDITS {
        let mut world = World::new();
        world.slower = Some((sys::now(), 10));
        world.look();
        world.place("a.yaml", &pod("a", "one"));
        world.until_image("a", "one");
        world.begin();
        let dir = world.dir.clone();
        let editor = std::thread::spawn(move || {
            Command::new("sh")
                .args(["-ec", command])
                .current_dir(dir)
                .status()
                .unwrap()
        });
        while !editor.is_finished() {
            world.until("looked", |_| true);
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = editor.join().unwrap();
        assert!(ended.success(), "{tool}: {ended}");
        if !fs::read_to_string(world.file("a.yaml"))
            .unwrap()
            .contains("two")
        {
            failed.push(format!("{tool} did not edit"));
            continue;
        }
        world.until_image("a", "two");
        let steady = world
            .seen
            .iter()
            .all(|desired| names(desired) == ["a"] && desired.refusals.is_empty());
        if !steady {
            failed.push(format!(
                "{tool}: {:#?} {:#?}",
                world.seen.iter().map(summary).collect::<Vec<_>>(),
                world.messages
            ));
        }
        let changes = world.told("manifest changed", "a.yaml");
        if changes != 1 {
            failed.push(format!("{tool}: {changes} changes"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn at_the_start_nothing_is_complete_before_every_file_was_judged() {
    let mut world = World::new();
    fs::write(world.file("a.yaml"), pod("a", "x")).unwrap();
    let desired = world.look();
    assert!(
        !desired.complete || names(desired) == ["a"],
        "{}",
        summary(desired)
    );
    let desired = world.until("complete", |desired| desired.complete);
    assert_eq!(names(desired), ["a"]);
}
