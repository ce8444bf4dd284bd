//! Calls to the API server.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, Proxy};

use super::kubeconfig::Access;
use super::wire;
use crate::sys::{self, Error, Kind, Mono, Result, shown_url, tls};

/// For one call, from the name to the last byte. Longer: a server that hangs makes the Lease late.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// For one that makes an object: an admission webhook that hangs is given up by the API server after 10 s, and the object may be
/// made all the same. Longer: two of them make the Lease late.
const CREATE_TIMEOUT: Duration = Duration::from_secs(12);

/// A list of 500 pods with large manifests, or one of a thousand. Larger: a hostile server fills the memory.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// One object of a watch: at most what etcd takes, and some more.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// What a watch may send within this time: five hundred pods that change ten times. More: the agent would do nothing but listen;
/// the watch ends, and the list every minute does what it would.
const FLOOD_TIME: Duration = Duration::from_secs(10);
const FLOOD_LINES_MAX: u32 = 5000;
const FLOOD_BYTES_MAX: usize = 64 << 20;

/// How long one watch lives; asked of the server, and held to.
const WATCH_SECONDS: u64 = 290;

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Done; the object.
    Done(Value),
    /// 404: it, or its namespace, is not there.
    Gone(String),
    /// 409: it is there already, or is another than was meant.
    Conflict(String),
    /// The server said no to this one object: 400, 403, 422; 500 where a webhook could not be asked about it.
    Refused(String),
}

/// One API server, for the life of a job.
pub struct Api {
    agent: Agent,
    access: Access,
    /// What the server said last about when to come again.
    wait: Cell<Option<u64>>,
    /// The server does not know us: 401.
    denied: Cell<bool>,
}

