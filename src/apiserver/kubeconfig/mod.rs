//! The kubeconfig file: where the API server is, whom to trust, and as whom to speak.
//!
//! IO: reads the file and those that it names, which are relative to its directory. Read anew by every job, so that a
//! certificate or token that was rotated is used at once. What is wrong is told by line and field; no message has a
//! secret in it. Deliberately absent: the merging of several files, and `auth-provider`, which client-go has given up. A plugin is read here and run by a job.

mod exec;
mod fields;
mod user;

use std::path::Path;

use ureq::http::Uri;

use self::fields::{Part, Text};
pub(in crate::apiserver) use self::user::bearer;
use super::plugin::{Credential, Plugin};
use crate::sys::tls::{Tls, Trust};
use crate::sys::{Result, Secret, files};

/// A kubeconfig, or a file it names, larger than this is something else.
const FILE_BYTES_MAX: usize = 1 << 20;

/// How to reach the API server.
#[derive(Clone, Debug)]
pub struct Access {
    /// The URL, without a slash at its end, user, password or query.
    pub server: String,
    /// Whom to trust, and as whom to speak.
    pub tls: Tls,
    /// The `Authorization` header of each request.
    pub authorization: Option<Secret>,
    /// Further headers of each request: as whom to act.
    pub acting_as: Vec<(&'static str, String)>,
    /// The proxy to ask: its URL, which may have a password in it.
    pub proxy: Option<Secret>,
    /// The program that says as whom to speak.
    pub plugin: Option<Plugin>,
}

impl Access {
    /// Speaks as the plugin said.
    pub fn show(&mut self, credential: &Credential) {
        self.authorization = credential.authorization();
        self.tls.identity = credential.identity();
    }
}

/// Reads the file and everything it names.
///
/// # Errors
/// `Gone`: it, or a file it names, is not there. `Garbled`: it is no kubeconfig, or a field says what cannot be done. The
/// message names the file, the line and the field.
pub fn read(path: &Path) -> Result<Access> {
    let bytes = files::read_bounded(path, FILE_BYTES_MAX)?;
    let text = Text::read(path, &bytes)?;
    let whole = text.whole();
    let name = whole.text("current-context")?;
    if name.is_empty() {
        return Err(whole.wrong("current-context", "is missing"));
    }
    let context = whole.named("contexts", name)?.ok_or_else(|| {
        let why = format!("{name:?} names no context; add it to contexts, or choose one of them");
        whole.wrong("current-context", &why)
    })?;
    let context = context.part("context")?;
    let of = |list: &str, field: &str| {
        let name = context.text(field)?;
        let found = whole.named(list, name)?;
        found.map(|found| found.part(field)).transpose()
    };
    let missing = |list: &str, field: &str| {
        let name = context.text(field).unwrap_or_default();
        context.wrong(field, &format!("{field} {name:?} is not in {list}"))
    };
    let cluster = of("clusters", "cluster")?.ok_or_else(|| missing("clusters", "cluster"))?;
    let user = of("users", "user")?;
    if user.is_none() && !context.text("user")?.is_empty() {
        return Err(missing("users", "user"));
    }
    let dir = path.parent().unwrap_or(Path::new("/"));
    access(&cluster, user.as_ref(), dir)
}

fn access(cluster: &Part<'_>, user: Option<&Part<'_>>, dir: &Path) -> Result<Access> {
    let server = server(cluster, user)?;
    let proxy = proxy(cluster)?;
    let acting_as = user.map(user::acting_as).transpose()?.unwrap_or_default();
    if server.starts_with("http:") {
        // As in client-go, nothing secret goes out in the clear. And it needs no bundle, which a machine may not have.
        let tls = Tls::unverified();
        return Ok(Access {
            server,
            tls,
            authorization: None,
            acting_as,
            proxy,
            plugin: None,
        });
    }
    let roots = either(cluster, "certificate-authority", dir)?;
    let trust = match (roots, cluster.switch("insecure-skip-tls-verify")?) {
        (Some(_), true) => {
            let why = "cannot be given together with certificate-authority";
            return Err(cluster.wrong("insecure-skip-tls-verify", why));
        }
        (None, true) => Trust::Anybody,
        (Some(pem), false) => Trust::Roots(pem),
        (None, false) => Trust::Machine,
    };
    let shown = user.map(|user| user::shown(user, dir)).transpose()?;
    let user::Shown {
        identity,
        authorization,
    } = shown.unwrap_or_default();
    let name = cluster.text("tls-server-name")?;
    let mut access = Access {
        server,
        tls: Tls {
            trust,
            identity,
            server_name: (!name.is_empty()).then(|| name.to_owned()),
        },
        authorization,
        acting_as,
        proxy,
        plugin: None,
    };
    // As client-go: a plugin is for those who have nothing else to show.
    let is_anonymous = access.authorization.is_none() && access.tls.identity.is_none();
    if let Some(user) = user.filter(|user| is_anonymous && user.value("exec").is_some()) {
        let plugin = exec::plugin(&user.part("exec")?, cluster, &access, dir)?;
        access.plugin = Some(plugin);
    }
    Ok(access)
}

/// Its URL, put into its plainest form.
fn server(cluster: &Part<'_>, user: Option<&Part<'_>>) -> Result<String> {
    let wrong = |why: &str| Err(cluster.wrong("server", why));
    let text = cluster.text("server")?;
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None if speaks_tls(cluster, user)? => ("https".to_owned(), text),
        None => ("http".to_owned(), text),
    };
    // As client-go: a query has no meaning here.
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let rest = rest.trim_end_matches('/');
    if rest.is_empty() {
        return wrong("is missing");
    }
    if !matches!(scheme.as_str(), "http" | "https") {
        return wrong("is neither http nor https");
    }
    let url = format!("{scheme}://{rest}");
    let parsed = url.parse::<Uri>().ok();
    match parsed.as_ref().and_then(Uri::authority) {
        Some(at) if at.as_str().contains('@') => {
            wrong("has a user in it; give it as username and password of the user")
        }
        Some(at) if at.as_str() == at.host() || at.port().is_some() => Ok(url),
        Some(_) | None => wrong("is no URL; write it as https://host:6443"),
    }
}

