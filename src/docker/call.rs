//! One request and its answer: versions, deadlines, sizes, and what each fault means to the caller.

use std::cell::Cell;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::{Agent, AsSendBody, Body, SendBody};

use super::deadlines::{self as limit, Deadline};
use super::stream::{self, LineError};
use super::transport::{self, Shut, UntilShut};
use super::wire;
use crate::sys::{Error, Kind, Result};

/// The newest API this program is written for. Newer daemons speak it, and what came later is not needed.
const API_WANTED: (u32, u32) = (1, 44);

/// The oldest API this program works with (Docker 19.03).
const API_OLDEST: (u32, u32) = (1, 40);

/// One request, before it has an API version.
pub(super) struct Call<'a> {
    pub(super) doing: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) deadline: Deadline,
    pub(super) content: Content<'a>,
    /// The `X-Registry-Auth` header.
    pub(super) auth: Option<String>,
}

pub(super) enum Content<'a> {
    Nothing,
    Json(Vec<u8>),
    Stream(&'a mut dyn Read),
}

impl Call<'_> {
    /// A short look.
    pub(super) fn read(doing: impl Into<String>, path: impl Into<String>) -> Self {
        Call {
            doing: doing.into(),
            method: Method::GET,
            path: path.into(),
            query: Vec::new(),
            deadline: limit::READ,
            content: Content::Nothing,
            auth: None,
        }
    }

    /// A change.
    pub(super) fn change(
        doing: impl Into<String>,
        method: Method,
        path: impl Into<String>,
    ) -> Self {
        Call {
            method,
            deadline: limit::CHANGE,
            ..Call::read(doing, path)
        }
    }
}

/// An answer below 400 whose body is yet to be read.
struct Reply {
    doing: String,
    deadline: Deadline,
    response: Response<Body>,
}

/// The way to one dockerd, with one connection kept open between calls.
#[derive(Debug)]
pub(super) struct Link {
    agent: Agent,
    shut: Shut,
    /// Given or negotiated; forgotten when dockerd says it does not speak it, because it was replaced under us.
    api: Cell<Option<(u32, u32)>>,
    /// The oldest API that this dockerd said it speaks.
    floor: Cell<(u32, u32)>,
}

impl Link {
    pub(super) fn new(
        socket: &str,
        api: Option<(u32, u32)>,
        outlet: Option<transport::Outlet>,
    ) -> Link {
        let shut = Shut::default();
        Link {
            agent: transport::agent(socket, Shut::clone(&shut), outlet),
            shut,
            api: Cell::new(api),
            floor: Cell::new(API_OLDEST),
        }
    }

    /// The API version in use. Negotiated once: the smaller of what we want and what dockerd's newest is; no single
    /// version works with both Docker 20.10 (at most 1.41) and 29 (at least 1.44).
    pub(super) fn api(&self) -> Result<(u32, u32)> {
        if let Some(api) = self.api.get() {
            return Ok(api);
        }
        let doing = "ask dockerd for its API version";
        let reply = self.send("/_ping".into(), Call::read(doing, ""))?;
        let header = reply.response.headers().get("api-version");
        let server = header.and_then(|value| parse_api(value.to_str().ok()?));
        reply.body(limit::ERROR_BYTES_MAX)?;
        let Some(server) = server else {
            let said = "the answer to /_ping has no Api-Version (is it dockerd?)";
            return Err(Error::new(doing, Kind::Garbled, said));
        };
        if server < API_OLDEST {
            let ((major, minor), (old_major, old_minor)) = (server, API_OLDEST);
            let said = format!(
                "dockerd speaks API {major}.{minor}, {old_major}.{old_minor} is the oldest that works"
            );
            return Err(Error::new(doing, Kind::Refused, said));
        }
        let api = API_WANTED.min(server).max(self.floor.get());
        self.api.set(Some(api));
        Ok(api)
    }

    /// A call whose answer is one JSON document of at most this many bytes.
    pub(super) fn json<T: DeserializeOwned>(&self, call: Call<'_>, bytes_max: usize) -> Result<T> {
        let reply = self.versioned(call)?;
        let doing = reply.doing.clone();
        let (bytes, whole) = reply.body(bytes_max)?;
        if !whole {
            let said = format!("dockerd's answer is longer than {bytes_max} bytes");
            return Err(Error::new(doing, Kind::TooBig, said));
        }
        serde_json::from_slice(&bytes).map_err(|err| {
            let said = format!("dockerd's answer does not parse: {err}");
            Error::new(doing, Kind::Garbled, said)
        })
    }

