//! Answers recorded from real dockerds are read right.

use staticlet::docker::wire;

/// An answer of Docker 20.10.24, whole and unchanged but for the machine's name.
macro_rules! recorded {
    ($name:literal) => {
        serde_json::from_str(include_str!(concat!("../wire/", $name, "-20.10.24.json"))).unwrap()
    };
}

#[test]
fn recorded_list_is_read() {
    let list: Vec<wire::Summary> = recorded!("list");
    let seen: Vec<_> = list
        .iter()
        .map(|c| (c.names[0].as_str(), c.state.as_str(), c.labels.len()))
        .collect();
    let wanted = [
        ("/wt-docker-new", "created", 1),
        ("/wt-docker-web", "exited", 2),
        ("/wt-docker-pause", "running", 5),
    ];
    assert_eq!(seen, wanted);
    let networks = &list[2].network_settings.networks;
    assert_eq!(networks["bridge"].ip_address, "172.17.0.2");
    assert_eq!(list[2].host_config.network_mode, "default");
    assert!(list[0].image_id.starts_with("sha256:"));
}

#[test]
fn recorded_containers_are_read() {
    let created: wire::Inspect = recorded!("inspect-created");
    let running: wire::Inspect = recorded!("inspect-running");
    let exited: wire::Inspect = recorded!("inspect-exited");
    assert_eq!(created.state.status, "created");
    assert_eq!(created.state.started_at, "0001-01-01T00:00:00Z");
    assert!(running.state.running && running.state.pid > 0);
    assert_eq!(
        running.network_settings.networks["bridge"].ip_address,
        "172.17.0.2"
    );
    assert!(running.resolv_conf_path.ends_with("/resolv.conf"));
    assert_eq!(
        (exited.state.status.as_str(), exited.state.exit_code),
        ("exited", 3)
    );
    assert_eq!(
        exited.host_config.network_mode,
        format!("container:{}", running.id)
    );
    assert_eq!(
        exited.config.labels["io.kubernetes.docker.type"],
        "container"
    );
    assert!(exited.log_path.ends_with("-json.log"));
}

#[test]
fn recorded_daemon_and_image_are_read() {
    let info: wire::Info = recorded!("info");
    let facts = (info.cgroup_driver.as_str(), info.cgroup_version.as_str());
    assert_eq!(facts, ("cgroupfs", "1"));
    assert_eq!((info.ncpu, info.logging_driver.as_str()), (2, "json-file"));
    assert!(info.mem_total > 1 << 30);
    let version: wire::Version = recorded!("version");
    assert_eq!(
        (
            version.api_version.as_str(),
            version.min_api_version.as_str()
        ),
        ("1.41", "1.12")
    );
    let image: wire::Image = recorded!("image");
    assert_eq!(image.repo_tags, ["busybox:1"]);
    assert_eq!(image.config.user, "");
    let event: wire::EventLine = recorded!("event");
    assert_eq!(
        (
            event.action.as_str(),
            event.actor.attributes["exitCode"].as_str()
        ),
        ("die", "3")
    );
}

#[test]
fn null_is_as_good_as_empty() {
    let text = r#"[{"Id":"a","Names":null,"Labels":null,"NetworkSettings":null}]"#;
    let list: Vec<wire::Summary> = serde_json::from_str(text).unwrap();
    assert!(list[0].labels.is_empty());
    let image: wire::Image = serde_json::from_str(r#"{"Id":"a","Config":null}"#).unwrap();
    assert_eq!(image.config, wire::ImageConfig::default());
    let line: wire::PullLine =
        serde_json::from_str(r#"{"status":"Downloading","progressDetail":null}"#).unwrap();
    assert_eq!(line.progress_detail.current, 0);
}
