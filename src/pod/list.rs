//! Several pods in one piece, as a manifest URL gives them: a Pod, a PodList, or a YAML stream of both.

use serde_json::{Value, json};

use super::{Origin, Problem, Reading, read, tree};

/// Pods in one piece. Docker gives up long before.
const PODS_MAX: usize = 1000;

/// Reads all pods of an answer. One that cannot be used refuses them all, as in the kubelet: nobody knows what else its
/// author did not mean. None at all is fine where a PodList says so.
///
/// # Errors
/// Everything that is wrong with any of them.
pub fn read_list(bytes: &[u8], origin: &Origin) -> Result<Vec<Reading>, Vec<Problem>> {
    let one = |problem| vec![problem];
    let mut documents = tree::read_all(bytes, PODS_MAX).map_err(one)?;
    let several = documents.len() > 1;
    if documents.is_empty() {
        return Err(one(Problem::new("", "it is empty")
            .hint("a PodList without items stops all pods of this source")));
    }
    let mut pods = Vec::new();
    for (at, document) in documents.iter_mut().enumerate() {
        let value = std::mem::take(&mut document.value);
        let document = &*document;
        let place = if several {
            format!("document {}", at + 1)
        } else {
            String::new()
        };
        match items(value) {
            Ok(items) => pods.extend(items.into_iter().enumerate().map(|(at, item)| {
                let comma = if several { ", " } else { "" };
                let inside = format!("items[{at}]");
                (format!("{place}{comma}{inside}"), item, document, inside)
            })),
            Err(value) => pods.push((place, value, document, String::new())),
        }
    }
    if pods.len() > PODS_MAX {
        let text = format!("{} pods; at most {PODS_MAX} are followed", pods.len());
        return Err(one(Problem::new("", text)));
    }
    let (mut readings, mut problems) = (Vec::new(), Vec::new());
    for (place, pod, document, inside) in pods {
        let line = |path: &str| document.line(&format!("{inside}.{path}"));
        match read::from_tree(pod, origin, &line) {
            Ok(reading) => readings.push(reading),
            Err(found) => {
                problems.extend(found.into_iter().map(|problem| at_place(&place, problem)))
            }
        }
    }
    if problems.is_empty() {
        Ok(readings)
    } else {
        Err(problems)
    }
}

/// The items of a PodList, each a whole Pod; the document itself when it is something else.
fn items(document: Value) -> Result<Vec<Value>, Value> {
    let word = |name: &str| document.get(name).and_then(Value::as_str);
    if (word("apiVersion"), word("kind")) != (Some("v1"), Some("PodList")) {
        return Err(document);
    }
    let Value::Object(mut map) = document else {
        return Ok(Vec::new());
    };
    match map.remove("items") {
        Some(Value::Array(mut items)) => {
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.entry("apiVersion").or_insert_with(|| json!("v1"));
                item.entry("kind").or_insert_with(|| json!("Pod"));
            }
            Ok(items)
        }
        None | Some(Value::Null) => Ok(Vec::new()),
        // Read as a pod, it is refused with its kind.
        Some(other) => Ok(vec![other]),
    }
}

fn at_place(place: &str, problem: Problem) -> Problem {
    let path = match (place, problem.path.as_str()) {
        ("", path) => path.to_owned(),
        (place, "") => place.to_owned(),
        (place, path) if place.ends_with(']') => format!("{place}.{path}"),
        (place, path) => format!("{place}, {path}"),
    };
    Problem { path, ..problem }
}
