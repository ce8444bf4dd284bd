//! One file of settings: a KubeletConfiguration, or a drop-in, which is written like one.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::fields;
use super::table::{Form, ROWS, Row};
use crate::pod::{Problem, read_document};
use crate::sys::InOrder;
use crate::sys::files;
use crate::sys::nearest;

/// A configuration file larger than this is something else.
const FILE_BYTES_MAX: usize = 1 << 20;

/// More problems of one file than this are counted and not told. A file with a hundred thousand unknown fields would
/// have each compared with every field there is.
const PROBLEMS_MAX: usize = 100;

/// A file that could be read; what is wrong with its fields is among its problems.
pub(super) struct File {
    /// Where it is.
    pub(super) path: PathBuf,
    /// What it says, in no order: the field, and its line.
    pub(super) said: Vec<(String, Option<u32>, Said)>,
    /// Fields without effect.
    pub(super) warnings: Vec<String>,
    /// Everything that is wrong, each with the file's path.
    pub(super) problems: Vec<String>,
}

/// What a file says of one field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// Back to the default, also for all fields below this one.
    Nothing,
    /// The value as it would be typed.
    Text(String),
    /// Header lines by their name; of several files they are merged. `None` takes one away.
    Headers(Vec<(String, Option<Vec<String>>)>),
}

/// Reads one file.
///
/// # Errors
/// It is no such file at all, in words that begin with its path.
pub(super) fn read(path: &Path) -> Result<File, String> {
    let wrong = |text: &str| format!("{}: {text}", path.display());
    if path.is_dir() {
        return Err(wrong(
            "is a directory; give manifests with --pod-manifest-path and drop-ins with --config-dir, --config is a \
             KubeletConfiguration file",
        ));
    }
    let bytes = files::read_bounded(path, FILE_BYTES_MAX).map_err(|e| wrong(e.said()))?;
    let mut document = read_document(&bytes).map_err(|problem| {
        // The other advice is about pods.
        let line = problem
            .line
            .map_or(String::new(), |line| format!("{line}: "));
        format!("{}:{line} {}", path.display(), problem.text)
    })?;
    let Value::Object(fields) = document.take() else {
        return Err(wrong("is empty; it should be a KubeletConfiguration"));
    };
    let mut reader = Reader {
        path,
        said: Vec::new(),
        warnings: Vec::new(),
        problems: Vec::new(),
        more: 0,
    };
    reader.expect_kind(&fields);
    for (name, value) in &fields {
        if !matches!(name.as_str(), "apiVersion" | "kind") {
            reader.field(name, value);
        }
    }
    let line = |path: &str| document.line(path);
    let lined = |problem: Problem| (line(&problem.path), problem);
    let mut problems: Vec<(Option<u32>, Problem)> =
        reader.problems.into_iter().map(lined).collect();
    problems.order_by_key(|(line, _)| *line);
    let told = |(line, problem): &(Option<u32>, Problem)| {
        let line = line.map_or(String::new(), |line| format!(":{line}"));
        let Problem {
            path: field, text, ..
        } = problem;
        format!("{}{line}: {field}: {text}", path.display())
    };
    let mut told: Vec<String> = problems.iter().map(told).collect();
    if reader.more > 0 {
        let more = reader.more;
        told.push(wrong(&format!("{more} more problems are not told")));
    }
    let said = reader.said.into_iter();
    Ok(File {
        path: path.to_owned(),
        said: said
            .map(|(field, said)| (field.clone(), line(&field), said))
            .collect(),
        warnings: reader.warnings,
        problems: told,
    })
}

struct Reader<'a> {
    path: &'a Path,
    said: Vec<(String, Said)>,
    warnings: Vec<String>,
    problems: Vec<Problem>,
    more: usize,
}

