//! The server's side of a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::{Caller, Fault, Shared};

pub fn serve(stream: impl Read + Write, certificate: &[u8], shared: &Shared) {
    let mut wire = BufReader::new(stream);
    while let Some((line, authorization, body)) = read_request(&mut wire) {
        let mut words = line.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let asked = format!("{method} {path}");
        shared.requests.lock().unwrap().push(asked.clone());
        shared.callers.lock().unwrap().push(Caller {
            asked: asked.clone(),
            authorization,
            certificate: certificate.to_vec(),
        });
        if let Some(fault) = fault(shared, &asked) {
            if meet(&fault, wire.get_mut()) {
                continue;
            }
            return;
        }
        if path.contains("watch=true") || path.contains("watch=1") {
            watch(path, wire.get_mut(), shared, &asked);
            return;
        }
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let (code, answer) = shared.store.lock().unwrap().answer(method, path, &body);
        shared.changed.notify_all();
        let text = answer.to_string();
        let head = format!(
            "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        if send(wire.get_mut(), (head + &text).as_bytes()).is_err() {
            return;
        }
    }
}

fn send(to: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

fn fault(shared: &Shared, asked: &str) -> Option<Fault> {
    let faults = shared.faults.lock().unwrap();
    let fault = faults.iter().find(|(begin, _)| asked.starts_with(begin));
    fault.map(|(_, fault)| fault.clone())
}

/// Whether the connection goes on.
fn meet(fault: &Fault, to: &mut (impl Read + Write)) -> bool {
    match fault {
        Fault::Says(head, body) => {
            let text = format!(
                "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            send(to, text.as_bytes()).is_ok()
        }
        Fault::Hang => {
            let _ = to.read(&mut [0]);
            false
        }
        Fault::Cut => false,
        Fault::Endless(again) => {
            let _ = to.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while send(to, again).is_ok() {}
            false
        }
    }
}

fn watch(path: &str, to: &mut impl Write, shared: &Shared, asked: &str) {
    let path = path.replace("%3D", "=");
    let node = path
        .split(['?', '&'])
        .find_map(|p| p.strip_prefix("fieldSelector=spec.nodeName="));
    let is_meant = |pod: &Value| node.is_none_or(|node| pod["spec"]["nodeName"] == node);
    let mut store = shared.store.lock().unwrap();
    let pods = store
        .objects
        .iter()
        .filter(|(path, _)| path.contains("/pods/"));
    let mut lines: Vec<Value> = pods
        .filter(|(_, pod)| is_meant(pod))
        .map(|(_, pod)| json!({"type": "ADDED", "object": pod}))
        .collect();
    let mut seen = store.log.len();
    drop(store);
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    if send(to, head.as_bytes()).is_err() {
        return;
    }
    loop {
        for line in lines.drain(..) {
            let text = line.to_string() + "\n";
            let chunk = format!("{:x}\r\n{text}\r\n", text.len());
            if send(to, chunk.as_bytes()).is_err() {
                return;
            }
        }
        if fault(shared, asked).is_some() {
            return;
        }
        store = shared.store.lock().unwrap();
        if store.log.len() == seen {
            let wait = Duration::from_millis(200);
            store = shared.changed.wait_timeout(store, wait).unwrap().0;
        }
        let new = store.log.get(seen..).unwrap_or_default();
        lines = new
            .iter()
            .filter(|(_, pod)| is_meant(pod))
            .map(|(kind, pod)| json!({"type": kind, "object": pod}))
            .collect();
        seen = store.log.len();
        drop(store);
    }
}

/// The first line, the `Authorization` header, and the body.
fn read_request(from: &mut impl BufRead) -> Option<(String, String, Vec<u8>)> {
    let (mut first, mut length, mut is_chunked) = (String::new(), 0, false);
    let mut authorization = String::new();
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if lower.starts_with("authorization:") {
            line["authorization:".len()..]
                .trim()
                .clone_into(&mut authorization);
        }
        is_chunked |= lower.starts_with("transfer-encoding: chunked");
        if first.is_empty() {
            line.trim_end().clone_into(&mut first);
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    while is_chunked {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut part = vec![0; size];
        from.read_exact(&mut part).ok()?;
        body.extend(part);
        from.read_line(&mut line).ok()?;
        is_chunked = size > 0;
    }
    Some((first, authorization, body))
}
