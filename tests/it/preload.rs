//! The directory of image archives: what is loaded when, what waits for it, and what is tried again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use staticlet::sources::{Preload, PreloadRequest, PreloadSettings};
use staticlet::state::{
    ArchiveSaid, ArchiveState, DockerFacts, FailReason, Failure, Held, JobEnd, LoadedImage, Pull,
    PullWait,
};
use staticlet::sys::{self, Mono, Now, Wall};

use crate::support::world::{at, healthy, key, name};

/// A directory of its own, at a time that only the test moves.
struct World {
    dir: PathBuf,
    preload: Preload,
    ahead: Duration,
}

impl World {
    /// An existing directory with these archives, written long ago.
    fn new(archives: &[&str]) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = format!("preload-{}-{count}", std::process::id());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(dir);
        fs::create_dir_all(&dir).unwrap();
        for archive in archives {
            fs::write(dir.join(archive), "x").unwrap();
        }
        let preload = Preload::new(PreloadSettings {
            dir: dir.clone(),
            root_dir: "/root".into(),
            docker_socket: "/sock".into(),
            file_check: Duration::from_secs(20),
            allow_untrusted: true,
        });
        let mut world = World {
            dir,
            preload,
            ahead: Duration::from_secs(100),
        };
        world.look();
        world
    }

    fn now(&self) -> Now {
        let now = sys::now();
        let ahead = i64::try_from(self.ahead.as_micros()).unwrap();
        Now {
            wall: Wall(now.wall.0 + ahead),
            mono: now.mono.after(self.ahead),
        }
    }

    fn look(&mut self) {
        let now = self.now();
        self.preload.look(now);
    }

    fn after(&mut self, seconds: u64) {
        self.ahead += Duration::from_secs(seconds);
        self.look();
    }

    /// The name of the archive that a job gets now, and whether it is tried once more.
    fn work(&mut self) -> Option<(String, bool)> {
        let now = self.now().mono;
        let request: PreloadRequest = self.preload.work(&DockerFacts::default(), now)?;
        assert_eq!(request.path.parent(), Some(self.dir.as_path()));
        let name = request.path.file_name().unwrap().to_string_lossy();
        assert!(request.names.contains(&name.clone().into_owned()));
        Some((name.into_owned(), request.again))
    }

    fn says(&mut self, said: &ArchiveSaid) {
        let now = self.now().mono;
        self.preload.said(said, now);
    }

    /// The job loads it and ends.
    fn loaded(&mut self, image: &str) {
        let image = LoadedImage {
            name: image.into(),
            id: "sha256:1".into(),
        };
        self.says(&ArchiveSaid::Image(image));
        self.says(&ArchiveSaid::Loaded { bytes: 1 });
        self.ended(&JobEnd::Done);
    }

    fn refused(&mut self, lasting: bool) {
        let why = "no".to_owned();
        self.says(&ArchiveSaid::Refused { why, lasting });
        self.ended(&JobEnd::Done);
    }

    fn ended(&mut self, end: &JobEnd) {
        let now = self.now().mono;
        self.preload.ended(end, now);
        self.look();
    }

    fn held(&self) -> Held {
        self.preload.held(self.now().mono)
    }

    fn states(&self) -> Vec<ArchiveState> {
        let statuses = self.preload.statuses();
        statuses.iter().map(|status| status.state).collect()
    }

    /// Everything told so far, without the directory.
    fn messages(&mut self) -> Vec<String> {
        let messages = self.preload.messages();
        let text = |message: &staticlet::sources::Message| {
            let name = Path::new(&message.file).file_name().unwrap();
            format!("{}: {}: {}", message.event, name.display(), message.why)
        };
        messages.iter().map(text).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn some(name: &str) -> Option<(String, bool)> {
    Some((name.to_owned(), false))
}

#[test]
fn archives_that_were_there_first_hold_every_start_until_each_was_tried() {
    let mut world = World::new(&["b.tar.gz", "a.tar", "notes.txt", ".hidden.tar"]);
    assert_eq!(world.held(), Held::Starts);
    assert_eq!(world.work(), some("a.tar"));
    assert_eq!(world.work(), None, "one after the other");
    world.refused(true);
    assert_eq!(world.held(), Held::Starts, "the other one is still to come");
    assert_eq!(world.work(), some("b.tar.gz"));
    world.loaded("web:1");
    assert_eq!(world.held(), Held::Nothing, "a bad one holds up nothing");
    assert_eq!(world.states(), [ArchiveState::Failed, ArchiveState::Loaded]);
    assert_eq!(world.work(), None);
    let said = world.messages();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("not an image archive: notes.txt: only names that end in .tar,"));
}