    /// A call whose answer is one object.
    pub(super) fn object<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T> {
        self.json(call, limit::OBJECT_BYTES_MAX)
    }

    /// A call without an answer but its status.
    pub(super) fn done(&self, call: Call<'_>) -> Result<()> {
        // Read to its end, so that the connection can be used again.
        self.versioned(call)?.body(limit::ERROR_BYTES_MAX)?;
        Ok(())
    }

    /// A call whose answer is bytes, of which at most so many are read.
    pub(super) fn bytes(&self, call: Call<'_>, bytes_max: usize) -> Result<Vec<u8>> {
        Ok(self.versioned(call)?.body(bytes_max)?.0)
    }

    /// A call whose answer is bytes until the other side hangs up, handed over piece by piece, until `each` breaks off.
    pub(super) fn raw(
        &self,
        call: Call<'_>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let Reply {
            doing,
            deadline,
            response,
        } = self.versioned(call)?;
        let mut from = response.into_body().into_reader();
        let mut piece = [0; 4096];
        loop {
            let got = from
                .read(&mut piece)
                .map_err(|err| transport::error(doing.as_str(), deadline, err.into()))?;
            if got == 0 {
                return Ok(());
            }
            if each(piece.get(..got).unwrap_or_default()).is_break() {
                return Ok(());
            }
        }
    }

    /// A call whose answer is lines of JSON without end. Breaking off closes the connection, which is how dockerd is told
    /// to stop what it does.
    pub(super) fn lines<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        each: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> Result<()> {
        Link::lines_of(self.versioned(call)?, each)
    }

    /// As [`Link::lines`], for one who wants to know that the stream is open: `each` is first called with `None`.
    pub(super) fn opened_lines<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
        each: &mut dyn FnMut(Option<T>) -> ControlFlow<()>,
    ) -> Result<()> {
        let reply = self.versioned(call)?;
        if each(None).is_break() {
            return Ok(());
        }
        Link::lines_of(reply, &mut |line| each(Some(line)))
    }

    fn lines_of<T: DeserializeOwned>(
        reply: Reply,
        each: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> Result<()> {
        let (doing, deadline) = (reply.doing, reply.deadline);
        let mut from = BufReader::new(reply.response.into_body().into_reader());
        loop {
            let line = stream::next_line(&mut from, limit::LINE_BYTES_MAX);
            let line = line.map_err(|err| match err {
                LineError::Io(err) => transport::error(doing.as_str(), deadline, err.into()),
                LineError::TooLong(max) => {
                    let said = format!("dockerd sent a line of more than {max} bytes");
                    Error::new(doing.as_str(), Kind::TooBig, said)
                }
                LineError::Garbled(said) => Error::new(doing.as_str(), Kind::Garbled, said),
            })?;
            match line.map(&mut *each) {
                Some(ControlFlow::Continue(())) => {}
                Some(ControlFlow::Break(())) | None => return Ok(()),
            }
        }
    }

    fn versioned(&self, call: Call<'_>) -> Result<Reply> {
        let (major, minor) = self.api()?;
        let mut target = format!("/v{major}.{minor}{}", call.path);
        for (at, (name, value)) in call.query.iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            target.push(mark);
            target.push_str(name);
            target.push('=');
            target.push_str(&escape(value, b""));
        }
        let sent = self.send(target, call);
        if let Err(err) = &sent {
            self.learn_api(err);
        }
        sent
    }

    /// A dockerd that was up- or downgraded under us says so; the next call negotiates again.
    fn learn_api(&self, err: &Error) {
        let said = err.said();
        if err.kind() != Kind::Refused || !said.contains("client version") {
            return;
        }
        self.api.set(None);
        let minimum = said.split("Minimum supported API version is ").nth(1);
        let word = minimum.and_then(|rest| rest.split([' ', ',']).next());
        if let Some(floor) = word.and_then(|word| parse_api(word.trim_end_matches('.'))) {
            self.floor.set(floor);
        }
    }

    fn send(&self, target: String, call: Call<'_>) -> Result<Reply> {
        let Call {
            doing,
            deadline,
            method,
            ..
        } = call;
        let mut request = Request::builder()
            .method(method.clone())
            .uri(format!("http://docker{target}"));
        if let Some(auth) = call.auth {
            request = request.header("x-registry-auth", auth);
        }
        let sent = match call.content {
            // A POST says that its body is empty: dockerd's `start` refuses one of unknown length.
            Content::Nothing if method == Method::POST => {
                self.run(request.body(&b""[..]), deadline)
            }
            Content::Nothing => self.run(request.body(()), deadline),
            Content::Json(json) => {
                let request = request.header("content-type", "application/json");
                self.run(request.body(json), deadline)
            }
            Content::Stream(body) => {
                let request = request.header("content-type", "application/x-tar");
                let shut = Shut::clone(&self.shut);
                let mut body = UntilShut { body, shut };
                self.run(request.body(SendBody::from_reader(&mut body)), deadline)
            }
        };
        let response = sent.map_err(|err| transport::error(doing.as_str(), deadline, err))?;
        Reply {
            doing,
            deadline,
            response,
        }
        .judged()
    }

    fn run(
        &self,
        request: std::result::Result<Request<impl AsSendBody>, ureq::http::Error>,
        deadline: Deadline,
    ) -> std::result::Result<Response<Body>, ureq::Error> {
        let config = self.agent.configure_request(request?);
        let config = match deadline {
            Deadline::Whole(time) => config.timeout_global(Some(time)),
            Deadline::Pause(time) => config
                .timeout_per_read(Some(time))
                .timeout_per_write(Some(time)),
            Deadline::Head(time) => config
                .timeout_recv_response(Some(time))
                .timeout_per_write(Some(time)),
        };
        self.agent.run(config.build())
    }
}

