//! Volumes of the downward API: files that tell a container about its own pod.
//!
//! A kubelet writes them anew when labels or annotations change; those of a static pod change with its manifest only,
//! which replaces the pod. Source: kubelet 1.36 `downwardapi.go`, `pkg/fieldpath`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{DownwardAPIVolumeFile, ObjectFieldSelector, Volume};

use super::env::{Around, from_resource};
use super::pod_spec;
use crate::pod::{Problem, ValidPod, container_of};

/// One file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedFile {
    /// Where in the volume: relative, without `..`.
    pub path: String,
    /// What is in it.
    pub text: String,
    /// The bits of it; the umask does not matter.
    pub mode: u32,
}

/// Bytes of all files of a volume. They are held in memory until they are written, and a few lines for each item of it
/// may name the same large annotation; the API server takes no object of half that size.
const BYTES_MAX: usize = 4 << 20;

/// The bits of a file where the manifest has none.
const MODE: i32 = 0o644;

/// The files of a volume, in the manifest's order; a path given twice holds what was given last. `None`: it is a volume
/// of another kind.
pub(super) fn files(
    around: &Around<'_>,
    volume: &Volume,
    place: &str,
) -> Result<Option<Vec<PlannedFile>>, Problem> {
    let mut files = Vec::new();
    if let Some(source) = &volume.downward_api {
        let items = source.items.as_deref().unwrap_or_default();
        let place = format!("{place}.downwardAPI");
        add(around, items, source.default_mode, &place, &mut files)?;
    } else if let Some(projected) = &volume.projected {
        for (at, source) in projected.sources.iter().flatten().enumerate() {
            let place = format!("{place}.projected.sources[{at}]");
            let Some(source) = &source.downward_api else {
                return Err(Problem::new(place, "not supported").hint("use downwardAPI"));
            };
            let items = source.items.as_deref().unwrap_or_default();
            let place = format!("{place}.downwardAPI");
            add(around, items, projected.default_mode, &place, &mut files)?;
        }
    } else {
        return Ok(None);
    }
    Ok(Some(files))
}

fn add(
    around: &Around<'_>,
    items: &[DownwardAPIVolumeFile],
    default_mode: Option<i32>,
    place: &str,
    files: &mut Vec<PlannedFile>,
) -> Result<(), Problem> {
    let mut bytes: usize = files.iter().map(|file| file.text.len()).sum();
    for (at, item) in items.iter().enumerate() {
        let place = format!("{place}.items[{at}]");
        let path = relative(&item.path)
            .ok_or_else(|| Problem::new(format!("{place}.path"), "leads out of the volume"))?;
        let text = match (&item.field_ref, &item.resource_field_ref) {
            (Some(field), None) => of_field(around.pod, field, &place)?,
            (None, Some(resource)) => {
                let place = format!("{place}.resourceFieldRef");
                let name = resource.container_name.as_deref().unwrap_or_default();
                let container = container_of(pod_spec(around.pod)?, name);
                let missing = || Problem::new(&*place, format!("no container {name:?}"));
                from_resource(around, container.ok_or_else(missing)?, resource, &place)?
            }
            _ => return Err(Problem::new(place, "needs fieldRef or resourceFieldRef")),
        };
        bytes += text.len();
        if bytes > BYTES_MAX {
            let text = format!("here the files of the volume come to more than {BYTES_MAX} bytes");
            return Err(Problem::new(place, text));
        }
        let mode = item.mode.or(default_mode).unwrap_or(MODE);
        files.retain(|file: &PlannedFile| file.path != path);
        files.push(PlannedFile {
            path,
            text,
            mode: u32::try_from(mode).unwrap_or(0) & 0o777,
        });
    }
    Ok(())
}

/// A path that stays in the volume, without empty parts.
fn relative(path: &str) -> Option<String> {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<&str> = parts.collect();
    let stays = !path.starts_with('/')
        && !parts.is_empty()
        && !parts.contains(&"..")
        && !parts.first().is_some_and(|first| first.starts_with(".."));
    stays.then(|| parts.join("/"))
}

fn of_field(pod: &ValidPod, field: &ObjectFieldSelector, place: &str) -> Result<String, Problem> {
    let meta = &pod.pod.metadata;
    let (labels, annotations) = (meta.labels.as_ref(), meta.annotations.as_ref());
    let path = field.field_path.as_str();
    let entry = |map: Option<&BTreeMap<String, String>>, prefix: &str| {
        let key = path.strip_prefix(prefix)?.strip_suffix("']")?;
        Some(
            map.and_then(|map| map.get(key))
                .cloned()
                .unwrap_or_default(),
        )
    };
    let subscript = entry(labels, "metadata.labels['");
    if let Some(value) = subscript.or_else(|| entry(annotations, "metadata.annotations['")) {
        return Ok(value);
    }
    Ok(match path {
        "metadata.name" => pod.key.name.clone(),
        "metadata.namespace" => pod.key.namespace.clone(),
        "metadata.uid" => pod.uid.0.clone(),
        "metadata.labels" => lines(labels),
        "metadata.annotations" => lines(annotations),
        other => {
            let text = format!("{other:?} is not a field there is in a file");
            return Err(Problem::new(format!("{place}.fieldRef.fieldPath"), text));
        }
    })
}

/// One `key="value"` a line, by key, and no newline at the end.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let entries = map.into_iter().flatten();
    let lines: Vec<String> = entries
        .map(|(key, value)| format!("{key}={}", quoted(value)))
        .collect();
    lines.join("\n")
}

/// As Go's `strconv.Quote` writes a string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() || (c.is_whitespace() && c != ' ') || c == '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_as_go_quotes_them() {
        for (text, wanted) in [
            ("v", r#""v""#),
            ("a \"b\"\\\n\t", r#""a \"b\"\\\n\t""#),
            ("\u{1}\u{7f}", r#""\x01\x7f""#),
            ("ü ☃ \u{a0}\u{85}", r#""ü ☃ \u00a0\u0085""#),
        ] {
            assert_eq!(quoted(text), wanted);
        }
    }

    #[test]
    fn no_path_leads_out_of_its_volume() {
        assert_eq!(relative("a//b/./c").as_deref(), Some("a/b/c"));
        for bad in ["", "/a", "..", "a/../b", "..data", ".", "./"] {
            assert_eq!(relative(bad), None, "{bad}");
        }
    }
}
