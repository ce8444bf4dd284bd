//! Rules about names, labels and annotations.

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{
    LABEL_KEY, LABEL_VALUE, Out, invalid, label, name_part, qualified, required, subdomain, text,
};

/// Keys and values of all annotations together; the API server takes no more.
const ANNOTATION_BYTES_MAX: usize = 262_144;

/// Checks what names and marks the pod.
pub(super) fn check(metadata: &Value, node: &str, out: Out) {
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
            invalid("metadata.labels", key, LABEL_KEY, out);
        }
        if !value.is_empty() && !name_part(value) {
            invalid("metadata.labels", value, LABEL_VALUE, out);
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
