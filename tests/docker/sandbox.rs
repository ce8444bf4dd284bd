//! The images that sandboxes are made from.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::agent::{Agent, FOREVER, SOON, eventually, pod, sleeper};
use crate::support::engine;

fn shell(script: &str, dir: &std::path::Path) {
    let done = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .status();
    assert!(done.unwrap().success(), "{script}");
}

#[test]
#[ignore = "needs dockerd"]
fn the_image_of_an_old_version_is_removed_by_the_next() {
    let mut agent = Agent::new("old_pause");
    let name = format!("staticlet/pause:t{}", std::process::id());
    let dir = agent.base.join("image");
    fs::create_dir(&dir).unwrap();
    shell(
        &format!(
            "echo x >f; tar -c f | docker import - {name}; docker save {name} | tar -x; docker rmi {name}; rm f"
        ),
        &dir,
    );
    let read = |file: &str| -> Value {
        serde_json::from_slice(&fs::read(dir.join(file)).unwrap()).unwrap()
    };
    let config = read("manifest.json")[0]["Config"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut old = read(&config);
    old["created"] = "2020-01-01T00:00:00Z".into();
    fs::write(dir.join(&config), old.to_string()).unwrap();
    shell("tar -c * | docker load", &dir);
    assert_eq!(
        engine::call("GET", &format!("/images/{name}/json"), None).0,
        200
    );
    // Another program, as after an upgrade: its image has to be brought in.
    let current = fs::copy(crate::support::agent::BIN, agent.base.join("staticlet")).unwrap();
    assert!(current > 0);
    let mut upgraded = fs::OpenOptions::new()
        .append(true)
        .open(agent.base.join("staticlet"))
        .unwrap();
    std::io::Write::write_all(&mut upgraded, std::process::id().to_string().as_bytes()).unwrap();
    drop(upgraded);
    agent.program = agent.base.join("staticlet");
    agent.start();
    agent.put("a.yaml", &sleeper("a"));
    agent.wait_running("a", "c");
    eventually(&agent, "the old image is removed", SOON, || {
        engine::call("GET", &format!("/images/{name}/json"), None).0 == 404
    });
    let sandbox = agent
        .all("a")
        .into_iter()
        .find(|c| c["Labels"]["io.kubernetes.docker.type"] == "podsandbox");
    let image = sandbox.unwrap()["Image"].as_str().unwrap().to_owned();
    fs::remove_file(agent.manifest("a.yaml")).unwrap();
    eventually(&agent, "the pod is gone", SOON, || {
        agent.all("a").is_empty()
    });
    engine::call("DELETE", &format!("/images/{image}"), None);
}

#[test]
#[ignore = "needs dockerd"]
fn a_resolver_file_that_was_not_written_in_time_is_before_the_first_container() {
    let agent = Agent::started("half_made");
    let image = format!("late{}:1", std::process::id());
    let spec = "  dnsPolicy: None\n  dnsConfig: {nameservers: [192.0.2.53]}\n";
    let text = pod("h", FOREVER, spec).replace("busybox:1", &image);
    agent.put("h.yaml", &text);
    let sandbox = agent.wait_running("h", "POD");
    agent.wait_status("ErrImageNeverPull");
    // As the sandbox is left by a job that dies between its start and the file.
    let path = engine::inspect(&sandbox)["ResolvConfPath"].clone();
    fs::write(path.as_str().unwrap(), "nameserver 192.0.2.99\n").unwrap();
    shell(&format!("docker tag busybox:1 {image}"), &agent.base);
    let id = agent.wait_running("h", "c");
    shell(&format!("docker rmi {image}"), &agent.base);
    let resolver = engine::exec(&id, &["cat", "/etc/resolv.conf"]);
    assert_eq!(resolver, "nameserver 192.0.2.53\n");
}
