//! Probes in a manifest: their defaults, and what may stand in them.
//!
//! Source: kubernetes `core/v1/defaults.go` SetDefaults_Probe, `core/validation` validateProbe.

use serde_json::{Value, json};

use super::Problem;
use super::rules::{Out, invalid, is_label, list, one_of, required, text};

const KINDS: [&str; 3] = ["livenessProbe", "readinessProbe", "startupProbe"];

/// Zero means the default to Kubernetes.
const NUMBERS: [(&str, i64); 4] = [
    ("timeoutSeconds", 1),
    ("periodSeconds", 10),
    ("successThreshold", 1),
    ("failureThreshold", 3),
];

/// Hands every default of the probes of a container to `visit`.
pub(super) fn defaults(container: &mut Value, visit: &mut dyn FnMut(&mut Value, &str, Value)) {
    for kind in KINDS {
        let Some(probe) = container.get_mut(kind).filter(|probe| probe.is_object()) else {
            continue;
        };
        for (name, default) in NUMBERS {
            if probe.get(name).is_some_and(|given| *given == 0)
                && let Some(map) = probe.as_object_mut()
            {
                map.remove(name);
            }
            visit(probe, name, json!(default));
        }
        if let Some(get) = probe.get_mut("httpGet").filter(|get| get.is_object()) {
            visit(get, "path", json!("/"));
            visit(get, "scheme", json!("HTTP"));
        }
        if let Some(grpc) = probe.get_mut("grpc").filter(|grpc| grpc.is_object()) {
            visit(grpc, "service", json!(""));
        }
    }
}

/// Everything wrong with the probes of a container.
pub(super) fn check(container: &Value, path: &str, out: Out) {
    for kind in KINDS {
        if container[kind].is_object() {
            probe(&container[kind], kind, &format!("{path}.{kind}"), out);
        }
    }
}

fn probe(probe: &Value, kind: &str, path: &str, out: Out) {
    let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
    let given = handlers.iter().filter(|name| probe[**name].is_object());
    let forbidden = |name: &str, text: &str| Problem::new(format!("{path}.{name}"), text);
    for (at, name) in given.clone().enumerate() {
        if at > 0 {
            out.push(forbidden(
                name,
                "Forbidden: may not specify more than 1 handler type",
            ));
        }
    }
    if given.count() == 0 {
        let text = "Required value: must specify a handler type";
        let hint = "one of exec, httpGet, tcpSocket, grpc";
        out.push(Problem::new(path, text).hint(hint));
    }
    for name in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        if let Some(value) = probe[name].as_i64().filter(|value| *value < 0) {
            let why = "must be greater than or equal to 0";
            number(&format!("{path}.{name}"), value, why, out);
        }
    }
    let is_readiness = kind == "readinessProbe";
    if let Some(value) = probe["successThreshold"].as_i64().filter(|n| *n > 1)
        && !is_readiness
    {
        number(&format!("{path}.successThreshold"), value, "must be 1", out);
    }
    if let Some(grace) = probe["terminationGracePeriodSeconds"].as_i64() {
        let path = format!("{path}.terminationGracePeriodSeconds");
        if is_readiness {
            number(&path, grace, "must not be set for readinessProbes", out);
        } else if grace <= 0 {
            number(&path, grace, "must be greater than 0", out);
        }
    }
    handler(probe, path, out);
}

/// What is wrong with what a probe or a hook does.
pub(super) fn handler(probe: &Value, path: &str, out: Out) {
    if probe["exec"].is_object() && list(&probe["exec"], "command").is_empty() {
        required(format!("{path}.exec.command"), out);
    }
    for name in ["httpGet", "tcpSocket", "grpc"] {
        if probe[name].is_object() {
            port(&probe[name]["port"], &format!("{path}.{name}.port"), out);
        }
    }
    let get = &probe["httpGet"];
    if get.is_object() {
        let path = format!("{path}.httpGet");
        one_of(get, "scheme", &path, &["HTTP", "HTTPS"], out);
        for (at, header) in list(get, "httpHeaders").iter().enumerate() {
            let name = text(header, "name");
            let is_token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if name.is_empty() || !name.bytes().all(is_token) {
                let why = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name')";
                invalid(&format!("{path}.httpHeaders[{at}].name"), name, why, out);
            }
        }
    }
}

/// A number, or the name of a port; whether there is a port of that name shows when the probe is made.
fn port(port: &Value, path: &str, out: Out) {
    match (port.as_i64(), port.as_str()) {
        (Some(value), _) if !(1..=65535).contains(&value) => {
            number(path, value, "must be between 1 and 65535, inclusive", out);
        }
        (Some(_), _) => {}
        (None, Some(name)) => {
            let is_name = name.len() <= 15
                && is_label(name)
                && !name.contains("--")
                && name.bytes().any(|b| b.is_ascii_lowercase());
            if !is_name {
                let why = "must be at most 15 lower-case letters, digits and single '-', with at least one letter";
                invalid(path, name, why, out);
            }
        }
        (None, None) => required(path.to_owned(), out),
    }
}

fn number(path: &str, value: i64, why: &str, out: Out) {
    out.push(Problem::new(path, format!("Invalid value: {value}: {why}")));
}
