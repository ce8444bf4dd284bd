//! What a probed service may answer.

use std::sync::LazyLock;

use serde_json::{Value, json};
use staticlet::jobs::{ProbeRequest, attempt};

use super::server::{Script, Server, address};

static GRPC: LazyLock<Server> = LazyLock::new(Server::tcp);
static HTTP: LazyLock<Server> = LazyLock::new(Server::tcp);

fn probed(ip: &str, probe: &Value) {
    let request = json!({
        "dockerSocket": "/nowhere", "api": [1, 41], "id": "c1", "kind": "readiness", "ip": ip,
        "container": {"name": "c", "readinessProbe": probe},
    });
    let request: ProbeRequest = serde_json::from_value(request).expect("it is a request");
    let (Ok((_, said)) | Err(said)) = attempt(&request);
    // The kubelet keeps as much of a body.
    assert!(said.len() <= 16 << 10, "{} bytes", said.len());
}

/// Frames of HTTP/2.
pub(super) fn grpc(data: &[u8]) {
    let Some((piece, frames)) = data.split_first() else {
        return;
    };
    GRPC.play(Script {
        answers: vec![("", frames.to_vec())],
        piece: usize::from(*piece),
        listens: true,
    });
    let probe = json!({"grpc": {"port": GRPC.port, "service": "s"}, "timeoutSeconds": 2});
    probed(&address(data), &probe);
}

/// An answer of HTTP/1.
pub(super) fn http(data: &[u8]) {
    let Some((piece, answer)) = data.split_first() else {
        return;
    };
    // No other machine is asked.
    if String::from_utf8_lossy(answer)
        .to_lowercase()
        .contains("location")
    {
        return;
    }
    HTTP.play(Script {
        answers: vec![("", answer.to_vec())],
        piece: usize::from(*piece),
        listens: false,
    });
    let probe = json!({"httpGet": {"port": HTTP.port, "path": "/"}, "timeoutSeconds": 2});
    probed(&address(data), &probe);
}
