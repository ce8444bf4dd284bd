//! One manifest on disk: its last good version, in a form that tells a whole file from half of one.
//!
//! A line of JSON (what it is, how long the rest is, its digest), then the manifest as it was read. The name of the file
//! is the digest of where the manifest comes from. Nothing here decides when to write: see `cache`.

use std::path::Path;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::scan::MANIFEST_BYTES_MAX;
use crate::state::Source;
use crate::sys::files::{self, Durable};
use crate::sys::minisign::SIGNATURE_BYTES_MAX;
use crate::sys::{Error, Kind, Result, Wall};

/// The version of the form; another one is not ours.
const FORM: u32 = 1;

/// What the first line may take: a path or a URL, some numbers, and a signature.
const HEAD_BYTES_MAX: usize = 16 * 1024 + 2 * SIGNATURE_BYTES_MAX;

/// The end of the names of our files; before it stand 32 hex digits.
const SUFFIX: &str = ".manifest";

/// The name of a kept manifest: 32 hex digits over where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Id(String);

impl Id {
    /// Of a manifest file.
    pub(super) fn of_file(path: &str) -> Id {
        Id(hex(format!("file\0{path}").as_bytes()))
    }

    /// Of the manifest URL.
    pub(super) fn of_url(url: &str) -> Id {
        Id(hex(format!("url\0{url}").as_bytes()))
    }

    /// Of a file in the directory of kept manifests, if its name is one of ours.
    pub(super) fn of_name(name: &str) -> Option<Id> {
        let hex = name.strip_suffix(SUFFIX)?;
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (hex.len() == 32 && hex.bytes().all(is_hex)).then(|| Id(hex.to_owned()))
    }

    /// The name of its file.
    pub(super) fn name(&self) -> String {
        format!("{}{SUFFIX}", self.0)
    }
}

/// A manifest to keep, or one that was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Which one.
    pub(super) id: Id,
    /// Where it comes from, for a person and for a start without its directory.
    pub(super) source: Source,
    /// When this version was first read.
    pub(super) read: Wall,
    /// The manifest itself.
    pub(super) text: String,
    /// The signature it came with, where one was wanted.
    pub(super) signature: Option<String>,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    staticlet: u32,
    source: Source,
    read: Wall,
    bytes: usize,
    md5: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// What tells one text from another.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digest = Md5::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Kept {
    /// What tells it from another version: the same text with another signature is another one.
    pub(super) fn digest(&self) -> String {
        let signature = self.signature.as_deref().unwrap_or_default();
        hex([&self.text, signature].concat().as_bytes())
    }

    /// Writes it in one piece, synced.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(self.id.name());
        let head = Head {
            staticlet: FORM,
            source: self.source.clone(),
            read: self.read,
            bytes: self.text.len(),
            md5: hex(self.text.as_bytes()),
            signature: self.signature.clone(),
        };
        let garbled = |e| Error::new(format!("write {}", path.display()), Kind::Garbled, e);
        let mut bytes = serde_json::to_vec(&head).map_err(garbled)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(self.text.as_bytes());
        // It holds environment values: for root only.
        files::replace(&path, &bytes, 0o600, Durable::Yes)
    }

    /// Reads one back.
    ///
    /// # Errors
    /// `Gone`; `Garbled` for half of one, a foreign one, or one of another form.
    pub(super) fn read(dir: &Path, id: &Id) -> Result<Kept> {
        let path = dir.join(id.name());
        let most = HEAD_BYTES_MAX + usize::try_from(MANIFEST_BYTES_MAX).unwrap_or(usize::MAX);
        let bytes = files::read_no_follow(&path, most)?;
        let garbled =
            |said: &str| Error::new(format!("read {}", path.display()), Kind::Garbled, said);
        let text = String::from_utf8(bytes).map_err(|_| garbled("it is not text"))?;
        let (head, text) = text
            .split_once('\n')
            .ok_or_else(|| garbled("it is cut off"))?;
        let head: Head =
            serde_json::from_str(head).map_err(|_| garbled("it was not written by staticlet"))?;
        if head.staticlet != FORM {
            return Err(garbled("it was written by another version of staticlet"));
        }
        if head.bytes != text.len() || head.md5 != hex(text.as_bytes()) {
            return Err(garbled("it is cut off or damaged"));
        }
        Ok(Kept {
            id: id.clone(),
            source: head.source,
            read: head.read,
            text: text.to_owned(),
            signature: head.signature,
        })
    }
}
