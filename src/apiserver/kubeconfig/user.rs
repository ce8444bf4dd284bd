//! As whom to speak: what a user of a kubeconfig comes to.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fields::Part;
use super::{either, file};
use crate::sys::tls::Identity;
use crate::sys::{Error, Result, Secret};

/// What a request shows of its sender.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) identity: Option<Identity>,
    pub(super) authorization: Option<Secret>,
}

/// Reads the user and the files that it names, which are relative to `dir`.
///
/// Source: client-go `tools/clientcmd/validation.go` for what may not stand together.
pub(super) fn shown(user: &Part<'_>, dir: &Path) -> Result<Shown> {
    if user.value("auth-provider").is_some() {
        let why = "is not supported, as client-go has given it up; use exec";
        return Err(user.wrong("auth-provider", why));
    }
    Ok(Shown {
        identity: identity(user, dir)?,
        authorization: authorization(user, dir)?,
    })
}

/// The headers that ask to act as somebody else.
///
/// Source: client-go `transport/round_trippers.go`, `impersonatingRoundTripper`.
pub(super) fn acting_as(user: &Part<'_>) -> Result<Vec<(&'static str, String)>> {
    if user.value("as-user-extra").is_some() {
        return Err(user.wrong("as-user-extra", "is not supported; take it out"));
    }
    let one = |header, field: &str| match user.text(field)? {
        "" => Ok(None),
        text => Ok(Some((header, text.to_owned()))),
    };
    let groups = user.texts("as-groups")?;
    let groups = groups.into_iter().map(|group| ("Impersonate-Group", group));
    let name = one("Impersonate-User", "as")?;
    let others = one("Impersonate-Uid", "as-uid")?.into_iter().chain(groups);
    let others: Vec<_> = others.collect();
    if name.is_none() && !others.is_empty() {
        return Err(user.wrong(
            "as",
            "is missing; as-uid and as-groups mean nothing without it",
        ));
    }
    let all: Vec<_> = name.into_iter().chain(others).collect();
    match all.iter().all(|(_, text)| fits_header(text)) {
        true => Ok(all),
        false => Err(user.wrong("as", "has a character in it that no header can carry")),
    }
}

fn identity(user: &Part<'_>, dir: &Path) -> Result<Option<Identity>> {
    let certificates = either(user, "client-certificate", dir)?;
    let key = either(user, "client-key", dir)?;
    match (certificates, key) {
        (Some(certificates), Some(key)) => Ok(Some(Identity { certificates, key })),
        (Some(_), None) => Err(user.wrong("client-key", "is missing")),
        (None, _) => Ok(None),
    }
}

/// The `Authorization` header.
fn authorization(user: &Part<'_>, dir: &Path) -> Result<Option<Secret>> {
    let [name, password] = [user.text("username")?, user.text("password")?];
    let token = token(user, dir)?;
    match (name, password, token) {
        ("", "", Some((field, token))) => bearer(&token)
            .ok_or_else(|| user.wrong(field, "has a character in it that no header can carry"))
            .map(Some),
        ("", "", None) => Ok(None),
        ("", _, _) => Err(user.wrong("password", "stands without a username")),
        (_, _, Some((field, _))) => {
            let why = format!("is one way to authenticate and {field} is another; remove one");
            Err(user.wrong("username", &why))
        }
        (name, _, None) if name.contains(':') => Err(user.wrong("username", "has a colon in it")),
        (name, password, None) => {
            let pair = STANDARD.encode(format!("{name}:{password}"));
            Ok(Some(Secret(format!("Basic {pair}"))))
        }
    }
}

/// The header for a token; `None` when there cannot be one.
pub(in crate::apiserver) fn bearer(token: &str) -> Option<Secret> {
    fits_header(token).then(|| Secret(format!("Bearer {token}")))
}

fn fits_header(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// The token and the field it is from. That of the file is the newer one; the other is for when it cannot be read.
///
/// Source: client-go `transport/round_trippers.go`, `NewBearerAuthWithRefreshRoundTripper`.
fn token(user: &Part<'_>, dir: &Path) -> Result<Option<(&'static str, String)>> {
    let (token, path) = (user.text("token")?, user.text("tokenFile")?);
    let given = (!token.is_empty()).then(|| ("token", token.to_owned()));
    if path.is_empty() {
        return Ok(given);
    }
    match (token_of_file(user, dir), given) {
        (Ok(token), _) => Ok(Some(("tokenFile", token))),
        (Err(_), Some(given)) => Ok(Some(given)),
        (Err(error), None) => Err(error),
    }
}

fn token_of_file(user: &Part<'_>, dir: &Path) -> std::result::Result<String, Error> {
    let bytes = file(user, "tokenFile", dir)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| user.wrong("tokenFile", "is not text"))?;
    match text.trim() {
        "" => Err(user.wrong("tokenFile", "names an empty file")),
        text => Ok(text.to_owned()),
    }
}