impl Reply {
    /// Sorts by status. Starting what runs and stopping what does not is answered by 304 and is as good as done.
    fn judged(self) -> Result<Reply> {
        let status = self.response.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(self);
        }
        let kind = match status.as_u16() {
            404 => Kind::Gone,
            409 => Kind::Conflict,
            502..=504 => Kind::Unavailable,
            400.. => Kind::Refused,
            // A redirect, or a switch of protocols that nobody asked for.
            _ => Kind::Garbled,
        };
        let doing = self.doing.clone();
        let (bytes, _) = self.body(limit::ERROR_BYTES_MAX)?;
        let reason = match serde_json::from_slice::<wire::ErrorBody>(&bytes) {
            Ok(body) if !body.message.is_empty() => body.message,
            Ok(_) | Err(_) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        };
        let said = match (status.as_u16(), reason.as_str()) {
            (code, "") => format!("dockerd {code}"),
            (code, reason) => format!("dockerd {code}: {reason}"),
        };
        Err(Error::new(doing, kind, said))
    }

    /// Up to so many bytes of the body, and whether that is all of it.
    fn body(self, bytes_max: usize) -> Result<(Vec<u8>, bool)> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let from = self.response.into_body().into_reader();
        let read = from.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|err| transport::error(self.doing, self.deadline, err.into()))?;
        let whole = bytes.len() <= bytes_max;
        bytes.truncate(bytes_max);
        Ok((bytes, whole))
    }
}

/// `1.41` as two numbers.
fn parse_api(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Percent-encodes everything but letters, digits, `-._~` and `keep`.
pub(super) fn escape(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_versions() {
        assert_eq!(parse_api("1.41"), Some((1, 41)));
        assert_eq!(parse_api("1"), None);
        assert_eq!(parse_api(""), None);
    }

    #[test]
    fn daemon_replaced_under_us_is_asked_again() {
        let link = Link::new("/nowhere", Some((1, 41)), None);
        let said = "dockerd 400: client version 1.41 is too old. Minimum supported API version is 1.52, please upgrade your client to a newer version";
        link.learn_api(&Error::new("list", Kind::Refused, said));
        assert_eq!((link.api.get(), link.floor.get()), (None, (1, 52)));
    }

    #[test]
    fn stream_may_take_long_but_not_pause_for_long() {
        use std::io::Write;
        use std::time::Duration;
        let path = std::env::temp_dir().join(format!("staticlet-pause-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            for _ in 0..4 {
                #[allow(clippy::disallowed_methods)] // a test
                std::thread::sleep(Duration::from_millis(150));
                stream.write_all(b"{}\n").unwrap();
            }
            // Until the client hangs up.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let link = Link::new(path.to_str().unwrap(), Some((1, 41)), None);
        let mut call = Call::change("pull", Method::POST, "/images/create");
        call.deadline = Deadline::Pause(Duration::from_millis(400));
        let mut lines = 0;
        let end = link.lines(call, &mut |_: wire::PullLine| {
            lines += 1;
            ControlFlow::Continue(())
        });
        let err = end.unwrap_err();
        assert_eq!((err.kind(), lines), (Kind::Unavailable, 4), "{err}");
        served.join().unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn escapes() {
        assert_eq!(escape("a b/c?é", b"/"), "a%20b/c%3F%C3%A9");
    }
}
