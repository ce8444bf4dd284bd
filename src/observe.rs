//! What is there: one list call, and an inspect of what changed.
//!
//! IO.

use crate::state::{ContainerId, Node, Observed};
use crate::sys::{Error, Kind, Result};

/// Looks at dockerd, and remembers the details of what did not change.
#[derive(Debug)]
pub struct Observer {
    #[allow(dead_code)]
    node: Node,
}

impl Observer {
    /// An observer that has seen nothing yet. No IO.
    pub fn new(node: &Node) -> Observer {
        Observer { node: node.clone() }
    }

    /// Marks the details of one container (or of all) as stale.
    pub fn stale(&mut self, _id: Option<&ContainerId>) {}

    /// Looks. Takes at most 5 s.
    ///
    /// # Errors
    /// `Unavailable` when dockerd cannot be reached or does not answer in time.
    pub fn look(&mut self) -> Result<Observed> {
        Err(Error::new(
            "list containers",
            Kind::Unavailable,
            "not built yet",
        ))
    }
}
