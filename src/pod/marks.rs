//! Where the values of a document stand in its text.

use std::collections::BTreeMap;

/// Where one value stands, and those in it.
#[derive(Debug, Default)]
pub(super) struct Mark {
    /// The first byte of its key, or of itself where it has none; `None` where the reader does not tell.
    pub(super) at: Option<usize>,
    pub(super) parts: Parts,
}

/// What is in a value.
#[derive(Debug, Default)]
pub(super) enum Parts {
    #[default]
    None,
    List(Vec<Mark>),
    Map(BTreeMap<String, Mark>),
}

impl Mark {
    /// The byte at which a field path leads; for a field that is not there, where the nearest one above it stands.
    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let Some((part, rest)) = self.step(path) else {
            return self.at;
        };
        part.find(rest).or(self.at)
    }

    /// The part that a path names first, and what remains of the path.
    fn step<'a>(&self, path: &'a str) -> Option<(&Mark, &'a str)> {
        let inside = path.strip_prefix('[');
        match &self.parts {
            Parts::None => None,
            Parts::List(list) => {
                let (index, rest) = inside?.split_once(']')?;
                Some((list.get(index.parse::<usize>().ok()?)?, rest))
            }
            // A key may have dots and brackets in it: the longest that fits is meant.
            Parts::Map(map) => {
                let path = path.strip_prefix('.').unwrap_or(path);
                let fits = map.iter().filter_map(|(key, mark)| {
                    let rest = match inside {
                        Some(inside) => inside.strip_prefix(key.as_str())?.strip_prefix(']')?,
                        None => path.strip_prefix(key.as_str())?,
                    };
                    let ends = rest.is_empty() || rest.starts_with(['.', '[']);
                    ends.then_some((key.len(), mark, rest))
                });
                let (_, mark, rest) = fits.max_by_key(|(length, ..)| *length)?;
                Some((mark, rest))
            }
        }
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line_of(text: &str, at: usize) -> u32 {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}