#[test]
fn an_archive_that_dockerd_never_finishes_holds_pods_for_a_while_only() {
    let mut world = World::new(&["a.tar"]);
    assert_eq!(world.work(), some("a.tar"));
    world.after(14 * 60);
    assert_eq!(world.held(), Held::Starts);
    world.after(60);
    assert_eq!(
        world.held(),
        Held::Pulls,
        "it may still bring what is to be pulled"
    );
    world.ended(&JobEnd::Deadline);
    assert_eq!(world.held(), Held::Nothing);
    assert_eq!(world.states(), [ArchiveState::Failed]);
}

#[test]
fn a_file_that_is_being_written_is_left_alone_until_it_is_quiet() {
    let mut world = World::new(&[]);
    assert_eq!(world.held(), Held::Nothing);
    let path = world.dir.join("a.tar");
    fs::write(&path, "x").unwrap();
    // As if the machine's clock said so: the file is written now.
    world.ahead = Duration::ZERO;
    let begin = Instant::now();
    while world.preload.statuses().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "inotify rings");
        world.look();
    }
    assert_eq!(
        world.held(),
        Held::Pulls,
        "a pull can wait for it, a start need not"
    );
    for _ in 0..3 {
        assert_eq!(world.work(), None);
        let mut text = fs::read(&path).unwrap();
        text.push(b'x');
        fs::write(&path, text).unwrap();
        world.preload.rescan();
        world.after(1);
    }
    assert_eq!(world.work(), None, "it changed just now");
    world.after(3);
    assert_eq!(world.work(), some("a.tar"));
}

#[test]
fn an_archive_that_is_still_being_written_at_the_start_is_waited_for_a_while() {
    let mut world = World::new(&[]);
    let path = world.dir.join("a.tar");
    fs::write(&path, "x").unwrap();
    world.ahead = Duration::ZERO;
    world.preload = Preload::new(PreloadSettings {
        dir: world.dir.clone(),
        root_dir: "/root".into(),
        docker_socket: "/sock".into(),
        file_check: Duration::from_secs(20),
        allow_untrusted: true,
    });
    world.look();
    for _ in 0..32 {
        let mut text = fs::read(&path).unwrap();
        text.push(b'x');
        fs::write(&path, text).unwrap();
        world.preload.rescan();
        assert_eq!(world.work(), None);
        assert!(world.held() != Held::Nothing);
        world.after(1);
    }
    assert_eq!(world.held(), Held::Pulls);
    let said = world.messages();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("still being written, pods start without it: a.tar"));
}

#[test]
fn what_changes_is_loaded_anew_also_under_a_job_and_what_goes_is_forgotten() {
    let mut world = World::new(&["a.tar"]);
    assert_eq!(world.work(), some("a.tar"));
    fs::write(world.dir.join("a.tar"), "longer").unwrap();
    world.preload.rescan();
    world.look();
    world.loaded("web:1");
    world.after(3);
    assert_eq!(
        world.work(),
        some("a.tar"),
        "what was loaded is the old one"
    );
    world.loaded("web:2");
    assert_eq!(world.work(), None);
    fs::remove_file(world.dir.join("a.tar")).unwrap();
    world.preload.rescan();
    world.look();
    assert!(world.states().is_empty());
}

#[test]
fn what_failed_is_tried_again_and_what_is_no_archive_only_once_an_hour() {
    let mut world = World::new(&["a.tar"]);
    assert_eq!(world.work(), some("a.tar"));
    world.refused(false);
    for wait in [30, 60, 120] {
        world.after(wait - 1);
        assert_eq!(world.work(), None, "{wait}");
        let now = world.now().mono;
        assert!(
            world.preload.due(false) > now,
            "dockerd is away: nothing is due"
        );
        world.after(2);
        assert!(world.preload.due(true) <= world.now().mono);
        assert_eq!(world.work(), Some(("a.tar".into(), true)), "{wait}");
        assert_eq!(world.held(), Held::Nothing, "nothing waits for it");
        world.refused(wait == 120);
    }
    world.after(3598);
    assert_eq!(world.work(), None);
    world.after(3);
    assert_eq!(world.work(), Some(("a.tar".into(), true)));
    world.ended(&JobEnd::Died("signal 9".into()));
    let statuses = world.preload.statuses();
    let why = statuses[0].why.as_deref().unwrap();
    assert!(why.contains("signal 9"), "{why}");
}

