//! A text that no log, message or test failure may show.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A password, a token or a key; `.0` is for the one place that sends it, and so is its
/// serialized form.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
