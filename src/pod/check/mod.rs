//! The API server's validation, in its words: one file for each theme. Pure.

mod annotations;
mod container;
mod downward;
mod env;
mod hosts;
mod metadata;
mod ports;
mod resources;
mod restart;
mod scheduling;
mod security;
mod selectors;
mod volumes;

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::{Out, invalid, label, list, one_of, range, required, text};
use super::{Problem, lifecycle};

/// Everything wrong with a defaulted pod.
pub(super) fn pod(pod: &Value, node: &str, out: Out) {
    metadata::check(&pod["metadata"], node, out);
    let spec = &pod["spec"];
    annotations::check(&pod["metadata"], spec, out);
    one_of(
        spec,
        "restartPolicy",
        "spec",
        &["Always", "OnFailure", "Never"],
        out,
    );
    one_of(
        spec,
        "dnsPolicy",
        "spec",
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
        out,
    );
    if !matches!(text(&spec["os"], "name"), "" | "linux") {
        let problem = Problem::new("spec.os", "not supported here");
        out.push(problem.hint("only linux runs here; leave it out"));
    }
    for name in ["hostname", "subdomain"] {
        if !text(spec, name).is_empty() {
            label(text(spec, name), &format!("spec.{name}"), out);
        }
    }
    if spec["hostPID"] == true && spec["shareProcessNamespace"] == true {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        invalid("spec.shareProcessNamespace", "true", why, out);
    }
    let seconds = (1, i64::from(i32::MAX));
    range(spec, "activeDeadlineSeconds", "spec", seconds, out);
    security::ids(&spec["securityContext"], "spec.securityContext", out);
    security::pod(spec, out);
    resources::pod(spec, out);
    hosts::check(spec, out);
    scheduling::check(spec, out);
    let volumes = volumes::volumes(spec, out);
    if list(spec, "containers").is_empty() {
        required("spec.containers".to_owned(), out);
    }
    let (mut names, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for (at, container) in list(spec, "containers").iter().enumerate() {
        let path = format!("spec.containers[{at}]");
        named(container, &path, &mut names, out);
        container::check(container, spec, &path, out);
        lifecycle::check(container, spec, &path, out);
        ports::check(
            container,
            &path,
            (spec["hostNetwork"] == true, &mut ports),
            out,
        );
        volumes::mounts(container, &path, &volumes, out);
    }
    for (at, container) in list(spec, "initContainers").iter().enumerate() {
        let path = format!("spec.initContainers[{at}]");
        named(container, &path, &mut names, out);
        container::check(container, spec, &path, out);
        if text(container, "restartPolicy") == "Always" {
            lifecycle::check(container, spec, &path, out);
        } else {
            not_for_init(container, &path, out);
        }
        // They do not run side by side, and their ports are not published: each stands alone.
        let mut own = BTreeSet::new();
        let host_network = spec["hostNetwork"] == true;
        ports::check(container, &path, (host_network, &mut own), out);
        volumes::mounts(container, &path, &volumes, out);
    }
}

/// What only makes sense for a container that runs on.
fn not_for_init(container: &Value, path: &str, out: Out) {
    for name in [
        "lifecycle",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
    ] {
        if container[name].is_object() {
            let text = "Forbidden: may not be set for init containers without restartPolicy=Always";
            out.push(Problem::new(format!("{path}.{name}"), text));
        }
    }
}

fn named<'a>(of: &'a Value, path: &str, seen: &mut BTreeSet<&'a str>, out: Out) {
    let (name, path) = (text(of, "name"), format!("{path}.name"));
    if name.is_empty() {
        required(path, out);
    } else {
        label(name, &path, out);
        if !seen.insert(name) {
            out.push(Problem::new(path, format!("Duplicate value: {name:?}")));
        }
    }
}
