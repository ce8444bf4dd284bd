//! The sandbox: one small container that holds the pod's network, IPC and hostname.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ContainerPort, PodSecurityContext, PodSpec};

use super::{cgroup, dns, labels, pod_spec, qos, resources, security};
use crate::docker::wire;
use crate::pod::{Problem, ValidPod, all_containers};
use crate::state::{DockerFacts, Node};
use crate::sys::{Gather, Wall};

/// The size of `/dev/shm`, which all containers of a pod share.
pub(super) const SHM_BYTES: i64 = 64 << 20;

/// What a sandbox is made from.
#[derive(Clone, Copy)]
pub struct SandboxInput<'a> {
    /// The pod.
    pub pod: &'a ValidPod,
    /// This node.
    pub node: &'a Node,
    /// This dockerd.
    pub docker: &'a DockerFacts,
    /// The image, whose entrypoint is the pause program.
    pub image: &'a str,
    /// When the pod was first seen; told in a label.
    pub seen: Wall,
}

/// What dockerd is asked to create for a pod's sandbox.
///
/// # Errors
/// A name that cannot be a hostname, or a quantity that does not parse.
pub fn sandbox_body(input: &SandboxInput<'_>) -> Result<wire::CreateBody, Problem> {
    let SandboxInput {
        pod, node, docker, ..
    } = *input;
    let spec = pod_spec(pod)?;
    let security = spec.security_context.as_ref();
    let is_on = |flag: Option<bool>| flag == Some(true);
    let host_network = is_on(spec.host_network);
    let mut security_opt = security
        .and_then(|s| s.se_linux_options.as_ref())
        .map(security::se_linux_options)
        .unwrap_or_default();
    security_opt.push("no-new-privileges".into());
    let ports = if host_network {
        // They are in the host's network anyway; Docker would discard the bindings with a warning.
        BTreeMap::new()
    } else {
        port_bindings(spec)
    };
    let privileged = all_containers(spec)
        .any(|c| c.security_context.as_ref().and_then(|s| s.privileged) == Some(true));
    let qos = qos::qos(spec)?;
    Ok(wire::CreateBody {
        image: input.image.to_owned(),
        hostname: dns::hostname(pod, node)?,
        user: user(security),
        labels: labels::sandbox_labels(pod, node, input.seen),
        exposed_ports: ports
            .keys()
            .map(|port| (port.clone(), wire::Empty {}))
            .gather(),
        host_config: wire::HostConfig {
            network_mode: if host_network { "host" } else { "default" }.into(),
            ipc_mode: if is_on(spec.host_ipc) {
                "host"
            } else {
                "shareable"
            }
            .into(),
            pid_mode: if is_on(spec.host_pid) { "host" } else { "" }.into(),
            port_bindings: ports,
            sysctls: sysctls(security),
            oom_score_adj: qos::oom_sandbox(docker),
            cpu_shares: resources::CPU_SHARES_SANDBOX,
            cgroup_parent: cgroup::cgroup_parent(qos, &pod.uid, docker),
            group_add: security::groups(security),
            privileged,
            security_opt,
            shm_size: SHM_BYTES,
            ..wire::HostConfig::default()
        },
        ..wire::CreateBody::default()
    })
}

/// A group without a user is given to root; cri-dockerd fails such a pod.
fn user(security: Option<&PodSecurityContext>) -> String {
    let (user, group) = (
        security.and_then(|s| s.run_as_user),
        security.and_then(|s| s.run_as_group),
    );
    match (user, group) {
        (None, None) => String::new(),
        (Some(user), None) => user.to_string(),
        (user, Some(group)) => format!("{}:{group}", user.unwrap_or(0)),
    }
}

fn sysctls(security: Option<&PodSecurityContext>) -> BTreeMap<String, String> {
    let sysctls = security.and_then(|s| s.sysctls.as_ref());
    let entry = |s: &k8s_openapi::api::core::v1::Sysctl| (dotted(&s.name), s.value.clone());
    sysctls.into_iter().flatten().map(entry).gather()
}

/// `net/ipv4/conf/eth0.1/x` is another spelling of `net.ipv4.conf.eth0/1.x`; whichever separator comes first tells.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']).and_then(|at| name.get(at..=at)) {
        Some("/") => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                other => other,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

/// The ports that the machine listens on for the pod. Only those with a host port: the others can be reached anyway.
fn port_bindings(spec: &PodSpec) -> BTreeMap<String, Vec<wire::PortBinding>> {
    let mut bindings: BTreeMap<String, Vec<wire::PortBinding>> = BTreeMap::new();
    for container in &spec.containers {
        let mut seen = BTreeSet::new();
        for port in container.ports.iter().flatten() {
            let host_port = port.host_port.unwrap_or(0);
            if host_port == 0 || !seen.insert(port_identity(port)) {
                continue;
            }
            let protocol = match port.protocol.as_deref() {
                Some("UDP") => "udp",
                Some("SCTP") => "sctp",
                Some(_) | None => "tcp",
            };
            bindings
                .entry(format!("{}/{protocol}", port.container_port))
                .or_default()
                .push(wire::PortBinding {
                    host_ip: port.host_ip.clone().unwrap_or_default(),
                    host_port: host_port.to_string(),
                });
        }
    }
    bindings
}

/// Two entries of one container that agree in this are one, as in the kubelet.
fn port_identity(port: &ContainerPort) -> String {
    match port.name.as_deref() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => format!(
            "{:?} {:?} {} {:?}",
            port.protocol, port.host_ip, port.container_port, port.host_port
        ),
    }
}
