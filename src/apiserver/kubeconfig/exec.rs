//! The `exec` of a user: which program says as whom to speak, and what it is told.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Access;
use super::fields::Part;
use crate::apiserver::plugin::Plugin;
use crate::sys::tls::Trust;
use crate::sys::{Program, Result, Secret, files};

const VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// What the cluster's part for plugins is called among its extensions.
const EXTENSION: &str = "client.authentication.k8s.io/exec";

/// Reads it; `access` says what is known of the server. A plugin that is named by a path is beside the kubeconfig.
///
/// Source: client-go `tools/clientcmd/validation.go` and `plugin/pkg/client/auth/exec/exec.go`.
pub(super) fn plugin(
    exec: &Part<'_>,
    cluster: &Part<'_>,
    access: &Access,
    dir: &Path,
) -> Result<Plugin> {
    let version = exec.text("apiVersion")?;
    if !VERSIONS.contains(&version) {
        let why = format!("must be one of {}", VERSIONS.join(", "));
        return Err(exec.wrong("apiVersion", &why));
    }
    let command = exec.text("command")?;
    if command.is_empty() {
        return Err(exec.wrong("command", "is missing"));
    }
    let command = match command.contains('/') {
        true => dir.join(command).to_string_lossy().into_owned(),
        false => command.to_owned(),
    };
    expect_silence(exec, version)?;
    let mut env = Vec::new();
    for part in exec.parts("env")? {
        let name = part.text("name")?;
        if name.is_empty() || name.contains('=') {
            return Err(part.wrong("name", "must be the name of a variable"));
        }
        env.push((name.to_owned(), Secret(part.text("value")?.to_owned())));
    }
    let args = exec.texts("args")?;
    let known = known(cluster, access)?;
    let asked = json!([version, command, args, env, known]).to_string();
    let mut spec = json!({"interactive": false});
    if exec.switch("provideClusterInfo")? {
        spec["cluster"] = known;
    }
    let told = json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec});
    env.push(("KUBERNETES_EXEC_INFO".to_owned(), Secret(told.to_string())));
    Ok(Plugin {
        key: files::sha256(asked.as_bytes()),
        program: Program { command, args, env },
        version: version.to_owned(),
        hint: exec.text("installHint")?.to_owned(),
        place: exec.place(),
    })
}

/// An agent has no terminal to lend.
fn expect_silence(exec: &Part<'_>, version: &str) -> Result<()> {
    match exec.text("interactiveMode")? {
        "Never" | "IfAvailable" => Ok(()),
        "" if version.ends_with("/v1beta1") => Ok(()),
        "" => Err(exec.wrong("interactiveMode", "is missing; write Never or IfAvailable")),
        "Always" => Err(exec.wrong(
            "interactiveMode",
            "is Always, and there is no terminal; write Never or IfAvailable",
        )),
        _ => Err(exec.wrong("interactiveMode", "must be Never or IfAvailable")),
    }
}

/// The cluster as a plugin is told of it.
///
/// Source: client-go `pkg/apis/clientauthentication/v1/types.go`, `Cluster`.
fn known(cluster: &Part<'_>, access: &Access) -> Result<Value> {
    let own = cluster.named("extensions", EXTENSION)?;
    let own = own.and_then(|part| part.value("extension").cloned());
    let mut known = json!({"server": access.server, "config": own});
    let mut add = |field: &str, value: Value| {
        if let Some(map) = known.as_object_mut() {
            map.insert(field.to_owned(), value);
        }
    };
    if let Some(name) = &access.tls.server_name {
        add("tls-server-name", json!(name));
    }
    match &access.tls.trust {
        Trust::Anybody => add("insecure-skip-tls-verify", json!(true)),
        Trust::Roots(pem) => add("certificate-authority-data", json!(STANDARD.encode(pem))),
        Trust::Machine => {}
    }
    if let Some(proxy) = &access.proxy {
        add("proxy-url", json!(proxy.0));
    }
    if cluster.switch("disable-compression")? {
        add("disable-compression", json!(true));
    }
    Ok(known)
}
