//! The `--config` file with the drop-ins of `--config-dir` over it.
//!
//! Source: kubelet 1.36, `cmd/kubelet/app/server.go`, `mergeKubeletConfigurations`: every file below the directory whose
//! name ends in `.conf`, in lexical order, is a JSON merge patch. Maps are merged, lists are replaced, `null` takes away.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::file::{self, File, Said};

/// Drop-ins that are read. More than that is another directory than the one that was meant.
const FILES_MAX: usize = 256;

/// Directories in each other that are entered; a kubelet enters any number.
const DEPTH_MAX: usize = 8;

/// What all files say together, by field.
#[derive(Default)]
pub(super) struct Files {
    found: BTreeMap<String, Found>,
    /// Fields without effect.
    pub(super) warnings: Vec<String>,
    /// Everything that is wrong.
    pub(super) problems: Vec<String>,
}

/// What became of one field.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The value as it would be typed; header lines have one line each.
    pub(super) text: String,
    /// The files that had a say in it, the last one last.
    pub(super) files: Vec<PathBuf>,
    /// The line in the last one.
    pub(super) line: Option<u32>,
    headers: BTreeMap<String, Vec<String>>,
}

impl Files {
    /// Reads the file and the drop-ins, those that are named. What is wrong is among the problems.
    pub(super) fn read(config: Option<&str>, config_dir: Option<&str>) -> Files {
        let mut files = Files::default();
        if let Some(path) = config {
            files.add("--config", Path::new(path));
        }
        if let Some(dir) = config_dir {
            let mut names = Vec::new();
            match list(Path::new(dir), DEPTH_MAX, &mut names) {
                Ok(()) if names.len() > FILES_MAX => files.problems.push(format!(
                    "--config-dir={dir}: more than {FILES_MAX} names end in .conf; is it the right directory?"
                )),
                Ok(()) => names.iter().for_each(|path| files.add("--config-dir", path)),
                Err(said) => files.problems.push(format!("--config-dir={dir}: {said}")),
            }
        }
        files
    }

    /// What a field is; `None`: no file says anything of it.
    pub(super) fn get(&self, field: &str) -> Option<&Found> {
        self.found.get(field)
    }

    fn add(&mut self, flag: &str, path: &Path) {
        // What it says of paths must mean the same if the agent ever goes elsewhere.
        let path = std::path::absolute(path).unwrap_or(path.to_owned());
        match file::read(&path) {
            Ok(file) => self.merge(file),
            Err(said) => self.problems.push(format!("{flag}: {said}")),
        }
    }

    fn merge(&mut self, file: File) {
        self.warnings.extend(file.warnings);
        self.problems.extend(file.problems);
        for (field, line, said) in file.said {
            match said {
                Said::Nothing => {
                    let below = format!("{field}.");
                    self.found
                        .retain(|known, _| *known != field && !known.starts_with(&below));
                }
                Said::Text(text) => {
                    let files = vec![file.path.clone()];
                    let found = Found {
                        text,
                        files,
                        line,
                        ..Found::default()
                    };
                    self.found.insert(field, found);
                }
                Said::Headers(headers) => {
                    let found = self.found.entry(field).or_default();
                    for (name, values) in headers {
                        match values {
                            Some(values) => drop(found.headers.insert(name, values)),
                            None => drop(found.headers.remove(&name)),
                        }
                    }
                    let lines = found.headers.iter().flat_map(|(name, values)| {
                        values.iter().map(move |value| format!("{name}:{value}"))
                    });
                    found.text = lines.collect::<Vec<_>>().join("\n");
                    found.files.push(file.path.clone());
                    found.line = line;
                }
            }
        }
    }
}

/// Every `*.conf` below a directory, in the order of a kubelet: by name, sub-directories in their place.
fn list(dir: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<(), String> {
    let said = |error: std::io::Error| format!("read directory {}: {error}", dir.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(said)? {
        let entry = entry.map_err(said)?;
        // A link is read as a file, whatever it leads to, as in a kubelet.
        let is_dir = entry.file_type().map_err(said)?.is_dir();
        let is_dropin = Path::new(&entry.file_name()).extension() == Some("conf".as_ref());
        if is_dir || is_dropin {
            entries.push((entry.file_name(), is_dir));
        }
        if entries.len() > FILES_MAX {
            break;
        }
    }
    entries.sort();
    for (name, is_dir) in entries {
        let path = dir.join(name);
        if !is_dir {
            out.push(path);
        } else if depth > 1 && out.len() <= FILES_MAX {
            list(&path, depth - 1, out)?;
        }
    }
    Ok(())
}
