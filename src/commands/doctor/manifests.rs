//! The manifests: whether they can be used and trusted, and whether their ports are free.

use std::net::IpAddr;

use super::super::status::refusal_lines;
use super::Finding;
use crate::config::Settings;
use crate::docker::Docker;
use crate::jobs::port_owner;
use crate::pod::PodKey;
use crate::sources::foretell;
use crate::state::{Desired, Observed, Source};
use crate::sys::Now;

/// A port of the machine that a pod wants.
struct Wanted<'a> {
    pod: &'a PodKey,
    port: u16,
    /// `TCP`, `UDP` or `SCTP`.
    protocol: String,
    /// `None`: every address.
    ip: Option<IpAddr>,
}

/// Everything about manifests. What cannot be used is one line each, with the reason that the agent would give.
pub(super) fn manifests(
    settings: &Settings,
    observed: Option<&Observed>,
    now: Now,
) -> Vec<Finding> {
    let (path, url) = (&settings.manifest_path, &settings.manifest_url);
    if path.is_none() && url.is_none() {
        let said =
            "neither a path nor a URL is given: there is nothing to run; give --pod-manifest-path";
        return vec![Finding::warn("manifests", said)];
    }
    let there = |key: &PodKey| Some(observed?.pod(key)?.uid.clone());
    let (desired, messages) = foretell(settings.sources(), now, &there);
    let mut found = Vec::new();
    if let Some(path) = path {
        let files = desired.pods.values();
        let files = files.filter(|wanted| matches!(wanted.source, Source::File(_)));
        found.push(Finding::ok(
            "manifests",
            format!("{} pods of {}", files.count(), path.display()),
        ));
    }
    for refusal in &desired.refusals {
        match refusal.source {
            // Nobody has asked it.
            Source::Url(_) => {}
            Source::File(_) => {
                let lines = refusal_lines(refusal);
                found.extend(
                    lines
                        .into_iter()
                        .map(|line| Finding::bad("manifests", line)),
                );
            }
        }
    }
    let strangers = messages.iter().filter(|one| one.event == "not a manifest");
    found.extend(strangers.map(|one| {
        let said = format!(
            "{}: ignored: {}; rename it or take it away",
            one.file, one.why
        );
        Finding::warn("manifests", said)
    }));
    found.extend(ports(settings, &desired, observed));
    found
}

/// Ports of the machine that two pods want, or that somebody else has.
fn ports(settings: &Settings, desired: &Desired, observed: Option<&Observed>) -> Vec<Finding> {
    let wanted: Vec<Wanted<'_>> = desired
        .pods
        .iter()
        .flat_map(|(key, wanted)| wanted_ports(key, wanted.pod.pod.spec.as_ref()))
        .collect();
    let mut found = Vec::new();
    for (at, one) in wanted.iter().enumerate() {
        let rest = wanted.get(at + 1..).unwrap_or_default();
        for other in rest
            .iter()
            .filter(|other| other.pod != one.pod && clash(one, other))
        {
            let said = format!(
                "{}/{} is wanted by {} and by {}; give one of them another hostPort",
                one.port, one.protocol, one.pod, other.pod
            );
            found.push(Finding::bad("ports", said));
        }
        // What a pod of ours listens on is its own.
        let runs = observed.is_some_and(|observed| {
            let mut pods = observed.pods.values();
            pods.any(|pod| pod.key == *one.pod && pod.is_up())
        });
        if runs {
            continue;
        }
        let docker = Docker::new(&settings.node.docker_socket, None);
        let any = IpAddr::from([0, 0, 0, 0]);
        let at = (
            one.port,
            &*one.protocol.to_lowercase(),
            one.ip.or(Some(any)),
        );
        if let Some(owner) = port_owner(&docker, at) {
            let said = format!(
                "{}/{} is wanted by {} and taken by {owner}; end that, or give the pod another hostPort",
                one.port, one.protocol, one.pod
            );
            found.push(Finding::bad("ports", said));
        }
    }
    if found.is_empty() && !wanted.is_empty() {
        found.push(Finding::ok(
            "ports",
            format!("{} of the machine are wanted, each once", wanted.len()),
        ));
    }
    found
}

fn wanted_ports<'a>(
    pod: &'a PodKey,
    spec: Option<&k8s_openapi::api::core::v1::PodSpec>,
) -> Vec<Wanted<'a>> {
    let host = spec.is_some_and(|spec| spec.host_network == Some(true));
    let containers = spec.into_iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let one = |port: &k8s_openapi::api::core::v1::ContainerPort| {
        let own = host.then_some(port.container_port);
        let number = port.host_port.filter(|port| *port != 0).or(own)?;
        let ip = port
            .host_ip
            .as_ref()
            .and_then(|ip| ip.parse::<IpAddr>().ok());
        Some(Wanted {
            pod,
            port: u16::try_from(number).ok()?,
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            ip: ip.filter(|ip| !ip.is_unspecified()),
        })
    };
    ports.filter_map(one).collect()
}

fn clash(one: &Wanted<'_>, other: &Wanted<'_>) -> bool {
    let ips = one.ip == other.ip || one.ip.is_none() || other.ip.is_none();
    one.port == other.port && one.protocol == other.protocol && ips
}
