//! The fields of a kubeconfig, one by one. What is wrong is told with file, line and path, never with the value: it may be
//! a secret in the wrong place.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::pod::{Document, Problem, read_document};
use crate::sys::{Error, Kind, Result};

/// A file that could be read.
pub(super) struct Text<'a> {
    path: &'a Path,
    document: Document<'a>,
    fields: Map<String, Value>,
}

/// A mapping in it.
#[derive(Clone)]
pub(super) struct Part<'a> {
    text: &'a Text<'a>,
    /// `users[0].user`; empty for the whole file.
    at: String,
    /// `None` where `null` stands, which is a mapping without fields, as in client-go.
    fields: Option<&'a Map<String, Value>>,
}

impl<'a> Text<'a> {
    /// # Errors
    /// `Garbled`: it is neither YAML nor JSON, or no mapping.
    pub(super) fn read(path: &'a Path, bytes: &'a [u8]) -> Result<Text<'a>> {
        let wrong = |line: Option<u32>, why: &str| garbled(path, line, why);
        let mut document = read_document(bytes).map_err(|problem| {
            let Problem { line, text, .. } = problem;
            wrong(line, unquoted(&text))
        })?;
        match document.take() {
            Value::Object(fields) => Ok(Text {
                path,
                document,
                fields,
            }),
            Value::Null => Err(wrong(None, "is empty; it should be a kubeconfig")),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(wrong(None, "is no kubeconfig: it must be a mapping"))
            }
        }
    }

    pub(super) fn whole(&'a self) -> Part<'a> {
        Part {
            text: self,
            at: String::new(),
            fields: Some(&self.fields),
        }
    }
}

impl<'a> Part<'a> {
    /// What is wrong with a field.
    pub(super) fn wrong(&self, field: &str, why: &str) -> Error {
        let at = self.path(field);
        let line = self.text.document.line(&at);
        garbled(self.text.path, line, &format!("{at}: {why}"))
    }

    /// What was being done when the reading of what a field names did not work.
    pub(super) fn doing(&self, field: &str) -> String {
        let at = self.path(field);
        let line = self.text.document.line(&at);
        format!("read kubeconfig {}, {at}", place(self.text.path, line))
    }

    /// Where it stands: file, line and path.
    pub(super) fn place(&self) -> String {
        let line = self.text.document.line(&self.at);
        format!("{}, {}", place(self.text.path, line), self.at)
    }

    fn path(&self, field: &str) -> String {
        match self.at.as_str() {
            "" => field.to_owned(),
            at => format!("{at}.{field}"),
        }
    }

    /// What is there; `None` also for `null`.
    pub(super) fn value(&self, field: &str) -> Option<&'a Value> {
        let value = self.fields?.get(field)?;
        Some(value).filter(|value| !value.is_null())
    }

    /// Empty when it is not there.
    pub(super) fn text(&self, field: &str) -> Result<&'a str> {
        match self.value(field) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(Value::Bool(_) | Value::Number(_)) => {
                Err(self.wrong(field, "must be a string: put it in quotes"))
            }
            Some(_) => Err(self.wrong(field, "must be a string")),
        }
    }

    /// False when it is not there.
    pub(super) fn switch(&self, field: &str) -> Result<bool> {
        match self.value(field) {
            None => Ok(false),
            Some(Value::Bool(switch)) => Ok(*switch),
            Some(_) => Err(self.wrong(field, "must be true or false")),
        }
    }

    /// Base64, in as many lines as one likes. `None` when it is not there.
    pub(super) fn bytes(&self, field: &str) -> Result<Option<Vec<u8>>> {
        let mut text = self.text(field)?.to_owned();
        text.retain(|c| !c.is_ascii_whitespace());
        if text.is_empty() {
            return Ok(None);
        }
        let bytes = STANDARD.decode(text);
        bytes
            .map(Some)
            .map_err(|_| self.wrong(field, "is not base64"))
    }

    /// Empty when it is not there.
    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>> {
        let list = match self.value(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.wrong(field, "must be a list of strings")),
        };
        let texts = list.iter().map(|item| item.as_str().map(str::to_owned));
        let texts: Option<Vec<String>> = texts.collect();
        texts.ok_or_else(|| self.wrong(field, "must be a list of strings"))
    }

    /// Empty when it is not there.
    pub(super) fn part(&self, field: &str) -> Result<Part<'a>> {
        self.as_part(self.path(field), self.value(field))
            .ok_or_else(|| self.wrong(field, "must be a mapping"))
    }

    /// Empty when it is not there.
    pub(super) fn parts(&self, field: &str) -> Result<Vec<Part<'a>>> {
        let list = match self.value(field) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.wrong(field, "must be a list")),
        };
        let part = |(number, value)| {
            let item = format!("{field}[{number}]");
            self.as_part(self.path(&item), Some(value))
                .ok_or_else(|| self.wrong(&item, "must be a mapping"))
        };
        list.iter().enumerate().map(part).collect()
    }

    fn as_part(&self, at: String, value: Option<&'a Value>) -> Option<Part<'a>> {
        let fields = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => Some(fields),
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                return None;
            }
        };
        let text = self.text;
        Some(Part { text, at, fields })
    }

    /// What a list has under a name. Two of one name are refused, wanted or not.
    ///
    /// Source: client-go `tools/clientcmd/api/v1/conversion.go`, "duplicate name".
    pub(super) fn named(&self, list: &str, name: &str) -> Result<Option<Part<'a>>> {
        let (mut names, mut found) = (BTreeSet::new(), None);
        for part in self.parts(list)? {
            let own = part.text("name")?;
            if !names.insert(own) {
                let why = format!("{own:?} is the name of another one as well; remove one of them");
                return Err(part.wrong("name", &why));
            }
            if own == name {
                found = Some(part);
            }
        }
        Ok(found)
    }
}

fn place(path: &Path, line: Option<u32>) -> String {
    let line = line.map_or(String::new(), |line| format!(":{line}"));
    format!("{}{line}", path.display())
}

fn garbled(path: &Path, line: Option<u32>, why: &str) -> Error {
    let doing = format!("read kubeconfig {}", place(path, line));
    Error::new(doing, Kind::Garbled, why)
}

/// The words of a reader up to what it may quote of the file: a text, or a tag, which a password that begins with `!` is.
fn unquoted(said: &str) -> &str {
    let end = said.find(['"', '`', '!']).unwrap_or(said.len());
    said.get(..end).unwrap_or_default().trim_end()
}
