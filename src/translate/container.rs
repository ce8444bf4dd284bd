//! A container of a pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::env::Environment;
use super::env_file::EnvFiles;
use super::sandbox::SHM_BYTES;
use super::security::Context;
use super::{cgroup, labels, place_of, pod_spec, qos, resources, security, volumes};
use crate::docker::wire;
use crate::pod::{Problem, ValidPod};
use crate::state::{ContainerId, DockerFacts, Node};
use crate::sys::Gather;

/// What a container is made from.
#[derive(Clone, Copy)]
pub struct ContainerInput<'a> {
    /// The pod.
    pub pod: &'a ValidPod,
    /// Which of its containers.
    pub container: &'a Container,
    /// This node.
    pub node: &'a Node,
    /// This dockerd.
    pub docker: &'a DockerFacts,
    /// How many of its name there were before.
    pub attempt: u32,
    /// The running sandbox that it joins.
    pub sandbox: &'a ContainerId,
    /// The sandbox's addresses; empty for host network.
    pub pod_ips: &'a [String],
    /// Its image, which is there.
    pub image: ImageFacts<'a>,
    /// The termination-message file on the machine ([`super::paths::termination_log`]), mounted if it is there and the
    /// container has a path for it.
    pub termination_log: Option<&'a str>,
    /// The hosts file on the machine ([`super::paths::hosts_file`]), mounted if it is there.
    pub hosts_file: Option<&'a str>,
    /// The text of [`super::seccomp_file`].
    pub seccomp: Option<&'a str>,
    /// The files of [`super::env_files`].
    pub env_files: &'a EnvFiles,
    /// The size of the file system of the root directory, for `resourceFieldRef` without a limit; 0: not known.
    pub disk_bytes: u64,
}

/// What is known of a container's image.
#[derive(Clone, Copy)]
pub struct ImageFacts<'a> {
    /// Its id; the container is made from that, not from the name, which may move.
    pub id: &'a str,
    /// The `User` of its configuration; empty for none.
    pub user: &'a str,
}

/// What dockerd is asked to create for a container.
///
/// # Errors
/// Whatever in the manifest cannot be done here, by its path; the container waits with CreateContainerConfigError.
pub fn container_body(input: &ContainerInput<'_>) -> Result<wire::CreateBody, Problem> {
    let ContainerInput {
        pod,
        container,
        node,
        ..
    } = *input;
    let spec = pod_spec(pod)?;
    let context = Context::of(pod, container)?;
    let mut env = Environment::of(input)?;
    let place = place_of(pod, container);
    let mut words = |list: &Option<Vec<String>>, name: &str| {
        // An empty list means the image's, like none; to Docker it would mean nothing at all.
        let list = list.as_deref().filter(|list| !list.is_empty());
        let place = format!("{place}.{name}");
        let expand = |list: &[String]| list.iter().map(|word| env.expand(word, &place)).collect();
        list.map(expand).transpose()
    };
    let (entrypoint, cmd) = (
        words(&container.command, "command")?,
        words(&container.args, "args")?,
    );
    let lifecycle = container.lifecycle.as_ref();
    let stop_signal = lifecycle.and_then(|lifecycle| lifecycle.stop_signal.clone());
    let made = labels::Made {
        attempt: input.attempt,
        sandbox: input.sandbox,
    };
    Ok(wire::CreateBody {
        image: input.image.id.to_owned(),
        user: context.user(input.image.user)?,
        env: env.lines(),
        entrypoint,
        cmd,
        working_dir: container.working_dir.clone().unwrap_or_default(),
        labels: labels::container_labels(pod, node, container, made)?,
        tty: container.tty == Some(true),
        open_stdin: container.stdin == Some(true),
        stdin_once: container.stdin_once == Some(true),
        stop_signal: stop_signal.unwrap_or_default(),
        // The image's own check would only cost; Kubernetes has its own.
        healthcheck: Some(wire::Healthcheck {
            test: vec!["NONE".into()],
        }),
        host_config: host_config(input, spec, &context)?,
        ..wire::CreateBody::default()
    })
}

fn host_config(
    input: &ContainerInput<'_>,
    spec: &PodSpec,
    context: &Context<'_>,
) -> Result<wire::HostConfig, Problem> {
    let ContainerInput { pod, docker, .. } = *input;
    let of_sandbox = format!("container:{}", input.sandbox.0);
    let limits = resources::limits(spec, input.container)?;
    let (cap_add, cap_drop) = context.capabilities();
    let proc_paths = context.proc_paths();
    let is_on = |flag: Option<bool>| flag == Some(true);
    Ok(wire::HostConfig {
        // Also for host network, whose sandbox is in it.
        network_mode: of_sandbox.clone(),
        ipc_mode: of_sandbox.clone(),
        pid_mode: if is_on(spec.host_pid) {
            "host".into()
        } else if is_on(spec.share_process_namespace) {
            of_sandbox
        } else {
            String::new()
        },
        uts_mode: if is_on(spec.host_network) { "host" } else { "" }.into(),
        mounts: volumes::mounts(input)?,
        log_config: log_config(input.node, docker),
        restart_policy: Some(wire::RestartPolicy { name: "no".into() }),
        cap_add,
        cap_drop,
        group_add: security::groups(spec.security_context.as_ref()),
        privileged: context.is_privileged(),
        readonly_rootfs: context.is_read_only(),
        security_opt: context.options(pod, input.seccomp)?,
        masked_paths: proc_paths.masked,
        readonly_paths: proc_paths.read_only,
        oom_score_adj: qos::oom_score(spec, input.container, docker)?,
        cpu_shares: limits.cpu_shares,
        cpu_period: resources::CPU_PERIOD_US,
        cpu_quota: limits.cpu_quota_us,
        memory: limits.memory_bytes,
        // Equal means no swap; left out, Docker would give as much again.
        memory_swap: limits.memory_bytes,
        cgroup_parent: cgroup::cgroup_parent(qos::qos(spec)?, &pod.uid, docker),
        shm_size: SHM_BYTES,
        ..wire::HostConfig::default()
    })
}

/// Rotation of the container's log, which a kubelet on Docker cannot do. Other drivers than these two are an
/// administrator's choice and have other options.
fn log_config(node: &Node, docker: &DockerFacts) -> Option<wire::LogConfig> {
    let driver = docker.logging_driver.as_str();
    if !matches!(driver, "json-file" | "local") || node.log_bytes_max == 0 {
        return None;
    }
    let files = node.log_files_max.max(1);
    let mut config: BTreeMap<String, String> = [
        // Docker's suffixes are decimal; a plain number is bytes.
        ("max-size".to_owned(), node.log_bytes_max.to_string()),
        ("max-file".to_owned(), files.to_string()),
    ]
    .into_iter()
    .gather();
    if driver == "local" && files < 2 {
        // The driver compresses what it rotates and refuses to start when nothing is kept.
        config.insert("compress".into(), "false".into());
    }
    Some(wire::LogConfig {
        kind: driver.to_owned(),
        config,
    })
}
