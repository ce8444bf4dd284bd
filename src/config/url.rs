//! The manifest URL and what goes with it.

use std::time::Duration;

use super::{Given, values};
use crate::sources::{UrlSettings, shown_url};

/// As in the kubelet.
const HTTP_CHECK: Duration = Duration::from_secs(20);

/// More headers than this are a mistake.
const HEADERS_MAX: usize = 100;

impl Given<'_> {
    /// The URL, if one is given.
    pub(super) fn manifest_url(&mut self) -> Option<UrlSettings> {
        let check = self.http_check();
        let headers = self.headers();
        let (name, url) = self.either("manifest-url", "staticPodURL")?;
        if url.is_empty() {
            return None;
        }
        if let Err(why) = is_url(&url) {
            let shown = shown_url(&url);
            self.problems.push(format!("{name}={shown}: {why}"));
        }
        Some(UrlSettings {
            url,
            headers,
            check,
        })
    }

    fn http_check(&mut self) -> Duration {
        let names = ("http-check-frequency", "httpCheckFrequency");
        self.checked(names, HTTP_CHECK, |text| match values::duration(text)? {
            Duration::ZERO => Ok(HTTP_CHECK),
            time if time < Duration::from_millis(100) => Err("the least is 100ms".to_owned()),
            time => Ok(time),
        })
    }

    /// Flags are `Key:value,Key:value`, and take the place of those in the file; no value is ever shown.
    fn headers(&mut self) -> Vec<(String, String)> {
        let Some((name, text)) = self.either("manifest-url-header", "staticPodURLHeader") else {
            return Vec::new();
        };
        let separator = if name.starts_with("--") { ',' } else { '\n' };
        let mut headers = Vec::new();
        for pair in text.split(separator).filter(|pair| !pair.trim().is_empty()) {
            let plain = |text: &str| text.bytes().all(|byte| byte == b'\t' || byte >= 0x20);
            match pair.split_once(':') {
                Some((key, value)) if is_token(key.trim()) && plain(value) => {
                    headers.push((key.trim().to_owned(), value.trim().to_owned()));
                }
                Some((key, _)) => self.problems.push(format!("{name}: {key:?} is no header")),
                None => self
                    .problems
                    .push(format!("{name}: a header is written Key:value")),
            }
        }
        if headers.len() > HEADERS_MAX {
            self.problems
                .push(format!("{name}: more than {HEADERS_MAX} headers"));
        }
        headers
    }
}

fn is_token(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(good)
}

fn is_url(url: &str) -> Result<(), String> {
    let rest = match url.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err("https is not in this version yet".to_owned()),
        Some(("file", _)) => return Err("files are given with --pod-manifest-path".to_owned()),
        Some(_) | None => return Err("must begin with http://".to_owned()),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err("is no URL; write it as http://host:port/path".to_owned());
    }
    Ok(())
}
