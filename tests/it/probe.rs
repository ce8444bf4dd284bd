//! What one probe finds, by the built program against small servers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A server that answers every request with what `answer` makes of its head; `None` is silence.
fn server(
    answer: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            seen.lock().unwrap().push(head.clone());
            match answer(&head) {
                Some(text) => drop(stream.write_all(text.as_bytes())),
                None => silent.push(stream),
            }
        }
    });
    (port, heads)
}

fn reply(status: &str, headers: &str) -> Option<String> {
    let body = "hello";
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

/// The report of one probe.
pub(crate) fn probe(probe: Value) -> (String, String) {
    let request = json!({"probe": {
        "dockerSocket": "/nowhere", "api": [1, 41], "id": "c1", "kind": "readiness", "ip": "127.0.0.1",
        "container": {"name": "c", "ports": [{"name": "web", "containerPort": 1}], "readinessProbe": probe},
    }});
    let mut job = Command::new(env!("CARGO_BIN_EXE_staticlet"))
        .arg("job")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = job.stdin.take().unwrap();
    input.write_all(request.to_string().as_bytes()).unwrap();
    drop(input);
    let out = job.wait_with_output().unwrap();
    let line: Value = serde_json::from_slice(&out.stdout).unwrap();
    let said = &line["probed"];
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("id"), "c1", "{line}");
    (text("found"), text("output"))
}

fn get(port: u16, more: Value) -> (String, String) {
    let mut get = json!({"path": "/", "port": port, "scheme": "HTTP"});
    get.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    probe(json!({"httpGet": get, "timeoutSeconds": 1}))
}

#[test]
fn http_is_judged_by_its_status() {
    let (port, _) = server(|head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        reply(path.trim_start_matches('/'), "")
    });
    for (status, found, output) in [
        ("200", "success", ""),
        ("204", "success", ""),
        ("304", "warning", "Probe terminated redirects"),
        ("404", "failure", "HTTP probe failed with statuscode: 404"),
        ("500", "failure", "HTTP probe failed with statuscode: 500"),
    ] {
        let (said, text) = get(port, json!({"path": format!("/{status}")}));
        assert_eq!(said, found, "{status}: {text}");
        assert!(text.starts_with(output), "{status}: {text}");
    }
}

#[test]
fn http_sends_what_a_kubelet_sends() {
    let (port, heads) = server(|_| reply("200 OK", ""));
    get(port, json!({"path": "a b?x=1#y"}));
    let headers = json!([
        {"name": "User-Agent", "value": "me"}, {"name": "Accept", "value": ""},
        {"name": "X-A", "value": "1"}, {"name": "X-A", "value": "2"}, {"name": "Host", "value": "example.com"},
    ]);
    get(port, json!({"httpHeaders": headers}));
    let heads = heads.lock().unwrap();
    let has = |at: usize, line: &str| heads[at].to_lowercase().lines().any(|l| l == line);
    for line in [
        "get /a%20b?x=1 http/1.1",
        "user-agent: kube-probe/1.36",
        "accept: */*",
        "connection: close",
    ] {
        assert!(has(0, line), "{line}\n{}", heads[0]);
    }
    assert!(
        !heads[0].to_lowercase().contains("accept-encoding"),
        "{}",
        heads[0]
    );
    for line in ["user-agent: me", "x-a: 1", "x-a: 2", "host: example.com"] {
        assert!(has(1, line), "{line}\n{}", heads[1]);
    }
    assert!(!heads[1].to_lowercase().contains("accept:"), "{}", heads[1]);
}

#[test]
fn http_follows_redirects_on_the_same_host() {
    let (port, heads) = server(|head| match head.split(' ').nth(1).unwrap_or_default() {
        "/" => reply("302 Found", "Location: /there\r\n"),
        "/there" => reply("200 OK", ""),
        "/away" => reply("302 Found", "Location: http://other.invalid/\r\n"),
        _ => reply("302 Found", "Location: /round\r\n"),
    });
    assert_eq!(get(port, json!({})).0, "success");
    assert_eq!(get(port, json!({"path": "/away"})).0, "warning");
    let before = heads.lock().unwrap().len();
    let (found, text) = get(port, json!({"path": "/round"}));
    assert_eq!(found, "failure");
    assert!(text.contains("stopped after 10 redirects"), "{text}");
    assert_eq!(heads.lock().unwrap().len() - before, 11);
}

#[test]
fn silence_is_a_failure_before_the_head_and_none_after_it() {
    let (port, _) = server(|_| None);
    let began = Instant::now();
    let (found, text) = get(port, json!({}));
    assert_eq!(found, "failure", "{text}");
    assert!(
        began.elapsed() < Duration::from_millis(1900),
        "{:?}",
        began.elapsed()
    );
    let (port, heads) =
        server(|_| Some("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".into()));
    let (found, text) = get(port, json!({}));
    assert_eq!(found, "unknown", "{text}");
    assert_eq!(heads.lock().unwrap().len(), 3);
}

#[test]
fn tcp_asks_no_more_than_a_connection() {
    let (port, _) = server(|_| None);
    assert_eq!(probe(json!({"tcpSocket": {"port": port}})).0, "success");
    let (found, text) = probe(json!({"tcpSocket": {"port": 1}}));
    assert_eq!(found, "failure");
    assert!(
        text.contains("dial tcp 127.0.0.1:1") && text.contains("refused"),
        "{text}"
    );
    let (found, text) = probe(json!({"tcpSocket": {"port": "web"}}));
    assert_eq!(found, "failure");
    assert!(text.contains("127.0.0.1:1:"), "{text}");
    let (found, text) = probe(json!({"tcpSocket": {"port": "nope"}}));
    assert_eq!(found, "unknown");
    assert!(text.contains("couldn't find port"), "{text}");
}

#[test]
fn a_command_without_dockerd_counts_neither_way() {
    let (found, text) = probe(json!({"exec": {"command": ["true"]}}));
    assert_eq!(found, "unknown");
    assert!(text.contains("/nowhere does not exist"), "{text}");
}
