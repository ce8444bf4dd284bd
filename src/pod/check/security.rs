//! Rules about security contexts.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{Out, invalid, list, one_of, range, required, text};

const IDS: (i64, i64) = (0, 2_147_483_647);

pub(super) fn ids(context: &Value, path: &str, out: Out) {
    for name in ["runAsUser", "runAsGroup", "fsGroup"] {
        range(context, name, path, IDS, out);
    }
    one_of(
        context,
        "fsGroupChangePolicy",
        path,
        &["Always", "OnRootMismatch"],
        out,
    );
    one_of(context, "procMount", path, &["Default"], out);
    for (name, kind) in [
        ("seccompProfile", "seccomp"),
        ("appArmorProfile", "AppArmor"),
    ] {
        let (profile, path) = (&context[name], format!("{path}.{name}"));
        one_of(
            profile,
            "type",
            &path,
            &["Localhost", "RuntimeDefault", "Unconfined"],
            out,
        );
        localhost(profile, kind, &path, out);
        let file = text(profile, "localhostProfile");
        if kind == "seccomp" && (file.starts_with('/') || file.split('/').any(|part| part == ".."))
        {
            invalid(
                &format!("{path}.localhostProfile"),
                file,
                "must be a relative path without '..'",
                out,
            );
        }
    }
    let admin = list(&context["capabilities"], "add").contains(&Value::from("CAP_SYS_ADMIN"));
    if admin && context["allowPrivilegeEscalation"] == false {
        let why =
            "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        invalid(path, "", why, out);
    }
    if context["privileged"] == true && context["allowPrivilegeEscalation"] == false {
        invalid(
            path,
            "",
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
            out,
        );
    }
}

/// The name of a profile of this machine stands where such a profile is meant, and nowhere else.
fn localhost(profile: &Value, kind: &str, path: &str, out: Out) {
    let name = text(profile, "localhostProfile");
    let is_local = text(profile, "type") == "Localhost";
    if profile.is_object() && text(profile, "type").is_empty() {
        let text = format!("Required value: type is required when the {kind} profile is set");
        out.push(Problem::new(format!("{path}.type"), text));
    }
    let path = format!("{path}.localhostProfile");
    if is_local && name.is_empty() {
        let text = format!("Required value: must be set when {kind} type is Localhost");
        out.push(Problem::new(path, text));
    } else if !is_local && !name.is_empty() {
        let why = format!("can only be set when {kind} type is Localhost");
        invalid(&path, name, &why, out);
    } else if kind == "AppArmor" && name.trim() != name {
        invalid(&path, name, "must not be padded with whitespace", out);
    } else if kind == "AppArmor" && name.len() > APPARMOR_BYTES_MAX {
        let text = format!("Too long: may not be more than {APPARMOR_BYTES_MAX} bytes");
        out.push(Problem::new(path, text));
    }
}

/// The kernel's limit on the name of a profile.
const APPARMOR_BYTES_MAX: usize = 4095;

/// What only a pod's context has.
pub(super) fn pod(spec: &Value, out: Out) {
    let (context, path) = (&spec["securityContext"], "spec.securityContext");
    let policies = ["MountOption", "Recursive"];
    one_of(context, "seLinuxChangePolicy", path, &policies, out);
    for (at, group) in list(context, "supplementalGroups").iter().enumerate() {
        if !group
            .as_i64()
            .is_some_and(|id| (IDS.0..=IDS.1).contains(&id))
        {
            let path = format!("spec.securityContext.supplementalGroups[{at}]");
            let text = format!(
                "Invalid value: {group}: must be between {} and {}, inclusive",
                IDS.0, IDS.1
            );
            out.push(Problem::new(path, text));
        }
    }
    let mut seen = BTreeSet::new();
    for (at, sysctl) in list(context, "sysctls").iter().enumerate() {
        let path = format!("spec.securityContext.sysctls[{at}].name");
        let name = text(sysctl, "name");
        let dotted = name.replace('/', ".");
        if name.is_empty() {
            required(path, out);
        } else if !is_sysctl(name) {
            invalid(
                &path,
                name,
                "must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
                out,
            );
        } else if !seen.insert(dotted.clone()) {
            out.push(Problem::new(path, format!("Duplicate value: {name:?}")));
        } else if spec["hostNetwork"] == true && dotted.starts_with("net.") {
            invalid(
                &path,
                name,
                "may not be specified when 'hostNetwork' is true",
                out,
            );
        } else if spec["hostIPC"] == true && is_of_ipc(&dotted) {
            invalid(
                &path,
                name,
                "may not be specified when 'hostIPC' is true",
                out,
            );
        }
    }
}

fn is_sysctl(name: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 253
        && name.split(['.', '/']).all(|part| {
            part.starts_with(is_end)
                && part.ends_with(is_end)
                && part.chars().all(|c| is_end(c) || c == '-' || c == '_')
        })
}

fn is_of_ipc(name: &str) -> bool {
    name == "kernel.sem"
        || ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|start| name.starts_with(start))
}
