//! Asks the manifest URL once.
//!
//! Runs without privilege, since everything that comes back is a stranger's. Redirects are followed by hand: headers,
//! which may hold a key, go to no other server than the one they were meant for. An answer may be compressed with gzip; its
//! limit holds on both sides, and no more is unpacked than that.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::header::ACCEPT_ENCODING;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};

use super::report::say;
use super::run::Outcome;
use crate::pod::MANIFEST_BYTES_MAX;
use crate::sources::{FetchRequest, Tags};
use crate::state::{Fetched, Report};
use crate::sys::minisign::SIGNATURE_BYTES_MAX;
use crate::sys::tls::{self, Identity, Tls, Trust};
use crate::sys::{self, Mono, files, shown_url};

/// For the whole exchange, redirects and all; as in the kubelet.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// As in the kubelet.
const REDIRECTS_MAX: usize = 10;

/// Text of one line to the agent: quoted it is up to six times as long, and a line has at most 64 KiB.
const PART_BYTES: usize = 8 * 1024;

/// A whole CA bundle is below a quarter of it.
const PEM_BYTES_MAX: usize = 1 << 20;

/// How an exchange ended well.
enum Answer {
    /// With its signature, if one is wanted.
    New(Page, Option<String>),
    Unchanged,
}

/// What a server says, and what it has marked that with.
struct Page {
    text: String,
    tags: Tags,
}

/// All that one exchange needs.
struct Asking<'a> {
    request: &'a FetchRequest,
    tls: &'a Tls,
    until: Mono,
}

/// Asks, and says what came of it.
pub(super) fn run(request: &FetchRequest) -> Outcome {
    // Keys are for root's eyes: read before root is given up.
    let tls = trusts(request);
    if !sys::drop_privileges() {
        return Outcome::Failed;
    }
    Outcome::told(tls.and_then(|tls| fetch(request, &tls)).map(tell))
}

/// Says the answer, a part after the other.
fn tell(answer: Answer) {
    match answer {
        Answer::Unchanged => say(&Report::Fetched(Fetched::Unchanged)),
        Answer::New(Page { text, tags }, signature) => {
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let mut cuts = (0..=PART_BYTES.min(rest.len())).rev();
                let cut = cuts.find(|at| rest.is_char_boundary(*at));
                let (part, left) = rest.split_at(cut.unwrap_or(rest.len()));
                let text = part.to_owned();
                say(&Report::Fetched(Fetched::Part { text }));
                rest = left;
            }
            say(&Report::Fetched(Fetched::All {
                etag: tags.etag,
                last_modified: tags.last_modified,
                signature,
            }));
        }
    }
}

/// The files that say whom to trust.
fn trusts(request: &FetchRequest) -> Result<Tls, String> {
    let read = |path: &String| {
        let text = files::read_bounded(path.as_ref(), PEM_BYTES_MAX);
        text.map_err(|error| error.to_string())
    };
    let trust = &request.trust;
    let identity = match &trust.identity {
        None => None,
        Some((certificates, key)) => Some(Identity {
            certificates: read(certificates)?,
            key: read(key)?,
        }),
    };
    Ok(Tls {
        trust: match &trust.ca_file {
            Some(path) => Trust::Roots(read(path)?),
            None => Trust::Machine,
        },
        identity,
        server_name: None,
    })
}

/// Without TLS nobody's certificates are needed.
fn agent(url: &str, tls: &Tls) -> Result<Agent, String> {
    let config: Config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("staticlet/", env!("CARGO_PKG_VERSION")))
        .build();
    if url.starts_with("https:") {
        tls::agent(config, tls).map_err(|error| error.to_string())
    } else {
        Ok(config.into())
    }
}

