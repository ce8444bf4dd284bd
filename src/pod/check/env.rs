//! Rules about environment variables, and where the value of one comes from.

use serde_json::Value;

use super::downward;
use crate::pod::rules::{LABEL_KEY, Out, invalid, list, qualified, required, text};
use crate::pod::{HUGEPAGES, Problem};

const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Kubernetes knows these as well, and not for the environment.
const KNOWN: [&str; 6] = [
    "metadata.labels",
    "metadata.annotations",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.hostNetwork",
    "status.phase",
];

/// Checks the variables of a container.
pub(super) fn check(container: &Value, volumes: &[Value], path: &str, out: Out) {
    for (at, entry) in list(container, "env").iter().enumerate() {
        let path = format!("{path}.env[{at}]");
        let name = text(entry, "name");
        if name.is_empty() {
            required(format!("{path}.name"), out);
        } else {
            name_of(name, &format!("{path}.name"), out);
        }
        if let Some(from) = entry["valueFrom"].as_object() {
            let why = match (from.len(), text(entry, "value").is_empty()) {
                (0, _) => {
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
                }
                (1, true) => {
                    let path = format!("{path}.valueFrom");
                    source(&entry["valueFrom"], &path, out);
                    file_key(&entry["valueFrom"]["fileKeyRef"], volumes, &path, out);
                    continue;
                }
                (1, false) => "may not be specified when `value` is not empty",
                _ => "may not have more than one field specified at a time",
            };
            invalid(&format!("{path}.valueFrom"), "", why, out);
        }
    }
}

/// Checks the one source that there is.
fn source(from: &Value, path: &str, out: Out) {
    if from["fieldRef"].is_object() {
        field(&from["fieldRef"], &format!("{path}.fieldRef"), out);
    }
    if from["resourceFieldRef"].is_object() {
        resource(
            &from["resourceFieldRef"],
            &format!("{path}.resourceFieldRef"),
            out,
        );
    }
}

/// A key of a file in an emptyDir, which an init container writes.
///
/// Source: Kubernetes 1.36 `pkg/apis/core/validation` validateFileKeySelector.
fn file_key(from: &Value, volumes: &[Value], path: &str, out: Out) {
    if !from.is_object() {
        return;
    }
    let path = format!("{path}.fileKeyRef");
    let (key, volume) = (text(from, "key"), text(from, "volumeName"));
    if key.is_empty() {
        required(format!("{path}.key"), out);
    } else {
        name_of(key, &format!("{path}.key"), out);
    }
    downward::place(text(from, "path"), &format!("{path}.path"), out);
    let path = format!("{path}.volumeName");
    match volumes.iter().find(|one| text(one, "name") == volume) {
        _ if volume.is_empty() => required(path, out),
        Some(one) if one["emptyDir"].is_object() => {}
        Some(_) => invalid(
            &path,
            volume,
            "referenced volume must be of type emptyDir",
            out,
        ),
        None => out.push(Problem::new(path, format!("Not found: {volume:?}"))),
    }
}

fn name_of(name: &str, path: &str, out: Out) {
    if !name
        .bytes()
        .all(|b| (b' '..=b'~').contains(&b) && b != b'=')
    {
        let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        invalid(path, name, why, out);
    }
}

/// A field that a variable may show.
pub(super) fn field(field: &Value, path: &str, out: Out) {
    let (version, name) = (text(field, "apiVersion"), text(field, "fieldPath"));
    let path = format!("{path}.fieldPath");
    let label = name.strip_prefix("metadata.labels['");
    let annotation = name.strip_prefix("metadata.annotations['");
    let subscript = label
        .or(annotation)
        .and_then(|rest| rest.strip_suffix("']"));
    if name.is_empty() {
        required(path, out);
    } else if version != "v1" {
        invalid(
            &path,
            name,
            &format!("error converting fieldPath: unsupported pod version: {version}"),
            out,
        );
    } else if KNOWN.contains(&name) {
        let allowed: Vec<String> = FIELDS.iter().map(|f| format!("{f:?}")).collect();
        let text = format!(
            "Unsupported value: {name:?}: supported values: {}",
            allowed.join(", ")
        );
        out.push(Problem::new(path, text));
    } else if let Some(key) = subscript {
        // Annotations may have capitals in their prefix.
        let fine = qualified(key) || (annotation.is_some() && qualified(&key.to_lowercase()));
        if !fine {
            invalid(&path, key, LABEL_KEY, out);
        }
    } else if !FIELDS.contains(&name) {
        invalid(
            &path,
            name,
            &format!("error converting fieldPath: field label not supported: {name}"),
            out,
        );
    }
}

pub(super) fn resource(field: &Value, path: &str, out: Out) {
    let name = text(field, "resource");
    let known = ["limits", "requests"].iter().any(|kind| {
        let rest = name
            .strip_prefix(kind)
            .and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| {
            ["cpu", "memory", "ephemeral-storage"].contains(&rest) || rest.starts_with(HUGEPAGES)
        })
    });
    if name.is_empty() {
        required(format!("{path}.resource"), out);
    } else if !known {
        let text = format!(
            "Unsupported value: {name:?}: supported values: \"limits.cpu\", \"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \"requests.ephemeral-storage\", \"requests.memory\""
        );
        out.push(Problem::new(format!("{path}.resource"), text));
    } else {
        divisor(field, name, path, out);
    }
}

/// One of the units, and nothing in between.
fn divisor(field: &Value, resource: &str, path: &str, out: Out) {
    let divisor = text(field, "divisor");
    let (allowed, what): (&[&str], _) = match resource {
        _ if divisor.is_empty() || divisor == "0" => return,
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "cpu"),
        "limits.memory" | "requests.memory" => (&UNITS, "memory"),
        other if other.contains(HUGEPAGES) => (&UNITS, "hugepages"),
        _ => (&UNITS, "local ephemeral storage"),
    };
    if !allowed.contains(&divisor) {
        let why = format!(
            "only divisor's values {} are supported with the {what} resource",
            allowed.join(", ")
        );
        invalid(&format!("{path}.divisor"), divisor, &why, out);
    }
}

const UNITS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];
