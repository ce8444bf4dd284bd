//! The server's side of a connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use serde_json::Value;

use super::restrict::Who;
use super::select::Query;
use super::store::{Request, status};
use super::watch::Watch;
use super::{Caller, Fault, Shared, show};

pub fn serve(stream: impl Read + Write, certificate: &[u8], shared: &Shared) {
    let mut wire = BufReader::new(stream);
    while let Some(asked) = read_request(&mut wire) {
        shared.thaw();
        if !answer(&asked, certificate, (wire.get_mut(), shared)) {
            return;
        }
    }
}

/// Whether the connection goes on.
fn answer(
    asked: &Asked,
    certificate: &[u8],
    (to, shared): (&mut (impl Read + Write), &Shared),
) -> bool {
    let mut words = asked.line.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let line = format!("{method} {path}");
    shared.requests.lock().unwrap().push(line.clone());
    shared.callers.lock().unwrap().push(Caller {
        asked: line.clone(),
        authorization: asked.header("authorization").to_owned(),
        certificate: certificate.to_vec(),
    });
    if let Some(fault) = shared.fault(&line) {
        return meet(&fault, to);
    }
    let query = Query::of(path);
    let body = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
    let request = Request {
        method,
        path,
        kind: asked.header("content-type"),
        body: &body,
        who: &Who::of(asked.header("authorization"), certificate),
    };
    let (code, mut answer) = if query.is("watch") {
        let plain = path.split('?').next().unwrap_or(path);
        let rest: Vec<&str> = plain.split('/').skip(3).collect();
        let why = shared
            .store
            .lock()
            .unwrap()
            .refuses(&request, (&rest, &query), plain);
        let Some(why) = why else {
            let (path, query, asked) = (plain, &query, line.as_str());
            Watch { path, query, asked }.serve(to, shared);
            return false;
        };
        status(403, &why)
    } else {
        shared.store.lock().unwrap().answer(&request)
    };
    shared.changed.notify_all();
    if code < 300 && asked.header("accept").contains("as=Table") {
        answer = show::table(&answer);
    }
    let text = answer.to_string();
    let head = format!(
        "HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    send(to, (head + &text).as_bytes()).is_ok()
}

pub fn send(to: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
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
        Fault::Bytes(bytes) => {
            let _ = send(to, bytes);
            false
        }
        Fault::Slow(bytes) => {
            for byte in bytes {
                if send(to, &[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
            false
        }
    }
}

/// One request.
struct Asked {
    /// The first line.
    line: String,
    /// Names in lower case, and values.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }
}

fn read_request(from: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|got| *got > 0)?;
    let mut asked = Asked {
        line: line.trim_end().to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        line.clear();
        from.read_line(&mut line).ok().filter(|got| *got > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let (name, value) = (name.to_lowercase(), value.trim().to_owned());
        asked.headers.push((name, value));
    }
    let length = asked.header("content-length").parse().unwrap_or(0);
    asked.body = vec![0; length];
    from.read_exact(&mut asked.body).ok()?;
    let mut is_chunked = asked.header("transfer-encoding") == "chunked";
    while is_chunked {
        line.clear();
        from.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut part = vec![0; size];
        from.read_exact(&mut part).ok()?;
        asked.body.extend(part);
        line.clear();
        from.read_line(&mut line).ok()?;
        is_chunked = size > 0;
    }
    Some(asked)
}
