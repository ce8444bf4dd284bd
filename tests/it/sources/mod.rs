//! Manifests are followed as people edit them: real directories, real tools, real inotify.

// A test has no loop to wait in.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod changed;
mod kept;
mod names;
mod paths;
mod trust;
mod writers;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use staticlet::pod::{PodKey, PodUid};
use staticlet::sources::{Level, Message, SourceSettings, Sources};
use staticlet::state::{Desired, Source};
use staticlet::sys::{self, Mono, Now, Wall};

const SECOND: Duration = Duration::from_secs(1);

/// Nothing here takes longer on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A manifest directory of its own, and the sources that read it.
struct World {
    root: PathBuf,
    dir: PathBuf,
    sources: Sources,
    running: Vec<(PodKey, PodUid)>,
    /// Every `Desired` of this world, in order.
    seen: Vec<Desired>,
    messages: Vec<Message>,
    /// Added to both clocks.
    ahead: Duration,
    /// Both clocks go this many times slower from now on, so that a loaded machine looks like an idle one.
    slower: Option<(Now, u32)>,
}

impl World {
    /// An existing, empty directory.
    fn new() -> World {
        World::at("m", |dir| fs::create_dir(dir).unwrap())
    }

    fn at(name: &str, prepare: impl Fn(&Path)) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name_of = format!(
            "sources-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name_of);
        fs::create_dir_all(&root).unwrap();
        let dir = root.join(name);
        prepare(&dir);
        World {
            sources: sources(&root, &dir),
            root,
            dir,
            running: Vec::new(),
            seen: Vec::new(),
            messages: Vec::new(),
            ahead: Duration::ZERO,
            slower: None,
        }
    }

    /// The agent dies and another one starts.
    fn restart(&mut self) {
        self.sources = sources(&self.root, &self.dir);
        self.begin();
        self.seen.clear();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Puts a manifest in place as one should: by rename.
    fn place(&self, name: &str, text: &str) {
        let hidden = self.root.join(".placing");
        fs::write(&hidden, text).unwrap();
        fs::rename(hidden, self.file(name)).unwrap();
    }

    fn now(&self) -> Now {
        let real = sys::now();
        let (start, times) = self.slower.unwrap_or((real, 1));
        let passed = self.ahead + real.mono.since(start.mono) / times;
        Now {
            wall: Wall(start.wall.0 + i64::try_from(passed.as_micros()).unwrap()),
            mono: start.mono.after(passed),
        }
    }

    /// One look, as the agent does it after its poll returned.
    fn look(&mut self) -> &Desired {
        let now = self.now();
        self.sources.ring(now);
        let running = self.running.clone();
        let uid = |key: &PodKey| {
            running
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, uid)| uid.clone())
        };
        self.seen.push(self.sources.look(now, &uid));
        self.messages.extend(self.sources.messages());
        if let Some(request) = self.sources.keep(now) {
            let done = request.carry_out();
            self.sources.kept(done.is_ok(), now);
        }
        self.seen.last().unwrap()
    }

    /// One look this much later, without waiting for it.
    fn look_after(&mut self, wait: Duration) -> &Desired {
        self.ahead += wait;
        self.look()
    }

    /// Looks whenever a look is due, as the agent does, until this is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Desired) -> bool) -> &Desired {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.now();
            self.sources.ring(now);
            if self.seen.is_empty() || self.sources.due() <= now.mono {
                self.look();
            }
            if self.seen.last().is_some_and(&is_so) {
                return self.seen.last().unwrap();
            }
            assert!(
                Instant::now() < end,
                "never: {what}; last {:#?}, {:#?}",
                summary(self.seen.last().unwrap()),
                self.messages
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Forgets what was before: now comes what is tested.
    fn begin(&mut self) {
        let last = self.seen.pop();
        self.seen = last.into_iter().collect();
    }

    /// Waits until exactly these pods are wanted.
    fn until_pods(&mut self, pods: &[&str]) {
        self.until(&format!("pods {pods:?}"), |desired| names(desired) == pods);
    }

    /// Waits until the image of this pod is this.
    fn until_image(&mut self, pod: &str, wanted: &str) {
        self.until(&format!("{pod} has {wanted}"), |desired| {
            image(desired, pod).as_deref() == Some(wanted)
        });
    }

    /// How many messages of this event tell of this file.
    fn told(&self, event: &str, file: &str) -> usize {
        let path = self.file(file).display().to_string();
        self.messages
            .iter()
            .filter(|message| message.event == event && message.file == path)
            .count()
    }

    /// Runs a command in the manifest directory; an absent tool is a failure.
    fn run(&self, command: &str) {
        let ended = Command::new("sh")
            .args(["-ec", command])
            .current_dir(&self.dir)
            .status()
            .unwrap();
        assert!(ended.success(), "{command}: {ended}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn sources(root: &Path, path: &Path) -> Sources {
    Sources::new(SourceSettings {
        path: Some(path.to_owned()),
        ..plain(root)
    })
}

/// Settings without a source.
fn plain(root: &Path) -> SourceSettings {
    SourceSettings {
        path: None,
        node_name: "n1".to_owned(),
        file_check: Duration::from_secs(20),
        allow_unknown_fields: false,
        // The directories of a build may be anybody's; trust has a test of its own.
        allow_untrusted: true,
        url: None,
        kept: Some(root.join("kept")),
    }
}

fn pod(name: &str, image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\nspec:\n  containers:\n  - name: app\n    image: {image}\n"
    )
}

/// The names of all wanted pods, without the node's.
fn names(desired: &Desired) -> Vec<&str> {
    let pods = desired.pods.keys();
    pods.map(|key| key.name.trim_end_matches("-n1")).collect()
}

fn image(desired: &Desired, pod: &str) -> Option<String> {
    let wanted = desired
        .pods
        .values()
        .find(|wanted| wanted.pod.key.name == format!("{pod}-n1"))?;
    wanted
        .pod
        .pod
        .spec
        .as_ref()?
        .containers
        .first()?
        .image
        .clone()
}

fn containers(desired: &Desired) -> usize {
    let specs = desired
        .pods
        .values()
        .filter_map(|wanted| wanted.pod.pod.spec.as_ref());
    specs.map(|spec| spec.containers.len()).sum()
}

fn source_of(desired: &Desired, pod: &str) -> Option<String> {
    let wanted = desired
        .pods
        .values()
        .find(|wanted| wanted.pod.key.name == format!("{pod}-n1"))?;
    match &wanted.source {
        Source::File(path) => Path::new(path)
            .file_name()
            .map(|name| name.display().to_string()),
        Source::Url(url) => Some(url.clone()),
    }
}

/// Every refusal: the file's name, its problems, the pod that it keeps.
fn refusals(desired: &Desired) -> Vec<(String, String, Option<String>)> {
    let each = desired.refusals.iter().map(|refusal| {
        let (Source::File(name) | Source::Url(name)) = &refusal.source;
        let problems: Vec<_> = refusal.problems.iter().map(ToString::to_string).collect();
        let name = Path::new(name).file_name().unwrap_or_default();
        let keeps = refusal
            .keeps
            .as_ref()
            .map(|key| key.name.trim_end_matches("-n1").to_owned());
        (name.display().to_string(), problems.join("; "), keeps)
    });
    each.collect()
}

fn summary(desired: &Desired) -> String {
    format!(
        "pods {:?}, refused {:?}, complete {}",
        names(desired),
        refusals(desired),
        desired.complete
    )
}
