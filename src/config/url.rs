//! The manifest URL and what goes with it.

use std::path::Path;

use super::Given;
use super::given::Looked;
use crate::sources::{UrlSettings, UrlTrust};
use crate::sys::{files, minisign, shown_url};

/// More headers than this are a mistake.
const HEADERS_MAX: usize = 100;

/// A comment of at most 1 KiB, and a key.
const KEY_BYTES_MAX: usize = 4096;

impl Given<'_> {
    /// The URL, if one is given.
    pub(super) fn manifest_url(&mut self) -> Option<UrlSettings> {
        let check = self.frequency("http-check-frequency");
        let headers = self.headers();
        let trust = self.trust();
        let Looked { name, text, .. } = self.look("manifest-url");
        let url = Some(text).filter(|url| !url.is_empty())?;
        let shown = shown_url(&url);
        self.shows("manifest-url", &shown, None);
        if let Err(why) = is_url(&url) {
            self.problems.push(format!("{name}={shown}: {why}"));
        }
        Some(UrlSettings {
            url,
            headers,
            trust,
            check,
        })
    }

    fn trust(&mut self) -> UrlTrust {
        let ca_file = self.text("manifest-url-ca-file");
        let certificate = self.text("manifest-url-client-cert");
        let key = self.text("manifest-url-client-key");
        if key.is_some() && certificate.is_none() {
            let text = "--manifest-url-client-key needs a --manifest-url-client-cert";
            self.problems.push(text.to_owned());
        }
        let sha256 = self.checked("manifest-url-sha256", |text| {
            let hex = text.strip_prefix("sha256:").unwrap_or(text).to_lowercase();
            match hex.len() {
                0 => Ok(None),
                64 if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(Some(hex)),
                _ => Err("must be 64 hex digits, as sha256sum prints them".to_owned()),
            }
        });
        let public_key = self.checked("manifest-url-public-key", public_key);
        if let Some(key) = &public_key {
            self.shows("manifest-url-public-key", key, None);
        }
        UrlTrust {
            ca_file,
            // A combined file is usual.
            identity: certificate.map(|path| (path.clone(), key.unwrap_or(path))),
            sha256,
            public_key,
        }
    }

    /// Flags are `Key:value,Key:value`, and take the place of those in the file; no value is ever shown.
    fn headers(&mut self) -> Vec<(String, String)> {
        let Looked {
            name,
            text,
            is_flag,
        } = self.look("manifest-url-header");
        let separator = if is_flag { ',' } else { '\n' };
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
        let shown: Vec<String> = headers
            .iter()
            .map(|(key, _)| format!("{key}:..."))
            .collect();
        self.shows("manifest-url-header", &shown.join(","), None);
        headers
    }
}

/// The key itself, or the file that minisign wrote it to.
fn public_key(text: &str) -> Result<Option<String>, String> {
    let known = |text: &str| minisign::public_key(text).map(ToOwned::to_owned);
    if text.is_empty() || known(text).is_some() {
        return Ok(known(text));
    }
    let neither = |why: &str| {
        let what = "must be a public key of minisign (56 characters, RW first) or its file";
        Err(format!("{what}: {why}"))
    };
    match files::read_bounded(Path::new(text), KEY_BYTES_MAX) {
        Ok(bytes) => match known(&String::from_utf8_lossy(&bytes)) {
            None => neither("there is none in it"),
            key => Ok(key),
        },
        Err(error) => neither(error.said()),
    }
}

fn is_token(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(good)
}

fn is_url(url: &str) -> Result<(), String> {
    let rest = match url.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(("file", _)) => return Err("files are given with --pod-manifest-path".to_owned()),
        Some(_) | None => return Err("must begin with http:// or https://".to_owned()),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err("is no URL; write it as http://host:port/path".to_owned());
    }
    Ok(())
}