impl Api {
    /// # Errors
    /// `Refused`, `Garbled`, `Gone`: the certificates or the proxy of the kubeconfig cannot be used.
    pub fn new(access: Access) -> Result<Api> {
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("staticlet/", env!("CARGO_PKG_VERSION")));
        if let Some(url) = &access.proxy {
            let proxy = Proxy::new(&url.0).map_err(|e| {
                let doing = format!("use proxy-url {}", shown_url(&url.0));
                Error::new(doing, Kind::Refused, e)
            })?;
            config = config.proxy(Some(proxy));
        }
        let agent = tls::agent(config.build(), &access.tls)?;
        Ok(Api {
            agent,
            access,
            wait: Cell::new(None),
            denied: Cell::new(false),
        })
    }

    /// The seconds of `Retry-After`, when the last refusal had any.
    pub fn retry_after(&self) -> Option<u64> {
        self.wait.get()
    }

    /// The server has refused what was shown to it: a plugin is to be asked anew.
    pub fn is_denied(&self) -> bool {
        self.denied.get()
    }

    /// Reads an object or a list.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.call("GET", path, ("", &Value::Null))
    }

    /// Creates an object.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub fn create(&self, path: &str, object: &Value) -> Result<Answer> {
        self.call("POST", path, ("application/json", object))
    }

    /// Changes an object by a strategic merge patch.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub fn patch(&self, path: &str, patch: &Value) -> Result<Answer> {
        let kind = "application/strategic-merge-patch+json";
        self.call("PATCH", path, (kind, patch))
    }

    /// Deletes the object with this UID at once.
    ///
    /// # Errors
    /// As [`Api::call`].
    pub fn delete(&self, path: &str, uid: &str) -> Result<Answer> {
        let options = serde_json::json!({
            "kind": "DeleteOptions", "apiVersion": "v1",
            "gracePeriodSeconds": 0, "preconditions": {"uid": uid},
        });
        self.call("DELETE", path, ("application/json", &options))
    }

    /// The pods of a node.
    ///
    /// # Errors
    /// As [`Api::call`]; also when the server says no, or with no list of pods.
    pub fn pods(&self, node: &str) -> Result<Vec<wire::Listed>> {
        let (status, text) = self.exchange("GET", &wire::pods_path(node), ("", &Value::Null))?;
        match answer(status, &text) {
            Some(Answer::Gone(said) | Answer::Conflict(said) | Answer::Refused(said)) => {
                let doing = "list the pods of this node";
                Err(Error::new(doing, Kind::Refused, said))
            }
            Some(Answer::Done(_)) | None => wire::pods(&text, node),
        }
    }

    /// One call. An error is about the server, and the next call would meet the same; [`Answer`] is about the object.
    ///
    /// # Errors
    /// `Unavailable`: no answer, 429 or 5xx. `Refused`: 401, or a redirect. `TooBig`, `Garbled`: the answer is none.
    fn call(&self, method: &str, path: &str, body: (&str, &Value)) -> Result<Answer> {
        let (status, text) = self.exchange(method, path, body)?;
        if let Some(answer) = answer(status, &text) {
            return Ok(answer);
        }
        let object = wire::tree(&text).map_err(|e| e.while_doing(self.doing(method, path)))?;
        Ok(Answer::Done(object))
    }

    fn doing(&self, method: &str, path: &str) -> String {
        let plain = path.split('?').next().unwrap_or(path);
        format!("{method} {}{plain}", self.access.server)
    }

    /// The status and the body of what is no error of the server.
    fn exchange(&self, method: &str, path: &str, body: (&str, &Value)) -> Result<(u16, Vec<u8>)> {
        let doing = || self.doing(method, path);
        let (kind, body) = body;
        let text = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body).map_err(|e| Error::new(doing(), Kind::Garbled, e))?
        };
        let request = self.request(method, path).header("content-type", kind);
        let request = request
            .body(text)
            .map_err(|e| Error::new(doing(), Kind::Garbled, e))?;
        let within = if method == "POST" {
            CREATE_TIMEOUT
        } else {
            CALL_TIMEOUT
        };
        let config = self.agent.configure_request(request);
        let config = config
            .timeout_global(Some(within))
            .allow_non_standard_methods(true);
        let response = self
            .agent
            .run(config.build())
            .map_err(|e| error(doing(), &e, within))?;
        let status = response.status().as_u16();
        let wait = retry_after(&response);
        let bytes = bounded(response).map_err(|e| e.while_doing(doing()))?;
        let said = || format!("{status}: {}", wire::message(&bytes));
        self.denied.set(status == 401);
        match status {
            200..=202 | 400 | 403..=405 | 409 | 410 | 413 | 415 | 422 => Ok((status, bytes)),
            // Not that the server is in trouble: an admission webhook for this object cannot be asked.
            500 | 504 if method != "GET" => Ok((status, bytes)),
            429 | 500..=599 => {
                self.wait.set(wait);
                Err(Error::new(doing(), Kind::Unavailable, said()))
            }
            _ => Err(Error::new(doing(), Kind::Refused, said())),
        }
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let url = format!("{}{path}", self.access.server);
        let mut request = Request::builder().method(method).uri(url);
        request = request.header("accept", "application/json");
        if let Some(shown) = &self.access.authorization {
            request = request.header("authorization", &shown.0);
        }
        for (name, value) in &self.access.acting_as {
            request = request.header(*name, value);
        }
        request
    }

    /// Follows a watch until the server ends it, or `each` breaks it off. Nothing is missed from when `opened` is called.
    ///
    /// # Errors
    /// As [`Api::call`]; also when the stream breaks, or a line is none.
    pub fn watch(
        &self,
        path: &str,
        opened: &mut dyn FnMut(),
        each: &mut dyn FnMut(wire::WatchLine) -> ControlFlow<()>,
    ) -> Result<()> {
        let doing = || format!("watch {}", self.access.server);
        let garbled = |e: &dyn std::fmt::Display| Error::new(doing(), Kind::Garbled, e);
        let path = format!("{path}&watch=true&timeoutSeconds={WATCH_SECONDS}");
        let request = self
            .request("GET", &path)
            .body(())
            .map_err(|e| garbled(&e))?;
        let config = self.agent.configure_request(request);
        let longest = Duration::from_secs(WATCH_SECONDS + 20);
        let response = self
            .agent
            .run(config.timeout_global(Some(longest)).build())
            .map_err(|e| error(doing(), &e, longest))?;
        let status = response.status().as_u16();
        self.denied.set(status == 401);
        if status != 200 {
            let bytes = bounded(response)?;
            let said = format!("{status}: {}", wire::message(&bytes));
            let kind = match status {
                429 | 500..=599 => Kind::Unavailable,
                _ => Kind::Refused,
            };
            return Err(Error::new(doing(), kind, said));
        }
        opened();
        let mut from = BufReader::new(response.into_body().into_reader());
        let mut flood = Flood::default();
        loop {
            let mut line = Vec::new();
            let got = (&mut from)
                .take(LINE_BYTES_MAX)
                .read_until(b'\n', &mut line);
            let got = got.map_err(|e| Error::io(doing(), &e))?;
            if got == 0 {
                return Ok(());
            }
            if !line.ends_with(b"\n") && line.len() as u64 >= LINE_BYTES_MAX {
                let said = format!("a line of more than {LINE_BYTES_MAX} bytes");
                return Err(Error::new(doing(), Kind::TooBig, said));
            }
            if flood.swells(line.len(), sys::now().mono) {
                let said = "it sends more than any node has pods for";
                return Err(Error::new(doing(), Kind::TooBig, said));
            }
            let line = wire::WatchLine::read(&line).map_err(|e| e.while_doing(doing()))?;
            if each(line).is_break() {
                return Ok(());
            }
        }
    }
}

