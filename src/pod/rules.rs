//! The rules about single values that checks are made of.

use serde_json::Value;

use super::Problem;
use crate::sys::nearest;

pub(super) type Out<'a> = &'a mut Vec<Problem>;

/// What is wrong with the key of a label.
pub(super) const LABEL_KEY: &str = "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/'";

/// What is wrong with the value of a label.
pub(super) const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

pub(super) fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

pub(super) fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn required(path: String, out: Out) {
    out.push(Problem::new(path, "Required value"));
}

pub(super) fn invalid(path: &str, value: &str, why: &str, out: Out) {
    let value: String = value.chars().take(200).collect();
    out.push(Problem::new(
        path,
        format!("Invalid value: {value:?}: {why}"),
    ));
}

pub(super) fn one_of(of: &Value, name: &str, path: &str, allowed: &[&str], out: Out) {
    let Some(value) = of[name].as_str() else {
        return;
    };
    if !allowed.contains(&value) {
        let allowed_names = allowed.iter().copied();
        let allowed: Vec<String> = allowed.iter().map(|a| format!("{a:?}")).collect();
        let text = format!(
            "Unsupported value: {value:?}: supported values: {}",
            allowed.join(", ")
        );
        let problem = Problem::new(format!("{path}.{name}"), text);
        out.push(match nearest(value, allowed_names) {
            Some(near) if !near.is_empty() => problem.hint(format!("did you mean {near}?")),
            Some(_) | None => problem,
        });
    }
}

pub(super) fn range(of: &Value, name: &str, path: &str, (low, high): (i64, i64), out: Out) {
    if let Some(value) = of[name].as_i64()
        && !(low..=high).contains(&value)
    {
        let text = format!("Invalid value: {value}: must be between {low} and {high}, inclusive");
        out.push(Problem::new(format!("{path}.{name}"), text));
    }
}

pub(super) fn is_label(name: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    let inside = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inside)
}

pub(super) fn label(name: &str, path: &str, out: Out) {
    if name.len() > 63 {
        invalid(path, name, "must be no more than 63 characters", out);
    }
    if !is_label(name) {
        let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
        invalid(path, name, why, out);
    }
}

pub(super) fn subdomain(name: &str, path: &str, out: Out) {
    if name.len() > 253 {
        invalid(path, name, "must be no more than 253 characters", out);
    }
    if !name.split('.').all(is_label) {
        let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
        invalid(path, name, why, out);
    }
}

pub(super) fn name_part(name: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let inside = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
    name.len() <= 63 && ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inside)
}

/// Whether this can be the value of a label.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || name_part(text)
}

/// Whether this can be the key of a label, an annotation or a taint.
pub fn qualified(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => {
            prefix.len() <= 253 && prefix.split('.').all(is_label) && name_part(name)
        }
        None => name_part(key),
    }
}