fn fetch(request: &FetchRequest, tls: &Tls) -> Result<Answer, String> {
    let asking = Asking {
        request,
        tls,
        until: sys::now().mono.after(FETCH_TIMEOUT),
    };
    let Some(page) = ask(&asking, &request.url, &request.tags, MANIFEST_BYTES_MAX)? else {
        return Ok(Answer::Unchanged);
    };
    let signature = match request.trust.public_key {
        None => None,
        Some(_) => Some(signature(&asking)?),
    };
    request.trust.holds(&page.text, signature.as_deref())?;
    Ok(Answer::New(page, signature))
}

/// The signature that lies beside the manifest. Asked for after it: where both change in between, they do not fit, which
/// the next question mends.
fn signature(asking: &Asking<'_>) -> Result<String, String> {
    let url = beside(&asking.request.url, ".minisig");
    let page = ask(asking, &url, &Tags::default(), SIGNATURE_BYTES_MAX);
    let none = |why| format!("no signature at {}: {why}", shown_url(&url));
    let page = page.map_err(none)?;
    page.map(|page| page.text)
        .ok_or_else(|| none("304 without being asked for changes".to_owned()))
}

/// The URL of a file beside another one: its name goes on, the query stays.
fn beside(url: &str, suffix: &str) -> String {
    let url = url.split('#').next().unwrap_or_default();
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    format!("{path}{suffix}{query}")
}

/// What a URL says, in at most so many bytes; `None` when that is marked as before.
fn ask(asking: &Asking<'_>, from: &str, tags: &Tags, most: usize) -> Result<Option<Page>, String> {
    let headers = headers(asking.request, tags)?;
    let mut url = from.to_owned();
    let home = server(&url);
    // Nobody else gets to see who we are.
    let strangers = Tls {
        identity: None,
        ..asking.tls.clone()
    };
    for _ in 0..=REDIRECTS_MAX {
        let at = place(&url, from);
        let same = server(&url) == home;
        let headers = if same {
            headers.clone()
        } else {
            HeaderMap::new()
        };
        let agent = agent(&url, if same { asking.tls } else { &strangers })?;
        let response = get(&agent, &url, headers, asking.until)
            .map_err(|error| format!("{at}{}", words(&error)))?;
        let status = response.status();
        match status.as_u16() {
            200 => {
                let page = body(response, asking.until, most);
                return page.map(Some).map_err(|why| format!("{at}{why}"));
            }
            304 if *tags != Tags::default() => return Ok(None),
            301 | 302 | 303 | 307 | 308 => {
                let location = text(response.headers(), "location");
                let next = location.and_then(|location| target(&url, &location));
                url = next.ok_or_else(|| format!("{at}{status} without a place to go to"))?;
            }
            _ => return Err(format!("{at}the server said {status}, not 200 OK")),
        }
    }
    Err(format!("stopped after {REDIRECTS_MAX} redirects"))
}

/// Where it went wrong, unless that is where everybody knows.
fn place(url: &str, from: &str) -> String {
    if url == from {
        String::new()
    } else {
        format!("redirected to {}: ", shown_url(url))
    }
}

fn get(
    agent: &Agent,
    url: &str,
    headers: HeaderMap,
    until: Mono,
) -> Result<Response<ureq::Body>, ureq::Error> {
    let mut request = Request::get(url).header("connection", "close").body(())?;
    for (name, value) in &headers {
        request.headers_mut().append(name, value.clone());
    }
    let left = until.since(sys::now().mono).max(Duration::from_millis(1));
    let config = agent.configure_request(request).timeout_global(Some(left));
    agent.run(config.build())
}

