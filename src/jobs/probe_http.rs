//! A probe or a hook by HTTP: one GET, redirects followed on the same host only.
//!
//! Source: kubelet 1.36 `pkg/probe/http`.

use std::io::Read;
use std::time::Duration;

use k8s_openapi::api::core::v1::HTTPGetAction;
use ureq::Agent;
use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use super::probe::Attempt;
use crate::state::Probed;
use crate::sys;

/// What servers know a kubelet's probes by.
const USER_AGENT: &str = "kube-probe/1.36";

const REDIRECTS_MAX: usize = 10;

/// What is read of a body.
const BODY_BYTES_MAX: u64 = 10 * 1024;

/// What came of a question.
pub(super) enum Answer {
    /// This status, with the beginning of the body.
    Status(u16, String),
    /// A redirect to another host, with the beginning of the body.
    Elsewhere(String),
    /// None, and why.
    None(String),
}

/// Makes the probe.
pub(super) fn probe(get: &HTTPGetAction, at: (&str, u16), timeout: Duration) -> Attempt {
    Ok(match ask(get, at, timeout, USER_AGENT)? {
        Answer::Status(status, body) => judge(status, &body),
        Answer::Elsewhere(body) => {
            let text = format!("Probe terminated redirects, Response body: {body}");
            (Probed::Warning, text)
        }
        Answer::None(why) => (Probed::Failure, why),
    })
}

/// Asks once; the error is one of making the question.
pub(super) fn ask(
    get: &HTTPGetAction,
    (host, port): (&str, u16),
    timeout: Duration,
    user_agent: &'static str,
) -> Result<Answer, String> {
    let host = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let scheme = get.scheme.as_deref().unwrap_or("HTTP").to_ascii_lowercase();
    let path = escaped(get.path.as_deref().unwrap_or("/"));
    let mut url = format!("{scheme}://{host}:{port}{path}");
    let headers = headers(get)?;
    let until = sys::now().mono.after(timeout);
    let agent = agent(&headers, user_agent).map_err(|error| error.to_string())?;
    for _ in 0..=REDIRECTS_MAX {
        let failed = |why: String| Ok(Answer::None(format!("Get {url:?}: {why}")));
        let left = until.since(sys::now().mono);
        if left.is_zero() {
            return failed("the timeout of the probe is over".to_owned());
        }
        let mut request = Request::get(&url).header("connection", "close");
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        let request = request.body(()).map_err(|error| error.to_string())?;
        let config = agent.configure_request(request).timeout_global(Some(left));
        let response = match agent.run(config.build()) {
            Ok(response) => response,
            Err(error) => return failed(words(&error, timeout)),
        };
        let status = response.status().as_u16();
        let location = response.headers().get("location").cloned();
        let mut body = Vec::new();
        // What breaks off in the body is no answer at all, and counts neither way.
        response
            .into_body()
            .into_reader()
            .take(BODY_BYTES_MAX)
            .read_to_end(&mut body)
            .map_err(|error| format!("Get {url:?}: {error}"))?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let next = location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308));
        match next.and_then(|next| target(&url, next.to_str().ok()?)) {
            Some((same_host, next)) if same_host => url = next,
            Some(_) => return Ok(Answer::Elsewhere(body)),
            None => return Ok(Answer::Status(status, body)),
        }
    }
    let text = format!("Get {url:?}: stopped after {REDIRECTS_MAX} redirects");
    Ok(Answer::None(text))
}

fn judge(status: u16, body: &str) -> (Probed, String) {
    match status {
        200..=299 => (Probed::Success, String::new()),
        300..=399 => {
            let text = format!("Probe terminated redirects, Response body: {body}");
            (Probed::Warning, text)
        }
        _ => {
            let text = format!("HTTP probe failed with statuscode: {status}");
            (Probed::Failure, text)
        }
    }
}

fn words(error: &ureq::Error, timeout: Duration) -> String {
    #[allow(clippy::wildcard_enum_match_arm)] // ureq's enum is open
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {} s", timeout.as_secs()),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// All headers that the probe names; an empty one means that it is not sent at all.
fn headers(get: &HTTPGetAction) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for header in get.http_headers.iter().flatten() {
        let name: HeaderName = header
            .name
            .parse()
            .map_err(|_| format!("header name {:?} is none", header.name))?;
        let value = HeaderValue::from_str(&header.value)
            .map_err(|_| format!("value of header {} is none", header.name))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Takes any certificate: who can answer on the pod's address can do so in plain HTTP as well.
fn agent(headers: &HeaderMap, user_agent: &'static str) -> sys::Result<Agent> {
    let unless_given = |name: &str, value: &'static str| {
        if headers.contains_key(name) {
            AutoHeaderValue::None
        } else {
            value.into()
        }
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(unless_given("user-agent", user_agent))
        .accept(unless_given("accept", "*/*"))
        .accept_encoding(AutoHeaderValue::None)
        .build();
    sys::tls::agent(config, &sys::tls::Tls::unverified())
}

/// The path as it goes over the wire: bytes that may not stand in a URL are escaped, and the fragment stays here.
fn escaped(path: &str) -> String {
    let path = path.split('#').next().unwrap_or_default();
    let mut out = String::new();
    if !path.starts_with('/') {
        out.push('/');
    }
    for byte in path.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Where a redirect leads, and whether that is on the same host; the port does not matter.
fn target(from: &str, location: &str) -> Option<(bool, String)> {
    let from: Uri = from.parse().ok()?;
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    let next = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{}", escaped(location))
    } else {
        let dir = from.path().rsplit_once('/').map_or("", |(dir, _)| dir);
        format!(
            "{scheme}://{authority}{}",
            escaped(&format!("{dir}/{location}"))
        )
    };
    let to: Uri = next.parse().ok()?;
    Some((to.host()? == authority.host(), next))
}
