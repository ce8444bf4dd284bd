//! How much of what a server sends becomes a tree: a text of some megabytes can make one of gigabytes.

use serde::de::IgnoredAny;

/// For the tree of one object. An object of the API server has at most 1.5 MB; made of nothing but names and values it is a tree
/// of some 50 MB. Larger: a hostile server fills the memory of a small machine.
pub(super) const TREE_BYTES_MAX: usize = 64 << 20;

/// What serde_json takes for an object that has something in it: eleven places for names and values.
const OBJECT_BYTES: usize = 640;

/// For one more name or value: its place, as a part of those that are half full, and a name.
const PART_BYTES: usize = 140;

/// What the tree of this JSON takes, rather too much than too little. Whatever is no JSON weighs something as well.
pub(super) fn weight(text: &[u8]) -> usize {
    let mut sum = text.len();
    let (mut is_text, mut is_escaped) = (false, false);
    for (byte, next) in text.iter().zip(text.iter().skip(1).chain([&b' '])) {
        if is_text {
            is_text = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            continue;
        }
        sum += match byte {
            b'"' => {
                is_text = true;
                0
            }
            // An empty one takes nothing.
            b'{' if *next != b'}' => OBJECT_BYTES,
            b'[' | b',' => PART_BYTES,
            _ => 0,
        };
    }
    sum
}

/// The parts of a JSON text, without a tree of it.
pub(super) struct Walk<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a [u8]) -> Walk<'a> {
        Walk { text, at: 0 }
    }

    /// Goes past this byte; says whether it was the next one.
    pub(super) fn passes(&mut self, byte: u8) -> bool {
        self.blanks();
        let is_next = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Nothing more comes.
    pub(super) fn is_over(&mut self) -> bool {
        self.blanks();
        self.at == self.text.len()
    }

    fn blanks(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\n' | b'\r' | b'\t');
        self.at += rest.iter().take_while(is_blank).count();
    }

    /// The text of the value that comes, however deep it is; `None` when none comes.
    pub(super) fn value(&mut self) -> Option<&'a [u8]> {
        self.blanks();
        let rest = self.text.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let end = values.byte_offset();
        self.at += end;
        rest.get(..end)
    }

    /// The values of a list up to its end, none of `null`; `None` when it is no list, or `each` says no.
    pub(super) fn list(&mut self, each: &mut dyn FnMut(&'a [u8]) -> bool) -> Option<()> {
        if !self.passes(b'[') {
            return (self.value()? == b"null").then_some(());
        }
        let mut is_first = true;
        while !self.passes(b']') {
            if !is_first && !self.passes(b',') {
                return None;
            }
            is_first = false;
            if !each(self.value()?) {
                return None;
            }
        }
        Some(())
    }
}
