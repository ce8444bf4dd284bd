//! The job's side of the line to the agent.

use std::io::Write;

use crate::state::{FailReason, Report};

/// Writes one report. That nobody reads it is no reason to stop in the middle of a step: a job whose agent is gone is
/// killed, one that was started by hand may as well finish.
pub(super) fn say(report: &Report) {
    let Ok(mut line) = serde_json::to_vec(report) else {
        return;
    };
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

/// Tells what a person should know and nothing depends on.
pub(super) fn note(text: impl ToString) {
    let text = text.to_string();
    say(&Report::Note { text });
}

/// A step that failed, with the kubelet's word for it.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) reason: FailReason,
    pub(super) message: String,
}

/// Turns any error into a failure with this reason.
pub(super) fn because<E: ToString>(reason: FailReason) -> impl FnOnce(E) -> Failed {
    move |error| Failed {
        reason,
        message: error.to_string(),
    }
}
