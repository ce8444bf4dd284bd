//! The call that brings images from an archive.

use std::io::Read;
use std::ops::ControlFlow;

use ureq::http::Method;

use super::call::{Call, Content};
use super::{Docker, deadlines as limit, wire};
use crate::sys::{Error, Kind, Result};

/// Names that one archive may bring; `docker save` of a whole machine has some hundred.
const NAMES_MAX: usize = 1000;

impl Docker {
    /// Loads the images of an archive as `docker save` writes it, packed or not, and gives their names (for an image
    /// without one, its id) in the order in which dockerd tells them. The archive is sent as it is read, never held.
    ///
    /// # Errors
    /// dockerd's own words: `Refused` for an archive that it does not take, `Unavailable` for a dockerd that goes away
    /// or stalls. Images that were complete before the fault stay.
    pub fn load(&self, file: &str, mut archive: impl Read) -> Result<Vec<String>> {
        let doing = format!("load images of {file}");
        let mut call = Call::change(doing.as_str(), Method::POST, "/images/load");
        // Without progress dockerd is silent while it unpacks a layer, and looks as if it hung.
        call.query = vec![("quiet", "0".into())];
        call.deadline = limit::LOAD;
        call.content = Content::Stream(&mut archive);
        let (mut names, mut failed) = (Vec::new(), String::new());
        self.link.lines(call, &mut |line: wire::LoadLine| {
            if !line.error.is_empty() {
                failed = line.error;
            } else if names.len() < NAMES_MAX {
                names.extend(loaded(&line.stream));
            }
            ControlFlow::Continue(())
        })?;
        if failed.is_empty() {
            return Ok(names);
        }
        Err(Error::new(doing, Kind::Refused, failed))
    }
}

/// The names in a line: `Loaded image: web:1`, `Loaded image ID: sha256:...`, Podman's `Loaded image: a:1,b:1`.
fn loaded(line: &str) -> Vec<String> {
    let line = line.trim();
    let names = line
        .strip_prefix("Loaded image ID:")
        .or_else(|| line.strip_prefix("Loaded image(s):"))
        .or_else(|| line.strip_prefix("Loaded image:"))
        .unwrap_or_default();
    let names = names.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_name_images() {
        assert_eq!(loaded("Loaded image: web:1\n"), ["web:1"]);
        assert_eq!(loaded("Loaded image ID: sha256:12\n"), ["sha256:12"]);
        assert_eq!(loaded("Loaded image: a:1,b:1"), ["a:1", "b:1"]);
        assert!(loaded("The image web:1 already exists, renaming the old one").is_empty());
    }
}
