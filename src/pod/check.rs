//! The API server's validation, in its words.

mod env;
mod hosts;
mod security;

use std::collections::BTreeSet;

use serde_json::Value;

use super::quantity;
use super::rules::{
    Out, invalid, is_label, label, list, name_part, one_of, qualified, range, required, subdomain,
    text,
};
use super::{Problem, probes};

/// Everything wrong with a defaulted pod.
pub(super) fn pod(pod: &Value, node: &str, out: Out) {
    metadata(&pod["metadata"], node, out);
    let spec = &pod["spec"];
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
    for name in ["hostname", "subdomain"] {
        if !text(spec, name).is_empty() {
            label(text(spec, name), &format!("spec.{name}"), out);
        }
    }
    if spec["hostPID"] == true && spec["shareProcessNamespace"] == true {
        let why = "ShareProcessNamespace and HostPID cannot both be enabled";
        invalid("spec.shareProcessNamespace", "true", why, out);
    }
    security::ids(&spec["securityContext"], "spec.securityContext", out);
    security::pod(spec, out);
    hosts::check(spec, out);
    carried(spec, out);
    let volumes = volumes(spec, out);
    if list(spec, "containers").is_empty() {
        required("spec.containers".to_owned(), out);
    }
    let (mut names, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for (at, container) in list(spec, "containers").iter().enumerate() {
        let path = format!("spec.containers[{at}]");
        named(container, &path, &mut names, out);
        self::container(container, &path, out);
        self::ports(
            container,
            &path,
            (spec["hostNetwork"] == true, &mut ports),
            out,
        );
        mounts(container, &path, &volumes, out);
    }
    for (at, container) in list(spec, "initContainers").iter().enumerate() {
        let path = format!("spec.initContainers[{at}]");
        named(container, &path, &mut names, out);
        self::container(container, &path, out);
        // They do not run side by side, and their ports are not published: each stands alone.
        let mut own = BTreeSet::new();
        let host_network = spec["hostNetwork"] == true;
        self::ports(container, &path, (host_network, &mut own), out);
        mounts(container, &path, &volumes, out);
        // `Never` and `OnFailure` came with restartPolicyRules.
        one_of(container, "restartPolicy", &path, &["Always"], out);
    }
}

/// Keys and values of all annotations together; the API server takes no more.
const ANNOTATION_BYTES_MAX: usize = 262_144;

fn metadata(metadata: &Value, node: &str, out: Out) {
    let name = text(metadata, "name");
    if name.is_empty() {
        required("metadata.name".to_owned(), out);
    } else {
        subdomain(
            &format!("{name}-{}", node.to_lowercase()),
            "metadata.name",
            out,
        );
    }
    if !text(metadata, "namespace").is_empty() {
        label(text(metadata, "namespace"), "metadata.namespace", out);
    }
    // The uid becomes part of a path and of a label.
    let uid = text(metadata, "uid");
    if !uid.is_empty() && (!name_part(uid) || uid.contains('_')) {
        invalid(
            "metadata.uid",
            uid,
            "must be at most 63 letters, digits, '-' and '.'",
            out,
        );
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !qualified(key) {
            invalid(
                "metadata.labels",
                key,
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'",
                out,
            );
        }
        if !value.is_empty() && !name_part(value) {
            invalid(
                "metadata.labels",
                value,
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
                out,
            );
        }
    }
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let bytes: usize = annotations
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if bytes > ANNOTATION_BYTES_MAX {
        let text = format!("Too long: may not be more than {ANNOTATION_BYTES_MAX} bytes");
        out.push(Problem::new("metadata.annotations", text));
    }
    for (key, _) in metadata["annotations"].as_object().into_iter().flatten() {
        if key == "kubernetes.io/config.mirror" {
            let problem = Problem::new("metadata.annotations", "this was dumped from a mirror pod");
            out.push(problem.hint("remove the kubernetes.io/config.* annotations, metadata.uid and the node's suffix of the name"));
        } else if !qualified(&key.to_lowercase()) {
            invalid(
                "metadata.annotations",
                key,
                "name part must consist of alphanumeric characters, '-', '_' or '.'",
                out,
            );
        }
    }
}

/// What means nothing on one node, and has its rules all the same.
fn carried(spec: &Value, out: Out) {
    let class = text(spec, "priorityClassName");
    if !class.is_empty() {
        subdomain(class, "spec.priorityClassName", out);
    }
    let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
    range(spec, "priority", "spec", (low, high), out);
    let policies = ["Never", "PreemptLowerPriority"];
    one_of(spec, "preemptionPolicy", "spec", &policies, out);
    for (key, value) in spec["nodeSelector"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if !qualified(key) {
            invalid(
                "spec.nodeSelector",
                key,
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'",
                out,
            );
        }
        if !value.is_empty() && !name_part(value) {
            invalid(
                "spec.nodeSelector",
                value,
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
                out,
            );
        }
    }
    for (at, toleration) in list(spec, "tolerations").iter().enumerate() {
        let path = format!("spec.tolerations[{at}]");
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        let place = format!("{path}.operator");
        if !key.is_empty() && !qualified(key) {
            invalid(
                &format!("{path}.key"),
                key,
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'",
                out,
            );
        }
        if key.is_empty() && operator != "Exists" {
            invalid(
                &place,
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
                out,
            );
        }
        if operator == "Exists" && !text(toleration, "value").is_empty() {
            invalid(
                &place,
                text(toleration, "value"),
                "value must be empty when `operator` is 'Exists'",
                out,
            );
        }
        one_of(toleration, "operator", &path, &["", "Equal", "Exists"], out);
        let effects = ["", "NoExecute", "NoSchedule", "PreferNoSchedule"];
        one_of(toleration, "effect", &path, &effects, out);
        if toleration["tolerationSeconds"].is_number() && text(toleration, "effect") != "NoExecute"
        {
            invalid(
                &format!("{path}.effect"),
                text(toleration, "effect"),
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
                out,
            );
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

/// The names of the volumes. Also of wrong ones, or each mount of one would be told as well.
fn volumes<'a>(spec: &'a Value, out: Out) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (at, volume) in list(spec, "volumes").iter().enumerate() {
        let path = format!("spec.volumes[{at}]");
        named(volume, &path, &mut seen, out);
        if volume["emptyDir"].is_object() && volume["hostPath"].is_object() {
            let text = "Forbidden: may not specify more than 1 volume type";
            out.push(Problem::new(format!("{path}.hostPath"), text));
        }
        if let Some(size) =
            quantity::parse(text(&volume["emptyDir"], "sizeLimit")).filter(|s| s.milli < 0)
        {
            let text = format!(
                "Forbidden: SizeLimit field must be a valid resource quantity, not {}",
                quantity::canonical(size)
            );
            out.push(Problem::new(format!("{path}.emptyDir.sizeLimit"), text));
        }
        one_of(
            &volume["emptyDir"],
            "medium",
            &format!("{path}.emptyDir"),
            &["", "Memory"],
            out,
        );
        if volume["hostPath"].is_object() {
            let (path, host) = (
                format!("{path}.hostPath"),
                text(&volume["hostPath"], "path"),
            );
            if host.is_empty() {
                required(format!("{path}.path"), out);
            } else if !host.starts_with('/') {
                let why = "must be an absolute path: dockerd takes no other";
                invalid(&format!("{path}.path"), host, why, out);
            } else if host.split('/').any(|part| part == "..") {
                invalid(&format!("{path}.path"), host, "must not contain '..'", out);
            }
            let types = [
                "",
                "BlockDevice",
                "CharDevice",
                "Directory",
                "DirectoryOrCreate",
                "File",
                "FileOrCreate",
                "Socket",
            ];
            one_of(&volume["hostPath"], "type", &path, &types, out);
        }
    }
    seen
}

fn container(container: &Value, path: &str, out: Out) {
    let image = text(container, "image");
    if image.is_empty() {
        required(format!("{path}.image"), out);
    } else if image.trim() != image {
        invalid(
            &format!("{path}.image"),
            image,
            "must not have leading or trailing whitespace",
            out,
        );
    }
    one_of(
        container,
        "imagePullPolicy",
        path,
        &["Always", "IfNotPresent", "Never"],
        out,
    );
    one_of(
        container,
        "terminationMessagePolicy",
        path,
        &["File", "FallbackToLogsOnError"],
        out,
    );
    security::ids(
        &container["securityContext"],
        &format!("{path}.securityContext"),
        out,
    );
    for (at, entry) in list(container, "env").iter().enumerate() {
        let path = format!("{path}.env[{at}]");
        let name = text(entry, "name");
        if name.is_empty() {
            required(format!("{path}.name"), out);
        } else if !name
            .bytes()
            .all(|b| (b' '..=b'~').contains(&b) && b != b'=')
        {
            invalid(
                &format!("{path}.name"),
                name,
                "a valid environment variable name must consist only of printable ASCII characters other than '='",
                out,
            );
        }
        if let Some(from) = entry["valueFrom"].as_object() {
            let why = match (from.len(), text(entry, "value").is_empty()) {
                (0, _) => {
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
                }
                (1, true) => {
                    env::source(&entry["valueFrom"], &format!("{path}.valueFrom"), out);
                    continue;
                }
                (1, false) => "may not be specified when `value` is not empty",
                _ => "may not have more than one field specified at a time",
            };
            invalid(&format!("{path}.valueFrom"), "", why, out);
        }
    }
    probes::check(container, path, out);
    resources(&container["resources"], &format!("{path}.resources"), out);
}

fn resources(resources: &Value, path: &str, out: Out) {
    for kind in ["limits", "requests"] {
        for (name, value) in resources[kind].as_object().into_iter().flatten() {
            let (path, value) = (
                format!("{path}.{kind}[{name}]"),
                value.as_str().unwrap_or_default(),
            );
            let amount = quantity::parse(value).map_or(0, |a| a.milli);
            if !["cpu", "memory", "ephemeral-storage"].contains(&name.as_str()) {
                out.push(
                    Problem::new(path, "not supported here")
                        .hint("cpu, memory and ephemeral-storage are"),
                );
            } else if amount < 0 {
                invalid(&path, value, "must be greater than or equal to 0", out);
            } else if kind == "requests"
                && let Some(limit) = resources["limits"][name].as_str()
                && quantity::parse(limit).is_some_and(|limit| limit.milli < amount)
            {
                invalid(
                    &path,
                    value,
                    &format!("must be less than or equal to {name} limit of {limit}"),
                    out,
                );
            }
        }
    }
}

fn ports(
    container: &Value,
    path: &str,
    (host_network, taken): (bool, &mut BTreeSet<String>),
    out: Out,
) {
    let mut names = BTreeSet::new();
    for (at, port) in list(container, "ports").iter().enumerate() {
        let path = format!("{path}.ports[{at}]");
        let name = text(port, "name");
        if !name.is_empty() {
            if name.len() > 15
                || !is_label(name)
                || name.contains("--")
                || !name.bytes().any(|b| b.is_ascii_lowercase())
            {
                invalid(
                    &format!("{path}.name"),
                    name,
                    "must be at most 15 lower-case letters, digits and single '-', with at least one letter",
                    out,
                );
            }
            if !names.insert(name) {
                out.push(Problem::new(
                    format!("{path}.name"),
                    format!("Duplicate value: {name:?}"),
                ));
            }
        }
        if port["containerPort"].as_i64().unwrap_or(0) == 0 {
            required(format!("{path}.containerPort"), out);
        }
        range(port, "containerPort", &path, (1, 65535), out);
        range(port, "hostPort", &path, (0, 65535), out);
        one_of(port, "protocol", &path, &["SCTP", "TCP", "UDP"], out);
        let host = port["hostPort"].as_i64().unwrap_or(0);
        if host_network && host != port["containerPort"].as_i64().unwrap_or(0) {
            invalid(
                &format!("{path}.hostPort"),
                &host.to_string(),
                "must match `containerPort` when `hostNetwork` is true",
                out,
            );
        }
        let key = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
        if host != 0 && !taken.insert(key.clone()) {
            out.push(Problem::new(
                format!("{path}.hostPort"),
                format!("Duplicate value: {key:?}"),
            ));
        }
    }
}

fn mounts(container: &Value, path: &str, volumes: &BTreeSet<&str>, out: Out) {
    let mut places = BTreeSet::new();
    for (at, mount) in list(container, "volumeMounts").iter().enumerate() {
        let path = format!("{path}.volumeMounts[{at}]");
        let (name, place) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            required(format!("{path}.name"), out);
        } else if !volumes.contains(name) {
            out.push(Problem::new(
                format!("{path}.name"),
                format!("Not found: {name:?}"),
            ));
        }
        if place.is_empty() {
            required(format!("{path}.mountPath"), out);
        } else if !places.insert(place) {
            invalid(&format!("{path}.mountPath"), place, "must be unique", out);
        }
        one_of(
            mount,
            "mountPropagation",
            &path,
            &["Bidirectional", "HostToContainer", "None"],
            out,
        );
        if text(mount, "mountPropagation") == "Bidirectional"
            && container["securityContext"]["privileged"] != true
        {
            let text = "Forbidden: Bidirectional mount propagation is available only to privileged containers";
            out.push(Problem::new(format!("{path}.mountPropagation"), text));
        }
    }
}
