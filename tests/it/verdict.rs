//! Which manifests are refused, and for which field, beside what a real kubelet 1.36 had said to the same bytes.
//!
//! `tests/fixtures/verdicts.jsonl` holds the small ones; `STATICLET_CAPTURES` names a folder with all of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use staticlet::pod::{Origin, read};

/// So many manifests at least have to be compared.
const MANIFESTS_MIN: usize = 120;

/// What differs on purpose; each stands in the README, under "Differences".
const DIFFERENT: &[(&str, &str)] = &[
    (
        "117-r-scheduling-gates",
        "the gates are named, not the node",
    ),
    (
        "155-r-hostpath-bad-type",
        "the mounts of a wrong volume are no second fault",
    ),
    (
        "156-r-hostpath-relative",
        "dockerd would refuse it, so it is told at once",
    ),
    (
        "198-r-two-documents",
        "the second document is not skipped in silence",
    ),
    ("200-r-empty-first-document", "an empty document is skipped"),
    (
        "209-r-yaml-duplicate-key",
        "a repeated key is not skipped in silence",
    ),
    (
        "212-r-json-mode-too-big",
        "the mounts of a wrong volume are no second fault",
    ),
    (
        "218-r-huge-file",
        "only the first kilobyte of it was recorded",
    ),
    (
        "41-sec-procmount",
        "Unmasked needs hostUsers, which is refused",
    ),
];

/// One manifest that a kubelet was given.
struct Given {
    title: String,
    name: String,
    bytes: Vec<u8>,
    log: String,
}

#[test]
fn refuses_what_a_kubelet_refuses() {
    let folder = std::env::var_os("STATICLET_CAPTURES").map(PathBuf::from);
    let given = match &folder {
        Some(folder) => sorted_dirs(folder)
            .iter()
            .flat_map(|d| recorded(d))
            .collect(),
        None => kept(),
    };
    let (mut not_here, mut wrong, mut met) = (0, Vec::new(), BTreeSet::new());
    for one in &given {
        let ((ours, refused), theirs) = (ours(&one.bytes), theirs(&one.log, &one.name));
        if agree(&ours, &theirs) {
            continue;
        }
        if !refused.is_empty() && refused_agree(&ours, &theirs, &refused) {
            not_here += 1;
            continue;
        }
        match DIFFERENT.iter().find(|(title, _)| *title == one.title) {
            Some((title, _)) => {
                met.insert(*title);
            }
            None => wrong.push(format!(
                "{}\n   ours   {ours:?}\n   theirs {theirs:?}",
                one.title
            )),
        }
    }
    println!(
        "{} manifests compared; {not_here} have fields that are refused, {} differ on purpose",
        given.len(),
        met.len()
    );
    for (title, _) in DIFFERENT {
        if given.iter().any(|one| one.title == *title) && !met.contains(title) {
            wrong.push(format!("{title} does not differ any more"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(given.len() >= MANIFESTS_MIN, "only {}", given.len());
}

fn sorted_dirs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut dirs: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    dirs.retain(|dir| dir.is_dir());
    dirs.sort();
    dirs
}

/// The manifests of a recorded case, with the kubelet's log.
fn recorded(case: &Path) -> Vec<Given> {
    let title = case.file_name().unwrap().to_string_lossy().into_owned();
    let log = std::fs::read_to_string(case.join("kubelet.log.txt")).unwrap_or_default();
    let given = manifests(case).into_iter().map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let title = if name.starts_with("manifest.") {
            title.clone()
        } else {
            format!("{title}/{name}")
        };
        Given {
            title,
            name,
            bytes: std::fs::read(&path).unwrap(),
            log: log.clone(),
        }
    });
    given.collect()
}

/// The small ones that are kept with the tests, each with the line of the log that refused it.
fn kept() -> Vec<Given> {
    let lines = include_str!("../fixtures/verdicts.jsonl").lines();
    let given = lines.map(|line| {
        let one: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        Given {
            title: text("case"),
            name: text("name"),
            bytes: text("manifest").into_bytes(),
            log: text("log"),
        }
    });
    given.collect()
}

/// The fields that are refused, without indices; `None`: the manifest is fine. Empty: refused as a whole.
type Verdict = Option<BTreeSet<String>>;

fn agree(ours: &Verdict, theirs: &Verdict) -> bool {
    match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => theirs.is_subset(ours),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// The fields that `staticlet fields` calls refused are all that is wrong, or the kubelet's faults are in them.
fn refused_agree(ours: &Verdict, theirs: &Verdict, refused: &BTreeSet<String>) -> bool {
    let inside = |field: &String| refused.iter().any(|whole| field.starts_with(whole));
    match theirs {
        None => ours.as_ref() == Some(refused),
        Some(theirs) => theirs.iter().all(inside),
    }
}

fn manifests(case: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(case).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        let numbered = name.starts_with(|c: char| c.is_ascii_digit()) && name.ends_with(".yaml");
        name.starts_with("manifest.") || numbered
    });
    found.sort();
    found
}

/// The verdict, and which fields of it are refused whatever is in them.
fn ours(bytes: &[u8]) -> (Verdict, BTreeSet<String>) {
    let origin = Origin {
        node_name: "my-node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    let Err(problems) = read(bytes, &origin) else {
        return (None, BTreeSet::new());
    };
    let refused = problems.iter().filter(|p| p.text == "not supported here");
    let refused = refused.map(|p| without_indices(&p.path)).collect();
    let all = problems.iter().map(|p| without_indices(&p.path)).collect();
    (Some(all), refused)
}

/// `spec.containers[0].resources.limits[cpu]` is `spec.containers.resources.limits`.
fn without_indices(path: &str) -> String {
    let mut depth = 0;
    path.chars()
        .filter(|c| {
            depth += i32::from(*c == '[');
            let inside = depth > 0;
            depth -= i32::from(*c == ']');
            !inside
        })
        .collect()
}

/// What the kubelet's log says about the file. Of a case with several versions only that of one name was refused.
fn theirs(log: &str, name: &str) -> Verdict {
    let numbered = name.split_once('-').map(|(number, _)| number);
    let line = log
        .lines()
        .find(|line| line.contains("can't process config file"))?;
    if numbered.is_some_and(|number| number != "2") {
        return None;
    }
    let mut found = BTreeSet::new();
    if let Some((_, field)) = line.split_once("into Go struct field ") {
        let field = field.split(' ').next().unwrap();
        found.insert(field.split_once('.').unwrap().1.to_owned());
    }
    if let Some((_, errors)) = line.split_once("invalid pod: [") {
        let words: Vec<&str> = errors.split(' ').collect();
        for pair in words.windows(2) {
            let kinds = [
                "Required",
                "Invalid",
                "Unsupported",
                "Forbidden:",
                "Duplicate",
                "Not",
                "Too",
            ];
            if let [path, kind] = pair
                && let Some(path) = path.strip_suffix(':')
                && (path.starts_with("spec") || path.starts_with("metadata"))
                && kinds.iter().any(|known| kind.starts_with(known))
            {
                found.insert(without_indices(path));
            }
        }
    }
    Some(found)
}
