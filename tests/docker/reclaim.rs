//! Images that pods no longer need go when the disk is too full, and nobody else's do.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod};
use crate::support::engine;

/// An agent, and images that are made on the spot: each with a file of its own.
struct World {
    agent: Agent,
    names: Vec<String>,
}

impl World {
    fn new(test: &str) -> World {
        World {
            agent: Agent::new(test),
            names: Vec::new(),
        }
    }

    /// Makes an image; gives its name.
    fn image(&mut self, name: &str) -> String {
        let image = format!("{}-{name}:1", self.agent.node);
        let dir = self.agent.base.join(name);
        let script = r#"set -e; mkdir -p "$1/bin"; cp "$(command -v busybox)" "$1/bin/sh"; echo "$2" >"$1/name"
            tar -C "$1" -c . | docker import -c 'ENV PATH=/bin' - "$2""#;
        let made = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(dir)
            .arg(&image)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        self.names.push(image.clone());
        image
    }

    /// Has a pod run on it.
    fn run(&self, name: &str, image: &str) {
        let text = pod(name, FOREVER, "").replace("busybox:1", image);
        self.agent.put(&format!("{name}.yaml"), &text);
        self.agent.wait_running(name, "c");
    }

    fn gone(&self, name: &str) {
        self.agent.remove(&format!("{name}.yaml"));
        self.agent.wait_gone(name);
    }

    /// Lets the agent look at images now instead of every five minutes.
    fn ring(&self) {
        let pid = self.agent.pid().to_string();
        assert!(
            Command::new("kill")
                .args(["-HUP", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Rings until it is remembered that the image is of no use.
    fn wait_idle(&self, image: &str) {
        let id = id(image);
        eventually(&self.agent, &format!("{image} is of no use"), SOON, || {
            self.ring();
            let text = fs::read(self.agent.base.join("root/images.json")).unwrap_or_default();
            let ledger: Value = serde_json::from_slice(&text).unwrap_or_default();
            ledger["images"][&id]["busy"] == false
        });
    }

    fn limits(&mut self, high: u32) {
        self.agent.args = vec![
            format!("--image-gc-high-threshold={high}"),
            "--image-gc-low-threshold=0".into(),
            "--minimum-image-ttl-duration=1s".into(),
        ];
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It would make anew what is removed.
        self.agent.end("KILL");
        let label = format!("staticlet.root-dir={}/root", self.agent.base.display());
        for container in engine::list(&[label]) {
            engine::remove(container["Id"].as_str().unwrap_or_default());
        }
        for name in &self.names {
            engine::call("DELETE", &format!("/images/{name}"), None);
        }
    }
}

/// Waits until the log says this so often.
fn wait_log(world: &World, words: &str, count: usize) {
    let what = format!("the log says {words:?} {count} times");
    eventually(&world.agent, &what, SOON, || {
        world.agent.log().matches(words).count() >= count
    });
}

/// Empty when there is no such image.
fn id(image: &str) -> String {
    let (_, found) = engine::call("GET", &format!("/images/{image}/json"), None);
    found["Id"].as_str().unwrap_or_default().to_owned()
}

#[test]
#[ignore = "needs dockerd"]
fn a_full_disk_loses_the_images_of_past_pods_and_no_others() {
    let mut world = World::new("reclaim");
    let [first, second, wanted, held, named, others] =
        ["first", "second", "wanted", "held", "named", "others"].map(|name| world.image(name));
    // No disk is that full: what is of use is only remembered.
    world.limits(100);
    world.agent.args[0] = "--image-gc-high-threshold=99".into();
    world.agent.start();
    for (name, image) in [
        ("first", &first),
        ("second", &second),
        ("wanted", &wanted),
        ("held", &held),
        ("named", &named),
    ] {
        world.run(name, image);
    }
    // Somebody else has a container of this one, which does not even run.
    let body = serde_json::json!({"Image": held, "Cmd": ["/bin/sh"]});
    let (status, made) = engine::call("POST", "/containers/create", Some(&body));
    assert_eq!(status, 201, "{made}");
    let strange = made["Id"].as_str().unwrap().to_owned();
    // And has given this one another name.
    let kept = format!("{}-mine", world.agent.node);
    let path = format!("/images/{named}/tag?repo={kept}&tag=1");
    assert_eq!(engine::call("POST", &path, None).0, 201);
    world.names.push(format!("{kept}:1"));
    for name in ["first", "held", "named"] {
        world.gone(name);
    }
    world.wait_idle(&first);
    world.gone("second");
    world.wait_idle(&second);
    assert!(
        !world.agent.log().contains("image removed"),
        "{}",
        world.agent.log()
    );

    // The next agent knows since when.
    world.agent.end("KILL");
    world.limits(1);
    world.agent.start();
    // Before that SIGHUP would end it.
    wait_log(&world, "agent started", 2);
    eventually(&world.agent, "images of the past are gone", SOON, || {
        world.ring();
        id(&first).is_empty() && id(&second).is_empty()
    });
    wait_log(&world, "image removed", 2);
    world
        .agent
        .wait_status("no image is left that staticlet may remove");
    for image in [&wanted, &held, &named, &others] {
        assert!(!id(image).is_empty(), "{image}\n{}", world.agent.log());
    }
    let log = world.agent.log();
    let removed: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("image removed"))
        .collect();
    assert_eq!(removed.len(), 2, "{removed:?}");
    assert!(
        removed[0].contains(&first) && removed[1].contains(&second),
        "{removed:?}"
    );
    assert!(removed[0].contains("% of the disk of "), "{removed:?}");

    // When the other container is gone, so is the image's use.
    engine::remove(&strange);
    eventually(&world.agent, "the image is gone", SOON, || {
        world.ring();
        id(&held).is_empty()
    });
    assert_eq!(world.agent.running("wanted", "c").len(), 1);
    assert!(!id(&wanted).is_empty());
}
