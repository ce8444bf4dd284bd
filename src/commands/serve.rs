//! One connection, answered.

use super::Outcome;
use crate::serve::{What, answer};
use crate::sys;

/// Answers whoever is at standard input and output.
pub fn run(read_only: bool) -> Outcome {
    let what = if read_only {
        What::ReadOnly
    } else {
        What::Health
    };
    match answer(what, &sys::told()) {
        Ok(()) => Outcome::Fine,
        // The client went away: nobody is there to be told.
        Err(_) => Outcome::Bad,
    }
}
