//! The shape of a YAML document: which of its values are texts, lists and mappings, in the order in which they stand.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

use super::MANIFEST_BYTES_MAX;

/// More values than this in one manifest are refused: a bomb of aliases would fill the memory. The largest manifests
/// that people write have some thousands.
pub(super) const NODES_MAX: usize = 200_000;

/// More bytes than this in the texts of one manifest are refused: aliases of one long text would fill the memory too.
const TEXT_BYTES_MAX: usize = 4 * MANIFEST_BYTES_MAX;

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, or a scalar that says so.
    Null,
    /// A scalar.
    Scalar,
    /// A list.
    List,
    /// A mapping.
    Map,
}

/// The kinds of all values of a document, each before those in it, keys included.
#[derive(Debug, Default)]
pub(super) struct Shape {
    kinds: RefCell<Vec<Kind>>,
    text_bytes: Cell<usize>,
}

/// Counts the bytes of one more text.
pub(super) fn count_text<E: Error>(bytes: &Cell<usize>, text: &str) -> Result<(), E> {
    bytes.set(bytes.get() + text.len());
    if bytes.get() > TEXT_BYTES_MAX {
        let said = format!("more than {TEXT_BYTES_MAX} bytes in all texts with their aliases");
        return Err(E::custom(said));
    }
    Ok(())
}

impl Shape {
    /// The kind of the value with this number.
    pub(super) fn kind(&self, number: usize) -> Option<Kind> {
        self.kinds.borrow().get(number).copied()
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.kinds.borrow().len()
    }

    /// There is nothing in the document.
    pub(super) fn is_null(&self) -> bool {
        self.kind(0).is_none_or(|kind| kind == Kind::Null)
    }

    fn note<E: Error>(&self, kind: Kind) -> Result<(), E> {
        let mut kinds = self.kinds.borrow_mut();
        if kinds.len() >= NODES_MAX {
            return Err(E::custom(format!("more than {NODES_MAX} values")));
        }
        kinds.push(kind);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value, a list or a mapping")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.note(Kind::Null)
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        self.note(Kind::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.note(Kind::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.note(Kind::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.note(Kind::Scalar)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<(), E> {
        self.note(Kind::Scalar)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<(), E> {
        self.note(Kind::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.note(Kind::Scalar)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        count_text(&self.text_bytes, text)?;
        self.note(Kind::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.note(Kind::List)?;
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.note(Kind::Map)?;
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (tag, _) = tagged.variant::<String>()?;
        let tag: String = tag.chars().take(60).collect();
        Err(A::Error::custom(format!(
            "the tag !{tag} means nothing to Kubernetes"
        )))
    }
}
