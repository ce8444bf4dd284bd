//! What waits for image archives.

use super::{Action, Step};
use crate::state::Held;

/// Whether an action has to wait. A container that is restarted in a sandbox that runs does not: it has its image.
pub(super) fn holds(held: Held, action: &Action) -> bool {
    let starts_sandbox = match action {
        Action::Pull { .. } => return held != Held::Nothing,
        Action::Pod { steps, .. } => steps
            .iter()
            .any(|step| matches!(step, Step::Sandbox { .. })),
        Action::Probe { .. } | Action::Cancel { .. } => false,
    };
    starts_sandbox && held == Held::Starts
}
