//! A text that no log, message or test failure may show.

use std::fmt;

/// A password, a token or a key; `.0` is for the one place that sends it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
