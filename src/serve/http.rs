//! The process that answers one connection: the socket is its standard input and output.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::path::Path;

use super::pages::{Page, page};
use super::{Pulse, What};
use crate::publish;
use crate::sys::{self, Error, Kind, Result, files};

/// What a client may say before it is answered.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// More than a browser sends.
const HEADERS_MAX: usize = 64;

/// Answers, and ends.
///
/// # Errors
/// The client went away, or nothing could be given up.
pub fn answer(what: What, pulse: &str) -> Result<()> {
    let pulse: Pulse = serde_json::from_str(pulse)
        .map_err(|e| Error::new("read the state of the agent", Kind::Garbled, e))?;
    // For root's eyes: opened while this is root, read when somebody may have it.
    let path = publish::path(&pulse.run_dir);
    let published = files::open_regular(Path::new(&path), nix::fcntl::OFlag::empty()).ok();
    if !sys::drop_privileges() {
        return Ok(());
    }
    let doing = "answer a client";
    let io = |e: std::io::Error| Error::io(doing, &e);
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(io)?;
    let output = std::io::stdout().as_fd().try_clone_to_owned().map_err(io)?;
    let answer = respond(File::from(input), (what, &pulse, published)).map_err(io)?;
    File::from(output).write_all(&answer).map_err(io)
}

/// The whole answer to one request, whatever stands in its place; `published` is the file of the published state.
///
/// # Errors
/// The request cannot be read to its end.
pub fn respond(
    from: impl Read,
    (what, pulse, published): (What, &Pulse, Option<File>),
) -> std::io::Result<Vec<u8>> {
    let (without_body, page) = match read_head(from)? {
        Some((method, path)) => reply(&method, &path, (what, pulse, published)),
        None => (false, Page::text(400, "400 Bad Request\n")),
    };
    let mut answer = head(&page).into_bytes();
    if !without_body {
        answer.extend_from_slice(&page.body);
    }
    Ok(answer)
}

fn reply(
    method: &str,
    path: &str,
    (what, pulse, published): (What, &Pulse, Option<File>),
) -> (bool, Page) {
    let path = path.split('?').next().unwrap_or_default();
    match method {
        "GET" => (false, page(path, what, pulse, published)),
        "HEAD" => (true, page(path, what, pulse, published)),
        _ => (false, Page::text(405, "405 method not allowed\n")),
    }
}

fn head(page: &Page) -> String {
    let reason = match page.status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\nX-Content-Type-Options: nosniff\r\n\
        Cache-Control: no-store\r\nConnection: close\r\n\r\n",
        page.status,
        page.kind,
        page.body.len()
    )
}

/// Method and path; `None` when that is no request of HTTP.
fn read_head(mut from: impl Read) -> std::io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0_u8; 1024];
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Err(_) => return Ok(None),
            Ok(httparse::Status::Complete(_)) => {
                let method = request.method.unwrap_or_default().to_owned();
                return Ok(Some((method, request.path.unwrap_or_default().to_owned())));
            }
            Ok(httparse::Status::Partial) if bytes.len() > HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) => {}
        }
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
}
