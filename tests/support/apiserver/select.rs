//! The query of a request: what it selects, and the other words of it.

use serde_json::Value;

/// The words after the question mark.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(path: &str) -> Query {
        let (_, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        };
        Query(pairs.map(pair).collect())
    }

    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn is(&self, name: &str) -> bool {
        matches!(self.get(name), "true" | "1")
    }

    /// Whether a field is held to one value.
    pub fn holds(&self, field: &str, value: &str) -> bool {
        let selector = self.get("fieldSelector");
        let mut terms = selector.split(',').filter_map(|term| term.split_once('='));
        terms.any(|(key, text)| key == field && text.trim_start_matches('=') == value)
    }

    /// # Errors
    /// A selector that cannot be read, or of a field that cannot be selected by.
    pub fn selects(&self, object: &Value) -> Result<bool, String> {
        for term in self
            .get("fieldSelector")
            .split(',')
            .filter(|term| !term.is_empty())
        {
            if !by_field(term, object)? {
                return Ok(false);
            }
        }
        for term in terms(self.get("labelSelector")) {
            if !by_label(&term, &object["metadata"]["labels"])? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        let hex = others
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match (*first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &others[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(byte),
        }
        rest = others;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "status.phase",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.namespace",
    "involvedObject.uid",
    "type",
];

fn by_field(term: &str, object: &Value) -> Result<bool, String> {
    let (field, is_not, value) = if let Some((field, value)) = term.split_once("!=") {
        (field, true, value)
    } else if let Some((field, value)) = term.split_once('=') {
        (field, false, value.trim_start_matches('='))
    } else {
        return Err(format!("invalid selector: '{term}'"));
    };
    if !FIELDS.contains(&field) {
        return Err(format!("field label not supported: {field}"));
    }
    let pointer = format!("/{}", field.replace('.', "/"));
    let text = object.pointer(&pointer).and_then(Value::as_str);
    Ok((text.unwrap_or_default() == value) != is_not)
}

/// At commas that are in no list.
fn terms(selector: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut depth = 0;
    for letter in selector.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                terms.push(String::new());
                continue;
            }
            _ => {}
        }
        terms.last_mut().unwrap().push(letter);
    }
    terms.retain(|term| !term.trim().is_empty());
    terms
}

fn by_label(term: &str, labels: &Value) -> Result<bool, String> {
    let term = term.trim();
    let value = |key: &str| labels[key.trim()].as_str();
    for (word, is_not) in [(" notin ", true), (" in ", false)] {
        if let Some((key, list)) = term.split_once(word) {
            let list = list.trim().trim_start_matches('(').trim_end_matches(')');
            let is_in =
                value(key).is_some_and(|value| list.split(',').any(|one| one.trim() == value));
            return Ok(is_in != is_not);
        }
    }
    if let Some((key, wanted)) = term.split_once("!=") {
        return Ok(value(key) != Some(wanted.trim()));
    }
    if let Some((key, wanted)) = term.split_once('=') {
        return Ok(value(key) == Some(wanted.trim_start_matches('=').trim()));
    }
    match term.strip_prefix('!') {
        Some(key) => Ok(value(key).is_none()),
        None if term.contains(char::is_whitespace) => {
            Err(format!("unable to parse requirement: {term}"))
        }
        None => Ok(value(term).is_some()),
    }
}
