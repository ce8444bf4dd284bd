//! The Docker API without our client: one HTTP/1.0 call per connection, so that the tests trust nothing they test.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

pub const SOCKET: &str = "/var/run/docker.sock";

/// Makes one call; the answer's status and its JSON (null when there is none).
pub fn call(method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let (status, bytes) = call_bytes(
        method,
        path,
        "application/json",
        body.map(ToString::to_string).unwrap_or_default().as_bytes(),
    );
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

/// The same with bytes both ways.
pub fn call_bytes(method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut socket = UnixStream::connect(SOCKET).expect("dockerd listens on its socket");
    socket
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: docker\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body).unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("an HTTP answer");
    let status = String::from_utf8_lossy(&answer[..end])
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .expect("a status");
    (status, answer[end + 4..].to_vec())
}

/// The containers with all of these labels, running or not, newest first.
pub fn list(labels: &[String]) -> Vec<Value> {
    let filters = serde_json::json!({ "label": labels }).to_string();
    let (status, list) = call(
        "GET",
        &format!("/containers/json?all=1&filters={}", escape(&filters)),
        None,
    );
    assert_eq!(status, 200, "{list}");
    list.as_array().cloned().unwrap_or_default()
}

/// One container in full.
pub fn inspect(id: &str) -> Value {
    call("GET", &format!("/containers/{id}/json"), None).1
}

/// Removes a container, whatever it does.
pub fn remove(id: &str) {
    call("DELETE", &format!("/containers/{id}?force=1&v=1"), None);
}

/// Percent-encodes a query value.
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => (b as char).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Runs a command in a container and gives what it printed.
pub fn exec(id: &str, command: &[&str]) -> String {
    let out = std::process::Command::new("docker")
        .arg("exec")
        .arg(id)
        .args(command)
        .output()
        .expect("the docker command");
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}