fn body(response: Response<ureq::Body>, until: Mono, most: usize) -> Result<Page, String> {
    let headers = response.headers();
    let encoding = text(headers, "content-encoding").unwrap_or_default();
    let tags = Tags {
        etag: text(headers, "etag"),
        last_modified: text(headers, "last-modified"),
    };
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // Gzip makes little of much; where nothing can be made smaller it adds some bytes.
    let sent = response.into_body().into_reader().take(limit * 2);
    let mut plain: Box<dyn Read> = match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => Box::new(sent),
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(sent)),
        other => {
            let encoding: String = other.chars().take(40).collect();
            return Err(format!(
                "the answer is compressed ({encoding}), which was not asked for"
            ));
        }
    };
    let mut bytes = Vec::new();
    plain
        .by_ref()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            let is_late = until.since(sys::now().mono).is_zero();
            let why = if is_late { late() } else { error.to_string() };
            format!("the answer broke off after {} bytes: {why}", bytes.len())
        })?;
    if bytes.len() > most {
        return Err(format!("the answer has more than {most} bytes"));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| "the answer is not text in UTF-8".to_owned())?;
    Ok(Page { text, tags })
}

fn late() -> String {
    format!("not finished within {} s", FETCH_TIMEOUT.as_secs())
}

fn words(error: &ureq::Error) -> String {
    #[allow(clippy::wildcard_enum_match_arm)] // ureq's enum is open
    match error {
        ureq::Error::Timeout(_) => late(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// A header whose value is plain text of a sensible length.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= 4096).then(|| value.to_owned())
}

/// The user's headers, and those that spare an unchanged answer.
fn headers(request: &FetchRequest, tags: &Tags) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let tag = |name: &str, value: &Option<String>| Some((name.to_owned(), value.clone()?));
    let tags = [
        tag("if-none-match", &tags.etag),
        tag("if-modified-since", &tags.last_modified),
    ];
    for (name, value) in request
        .headers
        .iter()
        .cloned()
        .chain(tags.into_iter().flatten())
    {
        let none = || format!("manifest URL header {name:?} is none");
        let value = HeaderValue::from_str(&value).map_err(|_| none())?;
        let name: HeaderName = name.parse().map_err(|_| none())?;
        headers.append(name, value);
    }
    let gzip = HeaderValue::from_static("gzip");
    headers.entry(ACCEPT_ENCODING).or_insert(gzip);
    Ok(headers)
}

/// Who is asked: scheme, host and port.
fn server(url: &str) -> Option<(String, String, Option<u16>)> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.to_ascii_lowercase();
    Some((uri.scheme_str()?.to_owned(), host, uri.port_u16()))
}

/// Where a redirect leads. Never to less than https from there.
fn target(from: &str, location: &str) -> Option<String> {
    let (scheme, rest) = from.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let location = location.split('#').next().unwrap_or_default();
    let next = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let path = path.split('?').next().unwrap_or_default();
        let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
        format!("{scheme}://{authority}{dir}/{location}")
    };
    let is_safe = scheme == "http" || next.starts_with("https://");
    (is_safe && next.starts_with("http") && !location.is_empty()).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::{beside, server, target};

    #[test]
    fn a_signature_lies_beside_its_manifest() {
        for (url, wanted) in [
            ("http://h/a.yaml", "http://h/a.yaml.minisig"),
            ("http://h/a?b=c/d#e", "http://h/a.minisig?b=c/d"),
        ] {
            assert_eq!(beside(url, ".minisig"), wanted);
        }
    }

    #[test]
    fn redirects_lead_where_they_say() {
        let from = "https://u@h:1/a/b?q=1";
        let rows = [
            ("http://h:1/a", "https://h/x", Some("https://h/x")),
            ("http://h:1/a/b?c/d", "x", Some("http://h:1/a/x")),
            ("http://h:1", "x", Some("http://h:1/x")),
            (from, "/y?z#f", Some("https://u@h:1/y?z")),
            (from, "//g/y", Some("https://g/y")),
            (from, "http://h:1/a", None),
            (from, "file:///etc/shadow", None),
            ("http://h/", "gopher://h/", None),
            ("http://h/", "", None),
        ];
        for (from, location, wanted) in rows {
            assert_eq!(
                target(from, location).as_deref(),
                wanted,
                "{from} {location}"
            );
        }
        assert_eq!(server("http://H:1/a"), server("http://h:1/b?c"));
        assert_ne!(server("http://h:1/a"), server("http://h:2/a"));
    }
}
