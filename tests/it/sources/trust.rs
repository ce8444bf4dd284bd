//! Who else could write a manifest: such files and directories are refused, and what runs goes on.

use std::os::unix::fs::{PermissionsExt, chown};

use super::*;
use crate::support::scratch::Scratch;

/// A world below the directory for temporary files, which is root's and sticky.
fn trusted() -> (Scratch, World) {
    let scratch = Scratch::new();
    let mut world = World::new();
    world.dir = scratch.path().join("m");
    fs::create_dir(&world.dir).unwrap();
    mode(&world.dir, 0o755);
    world.sources = Sources::new(wary(&world, &world.dir.clone()));
    (scratch, world)
}

fn wary(world: &World, path: &Path) -> SourceSettings {
    SourceSettings {
        path: Some(path.to_owned()),
        allow_untrusted: false,
        ..plain(&world.root)
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn put(world: &World, name: &str, text: &str) {
    let path = world.dir.join(name);
    fs::write(&path, text).unwrap();
    mode(&path, 0o644);
}

/// The problem that the file of this name is refused for.
fn refused(world: &mut World, name: &str, why: &str) -> Option<String> {
    let desired = world.until(why, |desired| {
        refusals(desired)
            .iter()
            .any(|(file, text, _)| file == name && text.contains(why))
    });
    let (_, _, keeps) = refusals(desired)
        .into_iter()
        .find(|(file, ..)| file == name)
        .unwrap();
    keeps
}

#[test]
fn a_file_that_others_may_write_is_refused_and_its_pod_keeps_the_last_good_version() {
    let (_scratch, mut world) = trusted();
    put(&world, "a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    for (bits, who) in [
        (0o666, "anybody may write to"),
        (0o664, "its group may write to"),
    ] {
        let path = world.dir.join("a.yaml");
        put(&world, "a.yaml", &pod("a", "evil"));
        mode(&path, bits);
        let why = format!("{who} {} (mode {bits:04o}); chmod go-w", path.display());
        assert_eq!(refused(&mut world, "a.yaml", &why).as_deref(), Some("a"));
        assert_eq!(image(world.look(), "a").as_deref(), Some("x"));
        put(&world, "a.yaml", &pod("a", "x"));
        world.until("mended", |desired| desired.refusals.is_empty());
    }
    // The same in the beginning: what was kept runs, and a file that never was good does not.
    mode(&world.dir.join("a.yaml"), 0o666);
    put(&world, "b.yaml", &pod("b", "x"));
    mode(&world.dir.join("b.yaml"), 0o666);
    world.sources = Sources::new(wary(&world, &world.dir.clone()));
    world.begin();
    assert_eq!(refused(&mut world, "b.yaml", "anybody"), None);
    assert_eq!(
        refused(&mut world, "a.yaml", "anybody").as_deref(),
        Some("a")
    );
    assert!(
        world
            .seen
            .iter()
            .all(|desired| !names(desired).contains(&"b"))
    );
}

#[test]
fn nothing_in_a_directory_that_others_may_write_is_followed() {
    let (scratch, mut world) = trusted();
    put(&world, "a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    // The sticky bit of the directory itself helps nobody: new names count there.
    for (path, bits) in [
        (world.dir.clone(), 0o1777),
        (world.dir.clone(), 0o775),
        (scratch.path().to_owned(), 0o777),
    ] {
        let was = fs::metadata(&path).unwrap().permissions();
        mode(&path, bits);
        put(&world, "b.yaml", &pod("b", "x"));
        put(&world, "a.yaml", &pod("a", "y"));
        world.look_after(SECOND * 21);
        let why = format!("may write to {} (mode {bits:04o})", path.display());
        refused(&mut world, "m", &why);
        let desired = world.look_after(SECOND * 21);
        assert_eq!(
            (names(desired), image(desired, "a").as_deref()),
            (vec!["a"], Some("x"))
        );
        fs::set_permissions(&path, was).unwrap();
        fs::remove_file(world.dir.join("b.yaml")).unwrap();
        put(&world, "a.yaml", &pod("a", "x"));
        world.ahead += SECOND * 21;
        world.until("trusted again", |desired| desired.refusals.is_empty());
    }
    // A start with such a directory runs nothing, and removes nothing.
    mode(&world.dir, 0o777);
    world.sources = Sources::new(SourceSettings {
        kept: None,
        ..wary(&world, &world.dir.clone())
    });
    let desired = world.look();
    assert!(names(desired).is_empty() && !desired.complete);
    let allowed = SourceSettings {
        allow_untrusted: true,
        ..wary(&world, &world.dir.clone())
    };
    world.sources.set(allowed);
    world.until_pods(&["a"]);
}

#[test]
fn links_that_leave_the_directory_are_refused_and_those_that_stay_are_followed() {
    let (scratch, mut world) = trusted();
    let outside = scratch.put("outside.yaml", &pod("a", "x"));
    symlink(&outside, world.dir.join("a.yaml")).unwrap();
    let why = format!(
        "it is a link to {}, which is outside of {}",
        outside.display(),
        world.dir.display()
    );
    assert_eq!(refused(&mut world, "a.yaml", &why), None);
    fs::remove_file(world.dir.join("a.yaml")).unwrap();

    // As the volume of a ConfigMap is laid out.
    let version = world.dir.join("..v1");
    fs::create_dir(&version).unwrap();
    mode(&version, 0o755);
    put(&world, "..v1/a.yaml", &pod("a", "x"));
    symlink("..v1", world.dir.join("..data")).unwrap();
    symlink("..data/a.yaml", world.dir.join("a.yaml")).unwrap();
    world.until_pods(&["a"]);
    world.until("no refusal", |desired| desired.refusals.is_empty());
    // What is on the way counts, and tells nothing by the stamp of the file.
    mode(&version, 0o777);
    world.ahead += SECOND * 21;
    assert_eq!(
        refused(&mut world, "a.yaml", "..v1 (mode 0777)").as_deref(),
        Some("a")
    );
    mode(&version, 0o755);
    world.ahead += SECOND * 21;
    world.until("trusted again", |desired| desired.refusals.is_empty());

    // The path itself may be a link: whoever gave it meant it.
    let link = scratch.path().join("link");
    symlink(&world.dir, &link).unwrap();
    world.sources = Sources::new(wary(&world, &link));
    world.until_pods(&["a"]);
}

#[test]
fn what_belongs_to_somebody_else_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can give something away; what belongs to root itself is trusted by everybody.
        return;
    }
    let (scratch, mut world) = trusted();
    put(&world, "a.yaml", &pod("a", "x"));
    world.until_pods(&["a"]);
    let file = world.dir.join("a.yaml");
    let rows = [
        (file.as_path(), "a.yaml"),
        (world.dir.as_path(), "m"),
        (scratch.path(), "m"),
    ];
    for (path, name) in rows.map(|(path, name)| (path.to_owned(), name)) {
        chown(&path, Some(1234), None).unwrap();
        world.ahead += SECOND * 21;
        let why = format!(
            "{} belongs to user 1234, not to root; chown it",
            path.display()
        );
        refused(&mut world, name, &why);
        assert_eq!(names(world.look()), ["a"]);
        chown(&path, Some(0), None).unwrap();
        world.ahead += SECOND * 21;
        world.until("trusted again", |desired| desired.refusals.is_empty());
    }
}

#[test]
fn one_file_is_trusted_by_the_way_that_leads_to_it() {
    let (scratch, mut world) = trusted();
    let file = scratch.put("d/pod.yaml", &pod("a", "x"));
    let link = scratch.path().join("pod.yaml");
    symlink(&file, &link).unwrap();
    world.sources = Sources::new(wary(&world, &link));
    world.until_pods(&["a"]);
    for (path, bad, good) in [
        (file.clone(), 0o666, 0o644),
        (scratch.path().join("d"), 0o777, 0o755),
    ] {
        mode(&path, bad);
        world.ahead += SECOND * 21;
        refused(
            &mut world,
            "pod.yaml",
            &format!("{} (mode {bad:04o})", path.display()),
        );
        assert_eq!(names(world.look()), ["a"]);
        mode(&path, good);
        world.ahead += SECOND * 21;
        world.until("trusted again", |desired| desired.refusals.is_empty());
    }
}
