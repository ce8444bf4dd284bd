//! The kubeconfig file: where the API server is, whom to trust, and as whom to speak.
//!
//! Read anew by every job, so that a certificate or token that was rotated is used at once. Files named in it are
//! relative to its directory.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::sys::tls::{Identity, Tls, Trust};
use crate::sys::{Error, Kind, Result, files};

/// A kubeconfig, or a file it names, larger than this is something else.
const FILE_BYTES_MAX: usize = 1 << 20;

/// How to reach the API server.
#[derive(Clone, Debug)]
pub struct Access {
    /// The URL, without a slash at its end.
    pub server: String,
    /// Whom to trust, and as whom to speak.
    pub tls: Tls,
    /// The bearer token.
    pub token: Option<Token>,
    /// The proxy to ask.
    pub proxy: Option<String>,
}

/// A bearer token; for no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct File {
    clusters: Vec<Named>,
    users: Vec<Named>,
    contexts: Vec<Named>,
    current_context: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
    cluster: Option<Cluster>,
    user: Option<User>,
    context: Option<Context>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    cluster: String,
    user: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: String,
    certificate_authority_data: String,
    insecure_skip_tls_verify: bool,
    tls_server_name: String,
    proxy_url: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct User {
    client_certificate: String,
    client_certificate_data: String,
    client_key: String,
    client_key_data: String,
    token: String,
    #[serde(rename = "tokenFile")]
    token_file: String,
    username: String,
    exec: Option<serde_yaml::Value>,
    auth_provider: Option<serde_yaml::Value>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("User")
    }
}

/// Reads the file and everything it names.
///
/// # Errors
/// `Gone`: it, or a file it names, is not there. `Garbled`: it is no kubeconfig. `Refused`: a field says what cannot be
/// done. The message names the file, the context and the field.
pub fn read(path: &Path) -> Result<Access> {
    let bytes = files::read_bounded(path, FILE_BYTES_MAX)?;
    let doing = format!("read {}", path.display());
    let garbled = |why: String| Error::new(doing.clone(), Kind::Garbled, why);
    let file: File =
        serde_yaml::from_slice(&bytes).map_err(|e| garbled(format!("no kubeconfig: {e}")))?;
    if file.current_context.is_empty() {
        return Err(garbled("current-context is missing".to_owned()));
    }
    let name = &file.current_context;
    let context = one(&file.contexts, name).and_then(|named| named.context.clone());
    let context =
        context.ok_or_else(|| garbled(format!("current-context {name:?} names no context")))?;
    let cluster = one(&file.clusters, &context.cluster).and_then(|named| named.cluster.clone());
    let cluster = cluster.ok_or_else(|| {
        let of = &context.cluster;
        garbled(format!(
            "context {name:?}: cluster {of:?} is not in clusters"
        ))
    })?;
    let user = match context.user.as_str() {
        "" => User::default(),
        of => one(&file.users, of)
            .and_then(|named| named.user.clone())
            .ok_or_else(|| garbled(format!("context {name:?}: user {of:?} is not in users")))?,
    };
    let dir = path.parent().unwrap_or(Path::new("/"));
    let reader = Reader {
        at: format!("{}, context {name:?}", path.display()),
        dir,
    };
    reader.access(&cluster, &user)
}

/// The one with this name.
fn one<'a>(list: &'a [Named], name: &str) -> Option<&'a Named> {
    list.iter().find(|named| named.name == name)
}

struct Reader<'a> {
    at: String,
    dir: &'a Path,
}

impl Reader<'_> {
    fn refused(&self, field: &str, why: impl std::fmt::Display) -> Error {
        Error::new(format!("{}, {field}", self.at), Kind::Refused, why)
    }

    fn access(&self, cluster: &Cluster, user: &User) -> Result<Access> {
        let mut server = cluster.server.trim_end_matches('/').to_owned();
        if server.is_empty() {
            return Err(self.refused("server", "is missing"));
        }
        if !server.contains("://") {
            let is_tls = !cluster.certificate_authority.is_empty()
                || !cluster.certificate_authority_data.is_empty();
            server = format!("{}://{server}", if is_tls { "https" } else { "http" });
        }
        let is_https = server.starts_with("https://");
        if !is_https && !server.starts_with("http://") {
            return Err(self.refused("server", format!("{server:?} is neither http nor https")));
        }
        let roots = self.either(
            "certificate-authority",
            &cluster.certificate_authority,
            &cluster.certificate_authority_data,
        )?;
        let trust = match (roots, cluster.insecure_skip_tls_verify) {
            (Some(_), true) => {
                let why = "cannot be given together with certificate-authority";
                return Err(self.refused("insecure-skip-tls-verify", why));
            }
            (None, true) => Trust::Anybody,
            (Some(pem), false) => Trust::Roots(pem),
            (None, false) => Trust::Machine,
        };
        let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        // As in client-go, nothing secret goes out in the clear.
        let (identity, token) = if is_https {
            (self.identity(user)?, self.token(user)?)
        } else {
            (None, None)
        };
        Ok(Access {
            tls: Tls {
                // Plain HTTP needs no bundle, and a machine may have none.
                trust: if is_https { trust } else { Trust::Anybody },
                identity,
                server_name: set(&cluster.tls_server_name),
            },
            server,
            token,
            proxy: set(&cluster.proxy_url),
        })
    }

    fn identity(&self, user: &User) -> Result<Option<Identity>> {
        let unknown = [
            ("exec", user.exec.is_some()),
            ("auth-provider", user.auth_provider.is_some()),
            ("username", !user.username.is_empty()),
        ];
        if let Some((field, _)) = unknown.iter().find(|(_, given)| *given) {
            return Err(self.refused(field, "is not supported; use a certificate or a token"));
        }
        let certificates = self.either(
            "client-certificate",
            &user.client_certificate,
            &user.client_certificate_data,
        )?;
        let key = self.either("client-key", &user.client_key, &user.client_key_data)?;
        match (certificates, key) {
            (Some(certificates), Some(key)) => Ok(Some(Identity { certificates, key })),
            (Some(_), None) => Err(self.refused("client-key", "is missing")),
            (None, _) => Ok(None),
        }
    }

    fn token(&self, user: &User) -> Result<Option<Token>> {
        if !user.token_file.is_empty() {
            let bytes = self.file("tokenFile", &user.token_file)?;
            let token = String::from_utf8_lossy(&bytes).trim().to_owned();
            if token.is_empty() {
                return Err(self.refused("tokenFile", format!("{} is empty", user.token_file)));
            }
            return Ok(Some(Token(token)));
        }
        Ok((!user.token.is_empty()).then(|| Token(user.token.clone())))
    }

    /// What a field gives as a path, or the one with `-data` behind its name in itself.
    fn either(&self, field: &str, path: &str, data: &str) -> Result<Option<Vec<u8>>> {
        match (path.is_empty(), data.is_empty()) {
            (true, true) => Ok(None),
            (false, false) => {
                Err(self.refused(field, format!("and {field}-data cannot both be given")))
            }
            (false, true) => self.file(field, path).map(Some),
            (true, false) => {
                let bytes = STANDARD.decode(data.trim());
                bytes
                    .map(Some)
                    .map_err(|e| self.refused(&format!("{field}-data"), e))
            }
        }
    }

    fn file(&self, field: &str, path: &str) -> Result<Vec<u8>> {
        let path: PathBuf = self.dir.join(path);
        files::read_bounded(&path, FILE_BYTES_MAX)
            .map_err(|e| e.while_doing(format!("{}, {field}", self.at)))
    }
}
