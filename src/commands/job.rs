//! One job, told on standard input.

use super::Outcome;
use crate::jobs;

/// Does one job.
pub fn run() -> Outcome {
    match jobs::run() {
        jobs::Outcome::Done => Outcome::Fine,
        jobs::Outcome::Failed => Outcome::Bad,
        jobs::Outcome::BadRequest => Outcome::Misuse,
        jobs::Outcome::NotRun => Outcome::Failed,
    }
}
