//! Images from a directory of archives, on a machine without a registry.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::agent::{Agent, SOON, eventually, pod, sleeper};
use crate::support::engine;

/// An agent with a directory of archives, and the images that only they have.
struct World {
    agent: Agent,
    images: Vec<String>,
}

impl World {
    fn new(test: &str) -> World {
        let mut agent = Agent::new(test);
        let dir = agent.base.join("images");
        fs::create_dir(&dir).unwrap();
        agent
            .args
            .push(format!("--image-preload-dir={}", dir.display()));
        World {
            agent,
            images: Vec::new(),
        }
    }

    fn archive(&self, name: &str) -> PathBuf {
        self.agent.base.join("images").join(name)
    }

    /// The name of an image of this test alone.
    fn image(&mut self, name: &str) -> String {
        let image = format!("{}-{name}:1", self.agent.node);
        self.images.push(image.clone());
        image
    }

    /// An archive of busybox under another name, in a place of its own; the name is gone from dockerd.
    fn saved(&mut self, image: &str) -> PathBuf {
        let (repo, tag) = image.split_once(':').unwrap();
        let path = format!("/images/busybox:1/tag?repo={repo}&tag={tag}");
        assert_eq!(engine::call("POST", &path, None).0, 201);
        let file = self.agent.base.join(format!("{repo}.tar"));
        docker(&["save", "-o", file.to_str().unwrap(), image]);
        forget(image);
        file
    }

    fn pod(&self, name: &str, image: &str, policy: &str) {
        let text = sleeper(name)
            .replace("busybox:1", image)
            .replace("Never", policy);
        self.agent.put(&format!("{name}.yaml"), &text);
    }

    fn wait_log(&self, words: &str, count: usize) {
        eventually(
            &self.agent,
            &format!("the log says {words:?} {count} times"),
            SOON,
            || self.agent.log().matches(words).count() >= count,
        );
    }

    fn loads(&self) -> usize {
        self.agent.log().matches("image archive loaded").count()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It would make anew what is removed.
        self.agent.end("KILL");
        for container in engine::list(&[format!(
            "staticlet.root-dir={}/root",
            self.agent.base.display()
        )]) {
            engine::remove(container["Id"].as_str().unwrap_or_default());
        }
        self.images.iter().for_each(|image| forget(image));
    }
}

fn forget(image: &str) {
    engine::call("DELETE", &format!("/images/{image}?noprune=1"), None);
}

fn is_there(image: &str) -> bool {
    engine::call("GET", &format!("/images/{image}/json"), None).0 == 200
}

fn docker(args: &[&str]) {
    let out = Command::new("docker").args(args).output().unwrap();
    assert!(out.status.success(), "docker {args:?}: {out:?}");
}

#[test]
#[ignore = "needs dockerd"]
fn archives_are_loaded_before_the_first_pod_and_bad_ones_hold_up_nobody() {
    let mut world = World::new("preload");
    let (a, b) = (world.image("a"), world.image("b"));
    let saved = world.saved(&a);
    let whole = fs::read(&saved).unwrap();
    fs::rename(saved, world.archive("a.tar")).unwrap();
    let saved = world.saved(&b);
    let packed = Command::new("gzip").arg("-c").arg(saved).output().unwrap();
    fs::write(world.archive("b.tar.gz"), &packed.stdout).unwrap();
    // Half copied, packed and not; nothing of the sort; nothing that can be read.
    fs::write(world.archive("0-cut.tar"), &whole[..whole.len() / 2]).unwrap();
    let half = &packed.stdout[..packed.stdout.len() / 2];
    fs::write(world.archive("0-cut.tar.gz"), half).unwrap();
    fs::write(world.archive("0-garbage.tar"), vec![7; 1 << 20]).unwrap();
    fs::create_dir(world.archive("0-dir.tar")).unwrap();
    world.pod("a", &a, "Never");
    world.pod("b", &b, "IfNotPresent");
    world.pod("c", "busybox:1", "Never");
    world.agent.start();
    for pod in ["a", "b", "c"] {
        world.agent.wait_running(pod, "c");
    }
    let log = world.agent.log();
    assert!(
        !log.contains("step failed") && !log.contains("pull started"),
        "{log}"
    );
    assert!(
        log.contains(&format!("image={a}")) && log.contains(&format!("image={b}")),
        "{log}"
    );
    for (name, words) in [
        ("0-cut.tar", "is it still being copied?"),
        ("0-cut.tar.gz", "unexpected EOF; it is cut short"),
        ("0-garbage.tar", "it is no tar file"),
        ("0-dir.tar", "not a regular file"),
    ] {
        let status = world.agent.status();
        let told = format!("images/{name}: not loaded: ");
        let mut lines = status.lines().filter(|line| line.contains(&told));
        assert!(
            lines.next().is_some_and(|line| line.contains(words)),
            "{name}\n{status}"
        );
        assert!(lines.next().is_none(), "{status}");
        let told = log.matches(&format!("images/{name} ")).count();
        assert_eq!(told, 1, "{name}: one line\n{log}");
    }

    // Another agent loads nothing again, and what is gone meanwhile once more. What was refused holds up nobody.
    assert_eq!(world.loads(), 2);
    let ids = world.agent.running("a", "c");
    world.agent.end("KILL");
    forget(&b);
    world.agent.start();
    world.wait_log("pods wait no longer for image archives", 2);
    eventually(&world.agent, "the image is back", SOON, || is_there(&b));
    assert_eq!(world.loads(), 3);
    assert_eq!(world.agent.running("a", "c"), ids);

    // The rest of a copy arrives.
    fs::write(world.archive("0-cut.tar"), &whole).unwrap();
    world.wait_log("image archive loaded", 4);
}