/// What an answer about an object comes to; `None` when that is the object itself.
fn answer(status: u16, text: &[u8]) -> Option<Answer> {
    let said = || format!("{status}: {}", wire::message(text));
    match status {
        200..=202 => None,
        404 | 410 => Some(Answer::Gone(said())),
        409 => Some(Answer::Conflict(said())),
        _ => Some(Answer::Refused(said())),
    }
}

/// What a watch has sent lately.
#[derive(Default)]
struct Flood {
    since: Mono,
    lines: u32,
    bytes: usize,
}

impl Flood {
    /// Counts a line; says whether there are too many.
    fn swells(&mut self, bytes: usize, now: Mono) -> bool {
        if now.since(self.since) >= FLOOD_TIME {
            *self = Flood {
                since: now,
                ..Flood::default()
            };
        }
        self.lines += 1;
        self.bytes += bytes;
        self.lines > FLOOD_LINES_MAX || self.bytes > FLOOD_BYTES_MAX
    }
}

/// `Retry-After` in seconds, within reason.
fn retry_after(response: &Response<Body>) -> Option<u64> {
    let value = response.headers().get("retry-after")?.to_str().ok()?;
    value.trim().parse().ok().filter(|seconds| *seconds <= 600)
}

fn bounded(response: Response<Body>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response
        .into_body()
        .into_reader()
        .take(BODY_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new("read the answer", Kind::Unavailable, e))?;
    if bytes.len() as u64 > BODY_BYTES_MAX {
        let said = format!("it has more than {BODY_BYTES_MAX} bytes");
        return Err(Error::new("read the answer", Kind::TooBig, said));
    }
    Ok(bytes)
}

fn error(doing: String, error: &ureq::Error, within: Duration) -> Error {
    #[allow(clippy::wildcard_enum_match_arm)] // ureq's enum is open
    match error {
        ureq::Error::Timeout(_) => {
            let said = format!("no answer within {} s", within.as_secs());
            Error::new(doing, Kind::Unavailable, said)
        }
        ureq::Error::Io(error) => Error::new(doing, Kind::Unavailable, error),
        other => Error::new(doing, Kind::Unavailable, other),
    }
}
