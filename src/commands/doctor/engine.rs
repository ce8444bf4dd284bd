//! Docker: whether it answers, and how it is set up.

use super::{Finding, machine};
use crate::docker::Docker;
use crate::state::{Node, Observed};
use crate::sys::{Kind, Result};

/// The log drivers that keep a log which can be read again.
const READABLE: [&str; 3] = ["json-file", "local", "journald"];

/// Everything about dockerd; one line when it does not answer.
pub(super) fn docker(node: &Node, observed: &Result<Observed>) -> Vec<Finding> {
    let socket = &node.docker_socket;
    let docker = Docker::new(socket, None);
    let facts = match observed {
        Ok(observed) => &observed.docker,
        Err(error) => {
            let advice = match error.kind() {
                Kind::Refused => "run this as root",
                Kind::Gone | Kind::Conflict | Kind::Unavailable | Kind::Garbled | Kind::TooBig => {
                    "start it (systemctl start docker), or name its socket with --container-runtime-endpoint"
                }
            };
            let said = format!("{error}; {advice}");
            return vec![Finding::bad("docker", said)];
        }
    };
    let (major, minor) = facts.api;
    let mut found = Vec::new();
    let root = match docker.facts() {
        Ok((info, version)) => {
            let (least, most) = (version.min_api_version, version.api_version);
            found.push(Finding::ok(
                "docker",
                format!(
                    "{socket}: version {}, API {least} to {most}, of which {major}.{minor} is used",
                    facts.version
                ),
            ));
            info.docker_root_dir
        }
        Err(error) => {
            found.push(Finding::bad("docker", error.to_string()));
            String::new()
        }
    };
    found.push(cgroup(&facts.cgroup_driver, facts.cgroup_version));
    found.push(oom(facts.oom_floor));
    found.push(logs(&facts.logging_driver, node));
    found.push(if std::path::Path::new(&root).exists() {
        machine::disk("docker disk", &root)
    } else {
        Finding::warn(
            "docker disk",
            format!(
                "{root:?} cannot be seen from here: dockerd is on another machine or in a container"
            ),
        )
    });
    found
}

fn cgroup(driver: &str, version: u8) -> Finding {
    let text = format!("version {version}, driver {driver}");
    match driver {
        "none" => Finding::warn(
            "cgroup",
            format!(
                "{text}: limits of memory, CPU and processes have no effect; run dockerd as root, or with cgroup v2"
            ),
        ),
        "cgroupfs" if version == 2 && std::path::Path::new("/run/systemd/system").exists() => {
            Finding::warn(
                "cgroup",
                format!(
                    "{text} beside systemd, which believes that all groups are its own; set \"exec-opts\": [\"native.cgroupdriver=systemd\"] in /etc/docker/daemon.json"
                ),
            )
        }
        _ => Finding::ok("cgroup", text),
    }
}

fn oom(floor: Option<i32>) -> Finding {
    match floor {
        None => Finding::ok("oom_score_adj", "may be lowered"),
        Some(floor) => Finding::warn(
            "oom_score_adj",
            format!(
                "may not be lowered below {floor} here (no CAP_SYS_RESOURCE): critical pods are killed for memory as others are; give dockerd the capability"
            ),
        ),
    }
}

/// Only two drivers are rotated as a pod's settings say.
fn logs(driver: &str, node: &Node) -> Finding {
    let readable = READABLE.contains(&driver);
    match driver {
        "json-file" | "local" => Finding::ok(
            "container logs",
            format!(
                "driver {driver}, rotated at {} bytes, {} files each",
                node.log_bytes_max, node.log_files_max
            ),
        ),
        _ if readable => Finding::ok(
            "container logs",
            format!("driver {driver}, which has its own limits"),
        ),
        _ => Finding::warn(
            "container logs",
            format!(
                "driver {driver}: nothing is rotated here, and staticlet logs has nothing to show; set \"log-driver\": \"json-file\" in /etc/docker/daemon.json"
            ),
        ),
    }
}