#[test]
#[ignore = "needs dockerd"]
fn an_archive_that_comes_later_ends_the_wait_for_its_image() {
    let mut world = World::new("preload_later");
    // A registry that nobody runs: a pull of it fails at once.
    let image = format!("127.0.0.1:1/{}", world.image("late"));
    world.images.push(image.clone());
    let busybox = engine::call("GET", "/images/busybox:1/json", None).1;
    let (repo, tag) = image.rsplit_once(':').unwrap();
    let path = format!(
        "/images/{}/tag?repo={repo}&tag={tag}",
        busybox["Id"].as_str().unwrap()
    );
    assert_eq!(engine::call("POST", &path, None).0, 201);
    let saved = world.agent.base.join("late.tar");
    docker(&["save", "-o", saved.to_str().unwrap(), &image]);
    forget(&image);
    world.pod("late", &image, "IfNotPresent");
    world.agent.start();
    world.agent.wait_status("ErrImagePull");
    fs::rename(saved, world.archive("late.tar")).unwrap();
    world.agent.wait_running("late", "c");
    // Removed behind the agent's back, it is loaded once more when it is wanted.
    fs::remove_file(world.agent.manifest("late.yaml")).unwrap();
    world.agent.wait_gone("late");
    forget(&image);
    let pulls = world.agent.log().matches("pull started").count();
    world.pod("again", &image, "IfNotPresent");
    world.agent.wait_running("again", "c");
    assert_eq!(
        world.agent.log().matches("pull started").count(),
        pulls,
        "nothing is pulled"
    );
}

#[test]
#[ignore = "needs dockerd"]
fn a_new_version_under_an_old_name_is_what_the_first_pod_runs() {
    let mut world = World::new("preload_newer");
    let image = world.image("web");
    let script = |version: u32| {
        format!(
            "set -e; mkdir -p \"$1/bin\"; cp \"$(command -v busybox)\" \"$1/bin/sh\"; echo {version} >\"$1/version\"; \
             tar -C \"$1\" -c . | docker import -c 'CMD [\"sh\"]' - {image}"
        )
    };
    let make = |version: u32| {
        let dir = world.agent.base.join(format!("v{version}"));
        let made = Command::new("sh")
            .args(["-c", &script(version), "sh"])
            .arg(dir)
            .output();
        let id = String::from_utf8(made.unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned();
        assert!(id.starts_with("sha256:"), "{id}");
        id
    };
    let new = make(2);
    let archive = world.archive("web.tar");
    docker(&["save", "-o", archive.to_str().unwrap(), &image]);
    let old = make(1);
    let text = pod(
        "web",
        "trap 'exit 0' TERM; while :; do read x </version; done",
        "",
    );
    let text = text.replace("busybox:1", &image);
    world.agent.put("web.yaml", &text);
    world.agent.start();
    let id = world.agent.wait_running("web", "c");
    assert_eq!(engine::inspect(&id)["Image"], new.as_str());
    world.images.extend([old, new]);
}
