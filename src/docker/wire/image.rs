//! Images and pulls.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_is_empty;

/// The answer of `GET /images/{name}/json`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    /// `sha256:...`.
    pub id: String,
    /// `repo:tag` each; empty for an image that lost its last tag.
    #[serde(deserialize_with = "null_is_empty")]
    pub repo_tags: Vec<String>,
    /// `repo@sha256:...` each; empty for an image that never was at a registry.
    #[serde(deserialize_with = "null_is_empty")]
    pub repo_digests: Vec<String>,
    /// Bytes on disk.
    pub size: i64,
    /// What containers inherit; `null` for some imported images.
    #[serde(deserialize_with = "null_is_empty")]
    pub config: ImageConfig,
}

/// One entry of `GET /images/json`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageSummary {
    /// `sha256:...`.
    pub id: String,
    /// As of [`Image`].
    #[serde(deserialize_with = "null_is_empty")]
    pub repo_tags: Vec<String>,
    /// As of [`Image`]; `<none>@<none>` on some versions where there is none.
    #[serde(deserialize_with = "null_is_empty")]
    pub repo_digests: Vec<String>,
    /// Bytes on disk, with what it shares with others.
    pub size: i64,
    /// Seconds since 1970; of an imported image, when it was imported.
    pub created: i64,
}

/// `Config` of an image.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImageConfig {
    /// `USER` of the Dockerfile: `uid`, `name`, `uid:gid`; empty is root. Missing from API 1.50 on when empty.
    pub user: String,
    /// `NAME=value` each.
    #[serde(deserialize_with = "null_is_empty")]
    pub env: Vec<String>,
    /// `null` when the image has none.
    #[serde(deserialize_with = "null_is_empty")]
    pub entrypoint: Vec<String>,
    /// `null` when the image has none.
    #[serde(deserialize_with = "null_is_empty")]
    pub cmd: Vec<String>,
    /// Empty is `/`.
    pub working_dir: String,
    /// `null` when the image has none.
    #[serde(deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// One line of the answer of `POST /images/create`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PullLine {
    /// `Pulling from library/nginx`, `Downloading`, `Extracting`, `Pull complete`, `Status: ...`; after an import the
    /// new image's id.
    #[serde(deserialize_with = "null_is_empty")]
    pub status: String,
    /// The layer, 12 hex digits; in the first line the tag; missing in lines about the whole.
    #[serde(deserialize_with = "null_is_empty")]
    pub id: String,
    /// Missing or `{}` unless something is counted.
    #[serde(deserialize_with = "null_is_empty")]
    pub progress_detail: ProgressDetail,
    /// The reason why it failed, in the last line; missing in all others.
    #[serde(deserialize_with = "null_is_empty")]
    pub error: String,
}

/// One line of the answer of `POST /images/load`, API 1.40 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoadLine {
    /// `Loaded image: web:1`; missing in lines of progress.
    #[serde(deserialize_with = "null_is_empty")]
    pub stream: String,
    /// The reason why it failed, in the last line; missing in all others.
    #[serde(deserialize_with = "null_is_empty")]
    pub error: String,
}

/// A counter of a pull.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ProgressDetail {
    /// Bytes so far.
    pub current: i64,
    /// Bytes in all; missing when the registry does not tell, -1 on some versions.
    pub total: i64,
}

/// The content of the `X-Registry-Auth` header, API 1.40 and later.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RegistryAuth {
    /// Empty with a token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Empty with a token.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub password: String,
    /// The registry, `registry.example.org:5000`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub serveraddress: String,
    /// From `docker login` by OAuth.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub identitytoken: String,
    /// A bearer token, sent to the registry as it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub registrytoken: String,
}

/// Leaves the secrets out.
impl std::fmt::Debug for RegistryAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryAuth")
            .field("username", &self.username)
            .field("serveraddress", &self.serveraddress)
            .finish_non_exhaustive()
    }
}