/// Whether a server without a scheme is asked by https: where something says that TLS is meant. client-go's loader takes
/// http even then, and drops the token and the CA without a word.
///
/// Source: client-go `rest/url_utils.go`, `DefaultServerUrlFor`.
fn speaks_tls(cluster: &Part<'_>, user: Option<&Part<'_>>) -> Result<bool> {
    let is_given = |part: &Part<'_>, field: &str| {
        let data = format!("{field}-data");
        part.value(field).or_else(|| part.value(&data)).is_some()
    };
    Ok(cluster.switch("insecure-skip-tls-verify")?
        || is_given(cluster, "certificate-authority")
        || user.is_some_and(|user| is_given(user, "client-certificate")))
}

fn proxy(cluster: &Part<'_>) -> Result<Option<Secret>> {
    let text = cluster.text("proxy-url")?;
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    match scheme.to_ascii_lowercase().as_str() {
        _ if text.is_empty() => Ok(None),
        "http" | "https" => Ok(Some(Secret(text.to_owned()))),
        _ => Err(cluster.wrong("proxy-url", "must begin with http:// or https://")),
    }
}

/// What a field gives as a path, or the one with `-data` behind its name in itself.
fn either(part: &Part<'_>, field: &str, dir: &Path) -> Result<Option<Vec<u8>>> {
    let data = part.bytes(&format!("{field}-data"))?;
    match (part.text(field)?.is_empty(), data) {
        (true, data) => Ok(data),
        (false, Some(_)) => {
            let why = format!("and {field}-data cannot both be given");
            Err(part.wrong(field, &why))
        }
        (false, None) => file(part, field, dir).map(Some),
    }
}

/// The file that a field names.
fn file(part: &Part<'_>, field: &str, dir: &Path) -> Result<Vec<u8>> {
    let path = dir.join(part.text(field)?);
    files::read_bounded(&path, FILE_BYTES_MAX).map_err(|e| e.while_doing(part.doing(field)))
}