impl Reader<'_> {
    fn problem(&mut self, field: &str, text: impl Into<String>) {
        if self.is_full() {
            self.more += 1;
        } else {
            self.problems.push(Problem::new(field, text));
        }
    }

    fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    fn expect_kind(&mut self, fields: &Map<String, Value>) {
        let wanted = [
            ("apiVersion", "kubelet.config.k8s.io/v1beta1"),
            ("kind", "KubeletConfiguration"),
        ];
        for (name, wanted) in wanted {
            match fields.get(name).and_then(Value::as_str) {
                Some(word) if word == wanted => {}
                Some(word) => {
                    let word: String = word.chars().take(100).collect();
                    self.problem(name, format!("is {word:?}; it must be {wanted}"));
                }
                None => self.problem(name, format!("is missing; write {name}: {wanted}")),
            }
        }
    }

    /// Takes in one field, by its whole path.
    fn field(&mut self, path: &str, value: &Value) {
        let below = format!("{path}.");
        let known = || {
            let rows = ROWS.iter().map(|row| row.field);
            let rows = rows.filter(|field| !field.is_empty());
            rows.chain(fields::NOT_YET.iter().copied())
                .chain(fields::POINTLESS.split_whitespace())
        };
        if let Some(row) = ROWS.iter().find(|row| row.field == path) {
            return self.honoured(row, value);
        }
        if fields::POINTLESS
            .split_whitespace()
            .any(|known| known == path)
        {
            if !value.is_null() {
                let file = self.path.display();
                self.warnings
                    .push(format!("{path} in {file} has no effect in staticlet"));
            }
            return;
        }
        if fields::NOT_YET.contains(&path) {
            let off =
                matches!(value, Value::Bool(false) | Value::Null) || value == 0 || value == "";
            if !off {
                self.problem(path, "is not in this version yet; take it out");
            }
            return;
        }
        if known().any(|field| field.starts_with(&below)) {
            match value {
                Value::Object(fields) => fields
                    .iter()
                    .for_each(|(name, value)| self.field(&format!("{below}{name}"), value)),
                Value::Null => self.said.push((path.to_owned(), Said::Nothing)),
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    self.problem(path, "must be an object");
                }
            }
            return;
        }
        if self.is_full() {
            self.more += 1;
            return;
        }
        let near = known().flat_map(heads);
        let hint = nearest(
            path,
            near.filter(|near| near.contains('.') == path.contains('.')),
        );
        let hint = hint.map_or(String::new(), |near| format!("; did you mean {near}?"));
        self.problem(path, format!("unknown field{hint}"));
    }

    fn honoured(&mut self, row: &Row, value: &Value) {
        let said = match (row.form, value) {
            (_, Value::Null) => Some(Said::Nothing),
            // A default that is written out as empty is no setting.
            (Form::Text | Form::Path, Value::String(text)) if text.is_empty() => {
                Some(Said::Nothing)
            }
            (Form::Text, Value::String(text)) => Some(Said::Text(text.clone())),
            (Form::Path | Form::PathOrEmpty, Value::String(text)) => {
                Some(Said::Text(self.beside_file(text)))
            }
            (Form::Number, Value::Number(number)) => Some(Said::Text(number.to_string())),
            (Form::Bool, Value::Bool(switch)) => Some(Said::Text(switch.to_string())),
            (Form::List, Value::Array(list)) => list_text(list).map(Said::Text),
            (Form::Headers, Value::Object(map)) => headers(map).map(Said::Headers),
            (Form::Taints, Value::Array(list)) => taints(list).map(Said::Text),
            (_, _) => None,
        };
        match said {
            Some(said) => self.said.push((row.field.to_owned(), said)),
            None => {
                let wanted = match row.form {
                    Form::Text | Form::Path | Form::PathOrEmpty => "a string",
                    Form::Number => "a number",
                    Form::Bool => "true or false",
                    Form::List => "a list of strings",
                    Form::Headers => "a map from names to lists of strings",
                    Form::Taints => "a list of taints, each with key, value and effect",
                };
                self.problem(row.field, format!("must be {wanted}"));
            }
        }
    }

    /// Paths in the file are relative to its directory.
    fn beside_file(&self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        dir.join(text).to_string_lossy().into_owned()
    }
}

/// `a.b` is meant by `a` as well.
fn heads(field: &'static str) -> [&'static str; 2] {
    [field.split('.').next().unwrap_or(field), field]
}

fn list_text(list: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    Some(texts?.join(","))
}

fn headers(map: &Map<String, Value>) -> Option<Vec<(String, Option<Vec<String>>)>> {
    let one = |(name, values): (&String, &Value)| {
        if values.is_null() {
            return Some((name.clone(), None));
        }
        // One that holds the end of a line would be two headers.
        let plain = |text: &&str| !text.contains(['\r', '\n']);
        let one = |value: &Value| value.as_str().filter(plain).map(str::to_owned);
        let values: Option<Vec<String>> = values.as_array()?.iter().map(one).collect();
        Some((name.clone(), Some(values?)))
    };
    map.iter().map(one).collect()
}

/// As the flag has them: `key=value:effect`.
fn taints(list: &[Value]) -> Option<String> {
    let one = |taint: &Value| {
        let fields = taint.as_object()?;
        let known = ["key", "value", "effect", "timeAdded"];
        let word = |name: &str| match fields.get(name) {
            Some(Value::String(text)) => Some(text.as_str()),
            Some(Value::Null) | None => Some(""),
            Some(_) => None,
        };
        let is_known = fields.keys().all(|name| known.contains(&name.as_str()));
        let (key, value, effect) = (word("key")?, word("value")?, word("effect")?);
        is_known.then(|| format!("{key}={value}:{effect}"))
    };
    let texts: Option<Vec<String>> = list.iter().map(one).collect();
    Some(texts?.join(","))
}