#[test]
fn dockerd_is_asked_again_when_an_image_is_missing_or_it_was_away() {
    let mut world = World::new(&["a.tar", "b.tar"]);
    for (archive, image) in [("a.tar", "web:1"), ("b.tar", "r.io/db:2")] {
        assert_eq!(world.work(), some(archive));
        world.loaded(image);
    }
    world.preload.missing("other:1");
    assert_eq!(world.work(), None);
    world.preload.missing("docker.io/library/web:1");
    assert_eq!(world.held(), Held::Pulls);
    assert_eq!(world.work(), some("a.tar"));
    world.says(&ArchiveSaid::There);
    world.ended(&JobEnd::Done);
    assert_eq!((world.work(), world.held()), (None, Held::Nothing));
    world.preload.doubt_all();
    assert_eq!(world.work(), some("a.tar"));
    world.says(&ArchiveSaid::There);
    world.ended(&JobEnd::Done);
    assert_eq!(world.work(), some("b.tar"));
}

#[test]
fn a_directory_that_is_not_there_holds_up_nothing_and_is_told_once() {
    let mut world = World::new(&[]);
    fs::remove_dir(&world.dir).unwrap();
    world.preload.rescan();
    world.look();
    world.after(21);
    assert_eq!(world.held(), Held::Nothing);
    let statuses = world.preload.statuses();
    assert!(statuses[0].why.as_deref().unwrap().contains("No such file"));
    fs::create_dir(&world.dir).unwrap();
    fs::write(world.dir.join("a.tar"), "x").unwrap();
    world.after(21);
    let said = world.messages();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("image directory not used"));
    assert!(said[1].starts_with("image directory recovered"));
    assert_eq!(world.work(), some("a.tar"));
}

#[test]
fn what_others_may_write_is_not_loaded() {
    let mut world = World::new(&["a.tar", "b.tar"]);
    let mode =
        |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&world.dir.join("a.tar"), 0o666);
    let settings = |dir: &Path| PreloadSettings {
        dir: dir.to_owned(),
        root_dir: "/root".into(),
        docker_socket: "/sock".into(),
        file_check: Duration::from_secs(20),
        allow_untrusted: false,
    };
    world.preload = Preload::new(settings(&world.dir));
    world.after(10);
    assert_eq!(
        world.work(),
        None,
        "the other one has its turn at the next turn"
    );
    world.look();
    assert_eq!(world.work(), some("b.tar"));
    world.loaded("web:1");
    assert_eq!(world.held(), Held::Nothing);
    let said = world.messages();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("image archive refused: a.tar: anybody may write to"),
        "{said:?}"
    );
    mode(&world.dir.join("a.tar"), 0o644);
    world.preload.rescan();
    world.after(10);
    world.after(10);
    assert_eq!(world.work(), some("a.tar"));
    mode(&world.dir, 0o777);
    world.preload = Preload::new(settings(&world.dir));
    world.look();
    assert_eq!((world.work(), world.held()), (None, Held::Nothing));
    let said = world.messages();
    assert!(said[0].contains("image directory not used"), "{said:?}");
}

#[test]
fn images_that_came_end_the_wait_for_them() {
    let mut world = healthy();
    let containers = &mut world.memory.pods.get_mut(&key()).unwrap().containers;
    let waits = containers.entry(name("app")).or_default();
    let failure = |reason| {
        Some(Failure {
            reason,
            message: "no".into(),
            times: 3,
            retry: at(500).mono,
        })
    };
    waits.failure = failure(FailReason::ErrImagePull);
    waits.pull = Pull::Missing;
    waits.pull_wait = Some(PullWait {
        wait_ms: 300_000,
        failed: Mono(1),
    });
    let other = containers.entry(name("side")).or_default();
    other.failure = failure(FailReason::CreateContainerError);
    world.memory.images_came();
    let containers = &world.memory.pods[&key()].containers;
    let of = &containers[&name("app")];
    assert_eq!(
        (&of.failure, &of.pull, of.pull_wait),
        (&None, &Pull::Unknown, None)
    );
    assert!(
        containers[&name("side")].failure.is_some(),
        "that is not about an image"
    );
}
