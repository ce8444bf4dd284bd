//! Builds the tree of a document, and notes where each value stands.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::marks::{Mark, Parts, line_of};
use super::scalar;
use super::shape::{Kind, NODES_MAX, Shape, count_text};

/// One reading of one document. Repeated keys are refused: the kubelet takes the last one in silence.
pub(super) struct Build<'a> {
    text: &'a str,
    /// What is known of a YAML document; `None`: it is JSON.
    shape: Option<&'a Shape>,
    /// How many values have been begun.
    begun: Cell<usize>,
    text_bytes: Cell<usize>,
    /// Where something is wrong.
    wrong_at: Cell<Option<usize>>,
}

impl<'a> Build<'a> {
    pub(super) fn new(text: &'a str, shape: Option<&'a Shape>) -> Build<'a> {
        Build {
            text,
            shape,
            begun: Cell::new(0),
            text_bytes: Cell::new(0),
            wrong_at: Cell::new(None),
        }
    }

    /// The line of what is wrong, if it is known better than the reader knows it.
    pub(super) fn line(&self) -> Option<usize> {
        let line = line_of(self.text, self.wrong_at.get()?);
        usize::try_from(line).ok()
    }

    /// A text that was lent out of the input has a place in it.
    fn place(&self, lent: &str) -> Option<usize> {
        let at = lent
            .as_ptr()
            .addr()
            .checked_sub(self.text.as_ptr().addr())?;
        let same = self.text.get(at..at.checked_add(lent.len())?)? == lent;
        same.then_some(at)
    }

    /// What a YAML scalar at a place means.
    fn resolve<E: Error>(&self, lent: &str, at: usize) -> Result<Value, E> {
        let before = self.text.get(..at).unwrap_or_default();
        let after = self.text.get(at + lent.len()..).unwrap_or_default();
        let is_quoted = ['"', '\'']
            .iter()
            .any(|quote| before.ends_with(*quote) && after.starts_with(*quote));
        let value = match scalar::tag_before(before) {
            Some("!!str") => Ok(Value::from(lent)),
            Some("!!binary") => binary(lent),
            Some(_) => scalar::plain(lent),
            None if is_quoted => Ok(Value::from(lent)),
            None => scalar::plain(lent),
        };
        value.map_err(|why| {
            self.wrong_at.set(Some(at));
            E::custom(why)
        })
    }
}

fn binary(text: &str) -> Result<Value, &'static str> {
    let bytes = BASE64_STANDARD.decode(text);
    let bytes = bytes.map_err(|_| "what !!binary stands before is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "what !!binary stands before is not text")?;
    Ok(Value::from(text))
}

type Built = (Value, Mark);

/// A value of which no place is known.
fn somewhere<E>(value: impl Into<Value>) -> Result<Built, E> {
    Ok((value.into(), Mark::default()))
}

impl<'de> DeserializeSeed<'de> for &Build<'_> {
    type Value = Built;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Built, D::Error> {
        let number = self.begun.replace(self.begun.get() + 1);
        if number >= NODES_MAX {
            return Err(D::Error::custom(format!("more than {NODES_MAX} values")));
        }
        let Some(shape) = self.shape else {
            return reader.deserialize_any(self);
        };
        match shape.kind(number) {
            Some(Kind::Null | Kind::Scalar) => reader.deserialize_str(self),
            Some(Kind::List) => reader.deserialize_seq(self),
            Some(Kind::Map) => reader.deserialize_map(self),
            None => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for &Build<'_> {
    type Value = Built;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain value, a list or a mapping")
    }

    fn visit_unit<E>(self) -> Result<Built, E> {
        somewhere(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Built, E> {
        somewhere(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Built, E> {
        somewhere(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Built, E> {
        somewhere(value)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Built, E> {
        somewhere(value)
    }

    fn visit_borrowed_str<E: Error>(self, lent: &'de str) -> Result<Built, E> {
        // The shape has only those counted that are no numbers.
        count_text(&self.text_bytes, lent)?;
        let at = self.place(lent);
        let value = match at {
            Some(at) if self.shape.is_some() => self.resolve(lent, at)?,
            Some(_) | None => Value::from(lent),
        };
        let parts = Parts::None;
        Ok((value, Mark { at, parts }))
    }

    /// A text in several lines, or with escapes in it: never anything but a text.
    fn visit_str<E>(self, value: &str) -> Result<Built, E> {
        somewhere(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Built, A::Error> {
        let (mut list, mut marks) = (Vec::new(), Vec::new());
        while let Some((item, mark)) = items.next_element_seed(self)? {
            list.push(item);
            marks.push(mark);
        }
        let at = marks.first().and_then(|mark: &Mark| mark.at);
        let parts = Parts::List(marks);
        Ok((Value::Array(list), Mark { at, parts }))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Built, A::Error> {
        let (mut map, mut marks) = (Map::new(), BTreeMap::new());
        let mut first = None;
        while let Some((key, place)) = entries.next_key_seed(self)? {
            self.wrong_at.set(place.at);
            let key = match key {
                Value::String(key) => key,
                Value::Bool(_) | Value::Number(_) => key.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => {
                    return Err(A::Error::custom("a key that is not a plain value"));
                }
            };
            if map.contains_key(&key) {
                let key: String = key.chars().take(100).collect();
                return Err(A::Error::custom(format!("the key {key:?} is there twice")));
            }
            self.wrong_at.set(None);
            first = first.or(place.at);
            let (value, mark) = entries.next_value_seed(self)?;
            let mark = Mark {
                at: place.at.or(mark.at),
                ..mark
            };
            map.insert(key.clone(), value);
            marks.insert(key, mark);
        }
        if self.shape.is_some() {
            merge(&mut map, &mut marks).map_err(A::Error::custom)?;
        }
        let parts = Parts::Map(marks);
        Ok((Value::Object(map), Mark { at: first, parts }))
    }
}

/// Resolves `<<`: the mapping's own keys win, then those of the earlier merged mapping.
fn merge(
    map: &mut Map<String, Value>,
    marks: &mut BTreeMap<String, Mark>,
) -> Result<(), &'static str> {
    let Some(merged) = map.remove("<<") else {
        return Ok(());
    };
    let mark = marks.remove("<<").unwrap_or_default();
    let parts = match (merged, mark.parts) {
        (Value::Array(list), Parts::List(marks)) => list.into_iter().zip(marks).collect(),
        (one, parts) => vec![(one, Mark { at: mark.at, parts })],
    };
    for part in parts {
        let (
            Value::Object(part),
            Mark {
                parts: Parts::Map(mut places),
                ..
            },
        ) = part
        else {
            return Err("\"<<\" merges something that is not a mapping");
        };
        for (key, value) in part {
            if !map.contains_key(&key) {
                let place = places.remove(&key).unwrap_or_default();
                marks.insert(key.clone(), place);
                map.insert(key, value);
            }
        }
    }
    Ok(())
}
