//! One job, told on standard input.

use crate::sys::{Error, Kind, Result};

/// Does one job.
///
/// # Errors
/// Always, in this commit.
pub fn run() -> Result<()> {
    Err(Error::new("do a job", Kind::Refused, "not built yet"))
}
