//! Flags and the `--config` file become checked [`Settings`].
//!
//! IO: reads the configuration file, the host's name and its addresses, once at start. Deliberately absent: re-reading
//! (a changed setting needs a restart, as in the kubelet).

use std::path::PathBuf;
use std::time::Duration;

use crate::state::Node;

/// Everything the agent is told, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What pods can tell of this node.
    pub node: Node,
    /// The directory of manifests, or one manifest file; `None` when none was given.
    pub manifest_path: Option<PathBuf>,
    /// How often the directory is read without a doorbell, and dockerd is looked at.
    pub file_check: Duration,
    /// Unknown fields of a manifest are a remark, not a refusal.
    pub allow_unknown_fields: bool,
    /// The klog level, 0 to 10.
    pub verbosity: u8,
    /// What to say once when the log is set up.
    pub warnings: Vec<String>,
}
