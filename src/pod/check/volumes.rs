//! Rules about volumes and where they are mounted.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{downward, named};
use crate::pod::rules::{Out, invalid, list, one_of, required, text};
use crate::pod::{Problem, medium_page_bytes, quantity};

/// The names of the volumes. Also of wrong ones, or each mount of one would be told as well.
pub(super) fn volumes<'a>(spec: &'a Value, out: Out) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (at, volume) in list(spec, "volumes").iter().enumerate() {
        let path = format!("spec.volumes[{at}]");
        named(volume, &path, &mut seen, out);
        let kinds = ["emptyDir", "hostPath", "downwardAPI", "projected"];
        let given = kinds.iter().filter(|kind| volume[**kind].is_object());
        for kind in given.skip(1) {
            let text = "Forbidden: may not specify more than 1 volume type";
            out.push(Problem::new(format!("{path}.{kind}"), text));
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
        let source = &volume["emptyDir"];
        if medium_page_bytes(text(source, "medium")).is_none() {
            let path = format!("{path}.emptyDir");
            let media = ["", "Memory", "HugePages", "HugePages-2Mi"];
            one_of(source, "medium", &path, &media, out);
        }
        downward::check(volume, &path, out);
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

/// Checks the mounts of a container.
pub(super) fn mounts(container: &Value, path: &str, volumes: &BTreeSet<&str>, out: Out) {
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
        part(mount, &path, out);
        recursive(mount, &path, out);
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

/// Checks which part of a volume is mounted.
///
/// Source: Kubernetes 1.36 `validation.go` ValidateVolumeMounts, validateLocalDescendingPath.
fn part(mount: &Value, path: &str, out: Out) {
    let (plain, expression) = (text(mount, "subPath"), text(mount, "subPathExpr"));
    if !plain.is_empty() && !expression.is_empty() {
        let why = "subPathExpr and subPath are mutually exclusive";
        invalid(&format!("{path}.subPathExpr"), expression, why, out);
    }
    for (name, value) in [("subPath", plain), ("subPathExpr", expression)] {
        let path = format!("{path}.{name}");
        if value.starts_with('/') {
            invalid(&path, value, "must be a relative path", out);
        }
        if value.split('/').any(|part| part == "..") {
            invalid(&path, value, "must not contain '..'", out);
        }
    }
}

/// Checks whether what is mounted below a volume is to be read-only as well.
///
/// Source: Kubernetes 1.36 `validation.go` validateMountRecursiveReadOnly.
fn recursive(mount: &Value, path: &str, out: Out) {
    const NAME: &str = "recursiveReadOnly";
    let modes = ["Disabled", "Enabled", "IfPossible"];
    one_of(mount, NAME, path, &modes, out);
    if !matches!(text(mount, NAME), "Enabled" | "IfPossible") {
        return;
    }
    let mut forbidden = |what: &str| {
        let text = format!("Forbidden: may only be specified when {what}");
        out.push(Problem::new(format!("{path}.{NAME}"), text));
    };
    if mount["readOnly"] != true {
        forbidden("readOnly is true");
    }
    if !matches!(text(mount, "mountPropagation"), "" | "None") {
        forbidden("mountPropagation is None or not specified");
    }
}
