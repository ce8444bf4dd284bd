//! The way from bytes to a valid pod.

use serde_json::{Map, Value, json};

use super::fields::{Findings, PROBLEMS_MAX, fit};
use super::{Origin, PodKey, PodUid, Problem, Reading, SpecHash, ValidPod};
use super::{check, defaults, identity, tree};

/// Fields of a dumped object that say nothing about what should run.
pub(super) const DUMPED: &[&str] = &[
    "resourceVersion",
    "managedFields",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "selfLink",
    "finalizers",
    "generateName",
];

/// Reads one manifest, YAML or JSON.
///
/// # Errors
/// Everything that is wrong with it, as far as it can be found in one pass.
pub fn read(bytes: &[u8], origin: &Origin) -> Result<Reading, Vec<Problem>> {
    let mut document = tree::read(bytes).map_err(|problem| vec![problem])?;
    let value = std::mem::take(&mut document.value);
    from_tree(value, origin, &|path| document.line(path))
}

/// The same from a tree; `line` tells where a field stands.
pub(super) fn from_tree(
    value: Value,
    origin: &Origin,
    line: &dyn Fn(&str) -> Option<u32>,
) -> Result<Reading, Vec<Problem>> {
    let mut reading = judge(value, origin);
    let problems = match &mut reading {
        Ok(reading) => &mut reading.warnings,
        Err(problems) => problems,
    };
    for problem in problems {
        if problem.line.is_none() && !problem.path.is_empty() {
            problem.line = line(&problem.path);
        }
    }
    reading
}

fn judge(value: Value, origin: &Origin) -> Result<Reading, Vec<Problem>> {
    let mut map = one_pod(value).map_err(|problem| vec![problem])?;
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| !DUMPED.contains(&name.as_str()));
    }
    let mut found = Findings::default();
    let mut pod = fit(Value::Object(map), &mut found);
    let warnings = if origin.allow_unknown_fields {
        std::mem::take(&mut found.unknown)
    } else {
        found.problems.append(&mut found.unknown);
        Vec::new()
    };
    defaults::fill(&mut pod);
    let mut wrong = Vec::new();
    check::pod(&pod, &origin.node_name, &mut wrong);
    // What was refused is gone from the tree: that it is missing there is no second problem.
    wrong.retain(|problem| {
        !found
            .problems
            .iter()
            .any(|known| covers(&problem.path, &known.path))
    });
    let mut problems = found.problems;
    problems.append(&mut wrong);
    if !problems.is_empty() {
        let more = found.more + problems.len().saturating_sub(PROBLEMS_MAX);
        problems.truncate(PROBLEMS_MAX);
        if more > 0 {
            problems.push(Problem::new(
                "",
                format!("{more} more problems are not told"),
            ));
        }
        return Err(problems);
    }
    finish(pod, origin, warnings)
}

/// Whether a path is another one, or leads to it.
fn covers(path: &str, other: &str) -> bool {
    let rest = other.strip_prefix(path);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn one_pod(value: Value) -> Result<Map<String, Value>, Problem> {
    let map = match value {
        Value::Object(map) => map,
        Value::Null => {
            return Err(Problem::new("", "the file is empty").hint("a manifest is one v1 Pod"));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(
                Problem::new("", "the file is not a mapping").hint("a manifest is one v1 Pod")
            );
        }
    };
    let word = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (word("apiVersion"), word("kind"));
    for (name, text, wanted) in [("kind", kind, "Pod"), ("apiVersion", version, "v1")] {
        if text.is_empty() {
            return Err(
                Problem::new(name, "Required value").hint(format!("write {name}: {wanted}"))
            );
        }
    }
    if (version, kind) != ("v1", "Pod") {
        let text: String = format!("this is a {version} {kind}")
            .chars()
            .take(200)
            .collect();
        return Err(Problem::new("kind", text).hint("only a v1 Pod runs here, one in a file"));
    }
    Ok(map)
}

fn finish(
    mut pod: Value,
    origin: &Origin,
    warnings: Vec<Problem>,
) -> Result<Reading, Vec<Problem>> {
    let hash = identity::digest(&pod, &origin.node_name);
    let metadata = &mut pod["metadata"];
    let uid = metadata["uid"]
        .as_str()
        .filter(|uid| !uid.is_empty())
        .unwrap_or(&hash)
        .to_owned();
    let namespace = metadata["namespace"]
        .as_str()
        .filter(|n| !n.is_empty())
        .unwrap_or("default")
        .to_owned();
    let name = format!(
        "{}-{}",
        metadata["name"].as_str().unwrap_or_default(),
        origin.node_name.to_lowercase()
    );
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(namespace);
    metadata["uid"] = json!(uid);
    if !metadata["annotations"].is_object() {
        metadata["annotations"] = json!({});
    }
    metadata["annotations"]["kubernetes.io/config.hash"] = json!(hash);
    let source = if origin.from_file { "file" } else { "http" };
    metadata["annotations"]["kubernetes.io/config.source"] = json!(source);
    let spec = &mut pod["spec"];
    spec["nodeName"] = json!(origin.node_name);
    if origin.from_file {
        let toleration = json!({"operator": "Exists", "effect": "NoExecute"});
        match spec["tolerations"].as_array_mut() {
            Some(list) if !list.contains(&toleration) => list.push(toleration),
            Some(_) => {}
            None => spec["tolerations"] = json!([toleration]),
        }
    }
    let pod = serde_json::from_value(pod).map_err(|e| vec![Problem::new("", e.to_string())])?;
    Ok(Reading {
        pod: ValidPod {
            key: PodKey { namespace, name },
            uid: PodUid(uid),
            hash: SpecHash(hash),
            pod,
        },
        warnings,
    })
}
