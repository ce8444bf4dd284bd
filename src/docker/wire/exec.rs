//! Commands inside a running container.

use serde::{Deserialize, Serialize};

use super::null_is_empty;

/// `POST /containers/{id}/exec`, API 1.24 and later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecBody {
    /// Its output is wanted.
    pub attach_stdout: bool,
    /// Its errors are wanted.
    pub attach_stderr: bool,
    /// Program and arguments.
    pub cmd: Vec<String>,
}

/// `POST /exec/{id}/start`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecStart {
    /// Do not wait for it.
    pub detach: bool,
}

/// `GET /exec/{id}/json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExecInspect {
    /// It runs.
    #[serde(deserialize_with = "null_is_empty")]
    pub running: bool,
    /// Missing until it has ended.
    pub exit_code: Option<i32>,
    /// As dockerd sees it; 0 before it has started.
    #[serde(deserialize_with = "null_is_empty")]
    pub pid: i32,
}
