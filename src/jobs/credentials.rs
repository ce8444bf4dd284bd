//! The machine's credentials for registries, from the files where Docker and the kubelet keep them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::docker::wire::RegistryAuth;
use crate::sys::InOrder;
use crate::sys::files;

/// A file of hundreds of registries has some 100 KB.
const FILE_BYTES_MAX: usize = 1 << 20;

/// What Docker Hub is called in these files.
const HUB: &str = "index.docker.io";

/// A Docker `config.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    username: Option<String>,
    password: Option<String>,
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// All credentials of this machine.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    /// By normalised registry, the reverse order of names.
    keys: Vec<(String, RegistryAuth)>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl Keyring {
    /// Reads the first file that can be read: `config.json`, else `.dockercfg`, below the root directory, the home
    /// directory and `/`.
    pub(super) fn load(root_dir: &str) -> Keyring {
        let home = home();
        let root = PathBuf::from(root_dir);
        let configs = [
            root.join("config.json"),
            home.join(".docker/config.json"),
            "/.docker/config.json".into(),
        ];
        let old = [
            root.join(".dockercfg"),
            home.join(".dockercfg"),
            "/.dockercfg".into(),
        ];
        let mut notes = Vec::new();
        for (path, bare) in configs
            .iter()
            .map(|path| (path, false))
            .chain(old.iter().map(|path| (path, true)))
        {
            let Ok(bytes) = files::read_bounded(path, FILE_BYTES_MAX) else {
                continue;
            };
            match Keyring::read(&bytes, bare) {
                Ok(mut ring) => {
                    ring.notes.append(&mut notes);
                    return ring;
                }
                // The parser's words could quote a secret.
                Err(_) => notes.push(format!("{} does not parse and is skipped", path.display())),
            }
        }
        Keyring {
            notes,
            ..Keyring::default()
        }
    }

    /// Reads one file; a bare one is the map of registries alone.
    fn read(bytes: &[u8], bare: bool) -> Result<Keyring, serde_json::Error> {
        let config = if bare {
            Config {
                auths: serde_json::from_slice(bytes)?,
                ..Config::default()
            }
        } else {
            serde_json::from_slice(bytes)?
        };
        let mut ring = Keyring::default();
        if config.creds_store.is_some() || config.cred_helpers.is_some_and(|map| !map.is_empty()) {
            let text = "credsStore and credHelpers of the Docker config.json are not run; write the credentials under auths";
            ring.notes.push(text.into());
        }
        for (registry, entry) in config.auths {
            let key = normal_key(&registry);
            if let Some(auth) = entry.auth(&key) {
                ring.keys.push((key, auth));
            }
        }
        ring.keys.order_by(|(a, _), (b, _)| b.cmp(a));
        Ok(ring)
    }

    /// The credentials for a repository (`docker.io/library/nginx`), in the order in which to try them.
    pub(super) fn lookup(&self, repository: &str) -> Vec<RegistryAuth> {
        let found: Vec<RegistryAuth> = self
            .keys
            .iter()
            .filter(|(key, _)| matches_key(key, repository))
            .map(|(_, auth)| auth.clone())
            .collect();
        if !found.is_empty() || !repository.starts_with("docker.io/") {
            return found;
        }
        let hub = self.keys.iter().filter(|(key, _)| key == HUB);
        hub.map(|(_, auth)| auth.clone()).collect()
    }
}

#[allow(clippy::disallowed_methods)] // where `docker login` keeps credentials is told by nothing else
fn home() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| Path::new("/root").into(), PathBuf::from)
}

impl Entry {
    fn auth(self, registry: &str) -> Option<RegistryAuth> {
        let pair = self.auth.as_deref().and_then(decode);
        let (username, password) = pair.unwrap_or((
            self.username.unwrap_or_default(),
            self.password.unwrap_or_default(),
        ));
        let auth = RegistryAuth {
            username,
            password,
            serveraddress: registry.to_owned(),
            identitytoken: self.identitytoken.unwrap_or_default(),
            registrytoken: self.registrytoken.unwrap_or_default(),
        };
        let any = [&auth.username, &auth.identitytoken, &auth.registrytoken];
        any.iter().any(|text| !text.is_empty()).then_some(auth)
    }
}

