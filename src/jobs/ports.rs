//! Who has the port that a sandbox could not get.

use crate::docker::Docker;
use crate::sys::Error;

/// The error of a sandbox's start, with the port's owner where it is about a port.
pub(super) fn explain(_docker: &Docker, error: &Error) -> String {
    error.to_string()
}
