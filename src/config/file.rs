//! The KubeletConfiguration file.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::fields;
use crate::sys::files;
use crate::sys::nearest;

/// A configuration file larger than this is something else.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Fields that are numbers.
const NUMBERS: [&str; 4] = [
    "containerLogMaxFiles",
    "healthzPort",
    "readOnlyPort",
    "podPidsLimit",
];

/// What the file says, by field; a field below another with a dot between.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileSettings {
    /// Scalars as text, lists with commas between.
    pub(super) text: BTreeMap<String, String>,
}

/// Reads the file; also gives what to warn of.
pub(super) fn read(path: &Path) -> Result<(FileSettings, Vec<String>), Vec<String>> {
    let one = |text: String| vec![format!("--config={}: {text}", path.display())];
    if path.is_dir() {
        return Err(one(
            "is a directory; give manifests with --pod-manifest-path, --config is a KubeletConfiguration file".into(),
        ));
    }
    let bytes = files::read_bounded(path, FILE_BYTES_MAX).map_err(|e| one(e.said().to_owned()))?;
    let root: Value =
        serde_yaml::from_slice(&bytes).map_err(|e| one(format!("is no YAML or JSON: {e}")))?;
    let Value::Object(fields) = root else {
        return Err(one(
            "is empty; it should be a KubeletConfiguration".to_owned()
        ));
    };
    let mut reader = Reader {
        path,
        settings: FileSettings::default(),
        warnings: Vec::new(),
        problems: Vec::new(),
    };
    reader.expect_kind(&fields);
    for (name, value) in &fields {
        if !matches!(name.as_str(), "apiVersion" | "kind") && !value.is_null() {
            reader.field(name, value);
        }
    }
    if reader.problems.is_empty() {
        Ok((reader.settings, reader.warnings))
    } else {
        Err(reader.problems)
    }
}

struct Reader<'a> {
    path: &'a Path,
    settings: FileSettings,
    warnings: Vec<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn problem(&mut self, text: &str) {
        let path = self.path.display();
        self.problems.push(format!("--config={path}: {text}"));
    }

    fn expect_kind(&mut self, fields: &serde_json::Map<String, Value>) {
        let wanted = [
            ("apiVersion", "kubelet.config.k8s.io/v1beta1"),
            ("kind", "KubeletConfiguration"),
        ];
        for (name, wanted) in wanted {
            if fields.get(name).and_then(Value::as_str) != Some(wanted) {
                self.problem(&format!("{name} must be {wanted}"));
            }
        }
    }

    fn field(&mut self, name: &str, value: &Value) {
        let pointless = || fields::POINTLESS.split_whitespace();
        if name == "crashLoopBackOff" {
            self.crash_loop(value);
        } else if fields::HONOURED.contains(&name) {
            self.honoured(name, value);
        } else if fields::NOT_YET.contains(&name) {
            let off =
                matches!(value, Value::Bool(false)) || value == 0 || value == "" || is_empty(value);
            if !off {
                self.problem(&format!("{name} is not in this version yet; take it out"));
            }
        } else if pointless().any(|known| known == name) {
            let path = self.path.display();
            self.warnings
                .push(format!("{name} in {path} has no effect in staticlet"));
        } else {
            let known = fields::HONOURED.iter().chain(fields::NOT_YET).copied();
            let hint = nearest(name, known.chain(pointless()));
            let hint = hint.map_or(String::new(), |near| format!("; did you mean {near}?"));
            self.problem(&format!("unknown field {name}{hint}"));
        }
    }

    fn crash_loop(&mut self, value: &Value) {
        let Value::Object(fields) = value else {
            return self.problem("crashLoopBackOff must be an object");
        };
        for (name, value) in fields {
            if name == "maxContainerRestartPeriod" {
                self.honoured("crashLoopBackOff.maxContainerRestartPeriod", value);
            } else {
                self.problem(&format!("unknown field crashLoopBackOff.{name}"));
            }
        }
    }

    fn honoured(&mut self, name: &str, value: &Value) {
        let text = match (name, value) {
            ("clusterDNS", Value::Array(list)) => {
                let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                texts.map(|texts| texts.join(","))
            }
            ("clusterDNS", _) => None,
            ("staticPodURLHeader", Value::Object(map)) => headers(map),
            ("staticPodURLHeader", _) => None,
            (name, Value::Number(number)) if NUMBERS.contains(&name) => Some(number.to_string()),
            (name, _) if NUMBERS.contains(&name) => None,
            ("staticPodPath" | "resolvConf" | "podLogsDir", Value::String(text)) => {
                Some(self.beside_file(text))
            }
            (_, Value::String(text)) => Some(text.clone()),
            (_, _) => None,
        };
        match text {
            // A default that is written out as zero is no setting.
            Some(text) if text.is_empty() && name != "resolvConf" => {}
            Some(text) => {
                self.settings.text.insert(name.to_owned(), text);
            }
            None => {
                let wanted = match name {
                    "staticPodURLHeader" => "a map from names to lists of strings",
                    "clusterDNS" => "a list of addresses",
                    name if NUMBERS.contains(&name) => "a number",
                    _ => "a string",
                };
                self.problem(&format!("{name} must be {wanted}"));
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

/// One line for each header, which none can hold inside.
fn headers(map: &serde_json::Map<String, Value>) -> Option<String> {
    let mut lines = Vec::new();
    for (name, values) in map {
        for value in values.as_array()? {
            lines.push(format!("{name}:{}", value.as_str()?));
        }
    }
    Some(lines.join("\n"))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}
