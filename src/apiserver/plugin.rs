//! Exec credential plugins: programs that say as whom to speak (client.authentication.k8s.io).
//!
//! Here is what such a program is asked and how its answer is read; it is run by a job. Its answer is for no log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kubeconfig::bearer;
use crate::pod::read_document;
use crate::sys::tls::Identity;
use crate::sys::{Error, Kind, Program, Result, Secret, Wall};

/// Larger answers are none: a chain of certificates with its key has some 10 kB, and a job passes it on in one line.
pub const ANSWER_BYTES_MAX: usize = 48 << 10;

/// A program to be asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// The program, with what it is told in its environment.
    pub program: Program,
    /// The version of the API that it is to speak.
    pub version: String,
    /// How to install it, as the kubeconfig says; may be empty.
    pub hint: String,
    /// Where it is named, for messages.
    pub place: String,
    /// Changes with everything that it is asked.
    pub key: String,
}

/// What it answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// That of the plugin it is from.
    key: String,
    token: Option<Secret>,
    /// Certificate and key in PEM.
    identity: Option<(Secret, Secret)>,
    /// `None`: it holds until the server takes it no more.
    expires: Option<Wall>,
}

impl Credential {
    /// Whether it may still be shown for a plugin.
    ///
    /// Source: client-go `plugin/pkg/client/auth/exec/exec.go`, `credsExpired`.
    pub fn serves(&self, plugin: &Plugin, now: Wall) -> bool {
        self.key == plugin.key && self.expires.is_none_or(|at| now <= at)
    }

    /// The `Authorization` header.
    pub(super) fn authorization(&self) -> Option<Secret> {
        bearer(&self.token.as_ref()?.0)
    }

    /// The client certificate.
    pub(super) fn identity(&self) -> Option<Identity> {
        let (certificates, key) = self.identity.as_ref()?;
        Some(Identity {
            certificates: certificates.0.clone().into_bytes(),
            key: key.0.clone().into_bytes(),
        })
    }
}

impl Plugin {
    /// Reads what it said.
    ///
    /// # Errors
    /// `Garbled`: it is no ExecCredential of the version asked for, or there is nothing to show in it.
    pub fn read(&self, answer: &[u8]) -> Result<Credential> {
        let wrong = |why: &str| {
            let doing = format!(
                "read the answer of {} ({})",
                self.program.command, self.place
            );
            Error::new(doing, Kind::Garbled, why)
        };
        // Its own words could quote a token.
        let mut document =
            read_document(answer).map_err(|_| wrong("it is neither JSON nor YAML"))?;
        let answer = document.take();
        let text = |at: &Value, field: &str| match at.get(field) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(wrong(&format!("{field} is no string"))),
        };
        let version = text(&answer, "apiVersion")?;
        if text(&answer, "kind")? != "ExecCredential" || version != self.version {
            let wanted = &self.version;
            return Err(wrong(&format!(
                "it is no ExecCredential of apiVersion {wanted}"
            )));
        }
        let status = answer.get("status").filter(|status| status.is_object());
        let status = status.ok_or_else(|| wrong("it has no status"))?;
        let token = text(status, "token")?;
        let certificate = text(status, "clientCertificateData")?;
        let key = text(status, "clientKeyData")?;
        if !token.is_empty() && bearer(&token).is_none() {
            return Err(wrong(
                "the token has a character in it that no header can carry",
            ));
        }
        let identity = match (certificate.is_empty(), key.is_empty()) {
            (true, true) if token.is_empty() => {
                return Err(wrong("it has neither a token nor a certificate"));
            }
            (true, true) => None,
            (false, false) => Some((Secret(certificate), Secret(key))),
            (true, false) | (false, true) => {
                return Err(wrong("clientCertificateData and clientKeyData go together"));
            }
        };
        let expires = match text(status, "expirationTimestamp")?.as_str() {
            "" => None,
            time => Some(Wall::parse(time).ok_or_else(|| {
                wrong("expirationTimestamp is no time; it should look like 2026-01-31T12:00:00Z")
            })?),
        };
        Ok(Credential {
            key: self.key.clone(),
            token: (!token.is_empty()).then_some(Secret(token)),
            identity,
            expires,
        })
    }
}
