//! Rules about volumes of the downward API.
//!
//! Source: Kubernetes 1.36 `validation.go` validateDownwardAPIVolumeSource, validateProjectionSources.

use std::collections::BTreeSet;

use serde_json::Value;

use super::env;
use crate::pod::Problem;
use crate::pod::rules::{Out, invalid, list, required, text};

const MODE_RANGE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks a volume, if it is of this kind.
pub(super) fn check(volume: &Value, path: &str, out: Out) {
    let source = &volume["downwardAPI"];
    if source.is_object() {
        let path = format!("{path}.downwardAPI");
        mode(source, "defaultMode", &path, out);
        let mut seen = BTreeSet::new();
        items(source, &path, &mut seen, out);
    }
    let projected = &volume["projected"];
    if projected.is_object() {
        let path = format!("{path}.projected");
        mode(projected, "defaultMode", &path, out);
        let mut seen = BTreeSet::new();
        for (at, source) in list(projected, "sources").iter().enumerate() {
            let path = format!("{path}.sources[{at}]");
            if source["downwardAPI"].is_object() {
                let path = format!("{path}.downwardAPI");
                items(&source["downwardAPI"], &path, &mut seen, out);
            } else {
                required(path, out);
            }
        }
    }
}

fn items<'a>(source: &'a Value, path: &str, seen: &mut BTreeSet<&'a str>, out: Out) {
    for (at, item) in list(source, "items").iter().enumerate() {
        let path = format!("{path}.items[{at}]");
        mode(item, "mode", &path, out);
        let file = text(item, "path");
        place(file, &format!("{path}.path"), out);
        if !file.is_empty() && !seen.insert(file) {
            let text = format!("Invalid value: {file:?}: conflicting duplicate paths");
            out.push(Problem::new(format!("{path}.path"), text));
        }
        match (
            item["fieldRef"].is_object(),
            item["resourceFieldRef"].is_object(),
        ) {
            (true, true) => {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                invalid(&path, "resource", why, out);
            }
            (true, false) => field(&item["fieldRef"], &format!("{path}.fieldRef"), out),
            (false, true) => {
                let (path, source) = (
                    format!("{path}.resourceFieldRef"),
                    &item["resourceFieldRef"],
                );
                if text(source, "containerName").is_empty() {
                    required(format!("{path}.containerName"), out);
                }
                env::resource(source, &path, out);
            }
            (false, false) => {
                out.push(Problem::new(
                    format!("{path}.fieldRef"),
                    "Required value: one of fieldRef and resourceFieldRef is required",
                ));
            }
        }
    }
}

/// In a file all labels or annotations may stand; what is known of a running pod only may not.
fn field(field: &Value, path: &str, out: Out) {
    const FILES: [&str; 5] = [
        "metadata.annotations",
        "metadata.labels",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
    ];
    let name = text(field, "fieldPath");
    let of_running = name.starts_with("spec.") || name.starts_with("status.");
    if of_running {
        let allowed: Vec<String> = FILES.iter().map(|f| format!("{f:?}")).collect();
        let text = format!(
            "Unsupported value: {name:?}: supported values: {}",
            allowed.join(", ")
        );
        out.push(Problem::new(format!("{path}.fieldPath"), text));
    } else if !FILES.contains(&name) {
        env::field(field, path, out);
    }
}

/// A path inside a volume.
pub(super) fn place(file: &str, path: &str, out: Out) {
    if file.is_empty() {
        required(path.to_owned(), out);
    } else if file.starts_with('/') {
        invalid(path, file, "must be a relative path", out);
    } else if file.split('/').any(|part| part == "..") {
        invalid(path, file, "must not contain '..'", out);
    } else if file.starts_with("..") {
        invalid(path, file, "must not start with '..'", out);
    }
}

fn mode(source: &Value, name: &str, path: &str, out: Out) {
    if let Some(bits) = source[name]
        .as_i64()
        .filter(|bits| !(0..=0o777).contains(bits))
    {
        let text = format!("Invalid value: {bits}: {MODE_RANGE}");
        out.push(Problem::new(format!("{path}.{name}"), text));
    }
}
