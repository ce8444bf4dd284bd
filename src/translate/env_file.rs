//! Files of variables that an init container leaves in an emptyDir.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, FileKeySelector};

use super::paths;
use crate::pod::{Problem, ValidPod};
use crate::state::Node;

/// The texts of the files that a container's variables come from, or why one cannot be read, by volume and path.
pub type EnvFiles = BTreeMap<EnvFile, Result<String, String>>;

/// One file of variables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvFile {
    /// The directory of the volume on the machine. Containers write there.
    pub dir: String,
    /// The path in it, as the manifest has it.
    pub path: String,
}

/// The files to read before a container is made.
pub fn env_files(pod: &ValidPod, container: &Container, node: &Node) -> Vec<EnvFile> {
    let vars = container.env.iter().flatten();
    let keys = vars.filter_map(|var| var.value_from.as_ref()?.file_key_ref.as_ref());
    keys.map(|key| file_of(pod, key, node)).collect()
}

fn file_of(pod: &ValidPod, key: &FileKeySelector, node: &Node) -> EnvFile {
    EnvFile {
        dir: paths::empty_dir(node, &pod.uid, &key.volume_name),
        path: key.path.clone(),
    }
}

/// The value of a key; `None` when it is not there and need not be.
///
/// Source: kubelet 1.36 `kubelet_pods.go` makeEnvironmentVariables: a file that is missing is an error in each case.
pub(super) fn from_file(
    (pod, node): (&ValidPod, &Node),
    files: &EnvFiles,
    key: &FileKeySelector,
    place: &str,
) -> Result<Option<String>, Problem> {
    let file = file_of(pod, key, node);
    let wrong = |why: &str| {
        let text = format!("{:?} of volume {:?}: {why}", key.path, key.volume_name);
        Problem::new(place, text)
    };
    let text = match files.get(&file) {
        Some(Ok(text)) => text,
        Some(Err(why)) => return Err(wrong(why)),
        None => return Err(wrong("it was not read")),
    };
    let found = value_of(text, &key.key).map_err(|why| wrong(&why))?;
    match found.filter(|value| !value.is_empty()) {
        Some(value) => Ok(Some(value)),
        None if key.optional == Some(true) => Ok(None),
        None => Err(wrong(&format!("it has no {:?}", key.key))
            .hint("an init container has to write it; or set optional: true")),
    }
}

/// The first value of a key in a text of `KEY='value'` lines. A value is in single quotes, within which nothing is
/// special, and may span lines. Lines may begin with blanks, and be empty or comments.
///
/// Source: kubelet 1.36 `util/env/env_util.go`.
fn value_of(text: &str, wanted: &str) -> Result<Option<String>, String> {
    let mut rest = text;
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default();
        let start = line.trim_start();
        let after = |from: &'_ str| from.find('\n').map_or(from.len(), |at| at + 1);
        if start.is_empty() || start.starts_with('#') {
            rest = rest.get(after(rest)..).unwrap_or_default();
            continue;
        }
        let (key, value) = start
            .split_once('=')
            .ok_or_else(|| format!("no '=' in the line {:?}", brief(start)))?;
        if key.is_empty() || key.ends_with([' ', '\t']) {
            return Err(format!("no name right before '=' in {:?}", brief(start)));
        }
        let value = if value.is_empty() || value.starts_with([' ', '\t', '\r']) {
            rest = rest.get(after(rest)..).unwrap_or_default();
            ""
        } else {
            let quoted = rest
                .get(rest.find('=').unwrap_or(0) + 1..)
                .unwrap_or_default();
            let inner = quoted
                .strip_prefix('\'')
                .ok_or_else(|| format!("the value of {:?} is not in single quotes", brief(key)))?;
            let (value, behind) = inner
                .split_once('\'')
                .ok_or_else(|| format!("the quote of {:?} is never closed", brief(key)))?;
            let tail = behind.lines().next().unwrap_or_default().trim();
            if !tail.is_empty() && !tail.starts_with('#') {
                return Err(format!("more than a value after {:?}", brief(key)));
            }
            rest = behind.get(after(behind)..).unwrap_or_default();
            value
        };
        if key == wanted {
            return Ok(Some(value.to_owned()));
        }
    }
    Ok(None)
}

/// As much as a message needs.
fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found() {
        let text =
            "# c\n\n  A='1' # why\nB='two\nlines'\nC=\nD= 'x'\nA='later'\r\nE=''\nF='$(A) \\n'";
        let value = |key: &str| value_of(text, key).unwrap();
        assert_eq!(value("A").unwrap(), "1");
        assert_eq!(value("B").unwrap(), "two\nlines");
        assert_eq!(value("C").unwrap(), "");
        assert_eq!(value("D").unwrap(), "");
        assert_eq!(value("E").unwrap(), "");
        assert_eq!(value("F").unwrap(), "$(A) \\n");
        assert_eq!(value("lines'"), None);
        assert_eq!(value(""), None);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, word) in [
            ("A=1\n", "single quotes"),
            ("A='1\n", "never closed"),
            ("A ='1'\n", "right before"),
            ("='1'\n", "right before"),
            ("A\n", "no '='"),
            ("A='1' b\n", "more than a value"),
            ("A='1'b='2'\n", "more than a value"),
        ] {
            let why = value_of(text, "Z").unwrap_err();
            assert!(why.contains(word), "{text:?}: {why}");
        }
        // What comes after the key is not looked at.
        assert_eq!(value_of("A='1'\nB", "A").unwrap().unwrap(), "1");
    }
}
