//! The preStop hook of a container in its labels: it is run also when the manifest is gone.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, ExecAction, HTTPGetAction, HTTPHeader, LifecycleHandler, SleepAction,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use super::labels::{PORTS, PRE_STOP, SANDBOX_ID};
use crate::pod::Problem;
use crate::sys::json;

/// What the labels of a container say of its preStop hook.
#[derive(Clone, Debug, PartialEq)]
pub struct PreStop {
    /// The hook.
    pub handler: LifecycleHandler,
    /// The container's ports, which the hook may name.
    pub ports: Vec<ContainerPort>,
    /// The sandbox that has the address.
    pub sandbox: String,
}

/// Reads the hook back; `None` when there is none.
///
/// # Errors
/// What does not parse.
pub fn pre_stop(labels: &BTreeMap<String, String>) -> Result<Option<PreStop>, String> {
    let Some(text) = labels.get(PRE_STOP) else {
        return Ok(None);
    };
    let handler = json::read(text.as_bytes());
    let ports = labels.get(PORTS);
    Ok(Some(PreStop {
        handler: handler.map_err(|error| format!("label {PRE_STOP}: {error}"))?,
        ports: ports
            .and_then(|ports| json::read(ports.as_bytes()).ok())
            .unwrap_or_default(),
        sandbox: labels.get(SANDBOX_ID).cloned().unwrap_or_default(),
    }))
}

/// The label, byte for byte as a kubelet writes it; `None` without such a hook.
pub(super) fn label(container: &Container) -> Result<Option<String>, Problem> {
    let lifecycle = container.lifecycle.as_ref();
    let Some(handler) = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
        return Ok(None);
    };
    let text = serde_json::to_string(&Handler::of(handler))
        .map_err(|error| Problem::new("spec.containers[].lifecycle.preStop", error.to_string()))?;
    // Go escapes what HTML would take for markup; outside of strings JSON has none of these.
    let text = text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    Ok(Some(text))
}

/// A handler with its fields in Go's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Handler<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    exec: Option<&'a ExecAction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_get: Option<HttpGet<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_socket: Option<TcpSocket<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sleep: Option<&'a SleepAction>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HttpGet<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    port: &'a IntOrString,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<&'a str>,
    #[serde(skip_serializing_if = "<[HTTPHeader]>::is_empty")]
    http_headers: &'a [HTTPHeader],
}

#[derive(Serialize)]
struct TcpSocket<'a> {
    port: &'a IntOrString,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
}

fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

impl<'a> Handler<'a> {
    fn of(handler: &'a LifecycleHandler) -> Handler<'a> {
        let get = |get: &'a HTTPGetAction| HttpGet {
            path: given(get.path.as_ref()),
            port: &get.port,
            host: given(get.host.as_ref()),
            scheme: given(get.scheme.as_ref()),
            http_headers: get.http_headers.as_deref().unwrap_or_default(),
        };
        let socket = |socket: &'a TCPSocketAction| TcpSocket {
            port: &socket.port,
            host: given(socket.host.as_ref()),
        };
        Handler {
            exec: handler.exec.as_ref(),
            http_get: handler.http_get.as_ref().map(get),
            tcp_socket: handler.tcp_socket.as_ref().map(socket),
            sleep: handler.sleep.as_ref(),
        }
    }
}
