//! Rules about annotations that once were fields.

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{Out, invalid, list, text};

const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APPARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const COST: &str = "controller.kubernetes.io/pod-deletion-cost";

pub(super) fn check(metadata: &Value, spec: &Value, out: Out) {
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        let path = format!("metadata.annotations[{key}]");
        let value = value.as_str().unwrap_or_default();
        if key == SECCOMP_POD || key.starts_with(SECCOMP) {
            if !is_seccomp(value) {
                invalid(&path, value, "must be a valid seccomp profile", out);
            }
        } else if let Some(name) = key.strip_prefix(APPARMOR) {
            app_armor((name, value), &path, spec, out);
        } else if key == COST {
            // No plus, no leading zero: the number is its only way to be written.
            let cost: Option<i32> = value.parse().ok();
            if cost.is_none_or(|cost| cost.to_string() != value) {
                invalid(&path, value, "must be a 32bit integer", out);
            }
        }
    }
}

fn is_seccomp(value: &str) -> bool {
    let file = value.strip_prefix("localhost/");
    ["runtime/default", "docker/default", "unconfined"].contains(&value)
        || file.is_some_and(|file| {
            !file.is_empty() && !file.starts_with('/') && !file.split('/').any(|part| part == "..")
        })
}

fn app_armor((name, value): (&str, &str), path: &str, spec: &Value, out: Out) {
    let all = ["initContainers", "containers"].into_iter();
    let mut all = all.flat_map(|kind| list(spec, kind));
    let Some(container) = all.find(|container| text(container, "name") == name) else {
        invalid(path, name, "container not found", out);
        return;
    };
    let wanted = match (value, value.strip_prefix("localhost/")) {
        // Without a profile the annotation says nothing.
        ("", _) => return,
        ("runtime/default", _) => ("RuntimeDefault", ""),
        ("unconfined", _) => ("Unconfined", ""),
        (_, Some(profile)) if !profile.is_empty() => ("Localhost", profile),
        _ => {
            let why = "invalid AppArmor profile: runtime/default, unconfined and localhost/NAME are known";
            invalid(path, value, why, out);
            return;
        }
    };
    let field = &container["securityContext"]["appArmorProfile"];
    if field.is_object() && (text(field, "type"), text(field, "localhostProfile")) != wanted {
        let text = "Forbidden: apparmor profile in annotation and in securityContext.appArmorProfile must match";
        out.push(Problem::new(path, text));
    }
}
