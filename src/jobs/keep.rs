//! Writes last good manifests: the agent itself never waits for a disk to sync.

use super::report::say;
use super::run::Outcome;
use crate::sources::KeepRequest;
use crate::state::{FailReason, Report};

/// Writes all that can be written.
pub(super) fn run(request: &KeepRequest) -> Outcome {
    match request.carry_out() {
        Ok(()) => Outcome::Done,
        Err(error) => {
            say(&Report::Failed {
                container: None,
                reason: FailReason::JobError,
                message: error.to_string(),
            });
            Outcome::Failed
        }
    }
}