/// `user:password` in base64, with or without its padding.
fn decode(text: &str) -> Option<(String, String)> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let plain = String::from_utf8(engine.decode(text.trim()).ok()?).ok()?;
    let (user, password) = plain.split_once(':')?;
    // `docker login` pads with NUL bytes on some versions.
    let password = password.trim_end_matches('\0');
    (!user.is_empty()).then(|| (user.to_owned(), password.to_owned()))
}

/// `https://index.docker.io/v1/` is `index.docker.io`.
fn normal_key(registry: &str) -> String {
    let bare = registry
        .split_once("://")
        .map_or(registry, |(_, rest)| rest);
    let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
    let path = ["v1", "v2"]
        .iter()
        .find_map(|version| {
            path.strip_prefix(version)
                .filter(|r| r.is_empty() || r.starts_with('/'))
        })
        .unwrap_or(path)
        .trim_matches('/');
    if path.is_empty() {
        host.to_owned()
    } else {
        format!("{host}/{path}")
    }
}

/// Same port, same number of labels, each label a pattern; and the path begins with the key's.
fn matches_key(key: &str, repository: &str) -> bool {
    let (key_host, key_path) = key.split_once('/').unwrap_or((key, ""));
    let (host, path) = repository.split_once('/').unwrap_or((repository, ""));
    let (key_name, key_port) = key_host.split_once(':').unwrap_or((key_host, ""));
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let (patterns, labels) = (key_name.split('.'), name.split('.'));
    key_port == port
        && patterns.clone().count() == labels.clone().count()
        && patterns
            .zip(labels)
            .all(|(pattern, label)| is_like(pattern, label))
        && path.starts_with(key_path)
}

/// Whether a label fits a pattern in which `*` is anything.
fn is_like(pattern: &str, label: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == label;
    };
    let Some(tail) = label.strip_prefix(head) else {
        return false;
    };
    let mut ends = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
    ends.any(|at| tail.get(at..).is_some_and(|tail| is_like(rest, tail)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(config: &str, repository: &str) -> Vec<String> {
        let ring = Keyring::read(config.as_bytes(), false).unwrap();
        let found = ring.lookup(repository);
        found.into_iter().map(|auth| auth.username).collect()
    }

    #[test]
    fn keys_match_as_in_a_kubelet() {
        let entry = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"dTpwOnE="}}}}}}"#);
        let cases = [
            (
                "https://index.docker.io/v1/",
                "docker.io/library/nginx",
                true,
            ),
            ("docker.io", "docker.io/library/nginx", true),
            ("r.example.org:5000", "r.example.org:5000/a", true),
            ("r.example.org:5000", "r.example.org/a", false),
            ("*.example.org", "r.example.org/a", true),
            ("*.example.org", "a.r.example.org/a", false),
            ("r*.example.org", "r1.example.org/a", true),
            ("r.example.org/team", "r.example.org/team/a", true),
            ("r.example.org/team", "r.example.org/other", false),
            ("https://r.example.org/v2/", "r.example.org/a", true),
        ];
        for (key, repository, fits) in cases {
            assert_eq!(
                users(&entry(key), repository) == ["u"],
                fits,
                "{key} {repository}"
            );
        }
    }

    #[test]
    fn the_longer_key_comes_first() {
        let config =
            r#"{"auths":{"r.io":{"username":"a","password":"x"},"r.io/t":{"username":"b"}}}"#;
        assert_eq!(users(config, "r.io/t/x"), ["b", "a"]);
    }

    #[test]
    fn auth_may_lack_its_padding_and_tokens_do_alone() {
        assert_eq!(decode("dTpwOnE"), Some(("u".into(), "p:q".into())));
        let ring = Keyring::read(
            br#"{"auths":{"r.io":{"identitytoken":"t"}},"credsStore":"x"}"#,
            false,
        );
        let ring = ring.unwrap();
        assert_eq!(ring.lookup("r.io/a")[0].identitytoken, "t");
        assert_eq!(ring.notes.len(), 1);
    }
}
