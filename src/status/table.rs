//! The rows of `staticlet status`, by the rules of `kubectl get pods -o wide`.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::init::{Part, init_containers};
use crate::sys::Wall;

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The cells, in the order of [`HEADER`].
    pub cells: [String; 8],
    /// Every container is ready, and the pod is not on its way out; or it has done all it should.
    pub is_well: bool,
}

/// How a pod is, at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Well,
    /// On its way there, or on its way out.
    Busy,
    /// Something is wrong with it.
    Ill,
}

impl Row {
    /// How its pod is, by the word in the column STATUS.
    pub fn tone(&self) -> Tone {
        let [_, _, _, word, ..] = &self.cells;
        // `Init:1/2` goes on, `Init:Error` does not.
        let part = word.strip_prefix("Init:").unwrap_or(word);
        let goes_on = part.starts_with(|c: char| c.is_ascii_digit()) && part.contains('/');
        match part {
            _ if self.is_well => Tone::Well,
            "Running" | "NotReady" | "Pending" | "ContainerCreating" | "PodInitializing"
            | "Terminating" => Tone::Busy,
            _ if goes_on => Tone::Busy,
            _ => Tone::Ill,
        }
    }
}

/// The names of the columns.
const HEADER: [&str; 8] = [
    "NAMESPACE",
    "NAME",
    "READY",
    "STATUS",
    "RESTARTS",
    "AGE",
    "IP",
    "NODE",
];

/// The row of a pod.
///
/// Source: Kubernetes 1.36 `pkg/printers/internalversion/printers.go` printPod. The age counts from `status.startTime`,
/// since a static pod has no time of creation.
pub fn row(pod: &Pod, now: Wall) -> Row {
    let empty = PodStatus::default();
    let status = pod.status.as_ref().unwrap_or(&empty);
    let spec = pod.spec.as_ref();
    let statuses = status.container_statuses.as_deref().unwrap_or_default();
    let is_sidecar = |name: &str| {
        let mut init = init_containers(spec).iter();
        init.any(|c| c.name == name && Part::of_init(c) == Part::Sidecar)
    };
    let init = status.init_container_statuses.as_deref();
    let init = init.unwrap_or_default();
    let sidecars: Vec<&ContainerStatus> = init.iter().filter(|s| is_sidecar(&s.name)).collect();
    let declared = init_containers(spec).iter();
    let total = spec
        .map_or(0, |spec| spec.containers.len())
        .max(statuses.len())
        + declared.filter(|c| is_sidecar(&c.name)).count();
    let unready = init_word(init, init_containers(spec).len(), &is_sidecar);
    let initializing = unready.is_some() && !condition_holds(status, "Initialized");
    let counted: Vec<&ContainerStatus> = if initializing {
        init.iter().collect()
    } else {
        sidecars.iter().copied().chain(statuses).collect()
    };
    let up = |s: &&&ContainerStatus| s.ready && is_running(s);
    let ready = if initializing {
        sidecars.iter().filter(up).count()
    } else {
        counted.iter().filter(up).count()
    };
    let word = word(pod, status, (unready, initializing));
    let text = |text: Option<&String>| match text {
        Some(text) if !text.is_empty() => text.clone(),
        _ => "<none>".to_owned(),
    };
    let age = status.start_time.as_ref().map(|start| since(start, now));
    let leaves = pod.metadata.deletion_timestamp.is_some();
    Row {
        is_well: !leaves
            && status.phase.as_deref() != Some("Failed")
            && (word == "Completed" || (total > 0 && ready == total)),
        cells: [
            text(pod.metadata.namespace.as_ref()),
            text(pod.metadata.name.as_ref()),
            format!("{ready}/{total}"),
            word,
            restarts(&counted, now),
            age.unwrap_or_else(|| "<unknown>".to_owned()),
            text(status.pod_ip.as_ref()),
            text(spec.and_then(|spec| spec.node_name.as_ref())),
        ],
    }
}

fn is_running(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|s| s.running.is_some())
}

fn condition_holds(status: &PodStatus, type_: &str) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == type_ && condition.status == "True")
}

/// The word for the first init container that has not done its part; `None` when all have.
fn init_word(
    statuses: &[ContainerStatus],
    total: usize,
    is_sidecar: &dyn Fn(&str) -> bool,
) -> Option<String> {
    for (at, status) in statuses.iter().enumerate() {
        let state = status.state.clone().unwrap_or_default();
        let waits = state.waiting.and_then(|waiting| waiting.reason);
        let waits = waits.filter(|word| !word.is_empty() && word != "PodInitializing");
        let word = match (state.terminated, waits) {
            (Some(end), _) if end.exit_code == 0 => continue,
            _ if is_sidecar(&status.name) && status.started == Some(true) => continue,
            (Some(end), _) => end_word(end),
            (None, Some(word)) => word,
            (None, None) => format!("{at}/{total}"),
        };
        return Some(format!("Init:{word}"));
    }
    None
}

fn end_word(end: ContainerStateTerminated) -> String {
    match (end.reason.filter(|reason| !reason.is_empty()), end.signal) {
        (Some(reason), _) => reason,
        (None, Some(signal)) if signal != 0 => format!("Signal:{signal}"),
        (None, _) => format!("ExitCode:{}", end.exit_code),
    }
}

/// The STATUS column: the word of the first container that has one (of an init container only, as long as the pod is
/// initializing), else the phase.
fn word(pod: &Pod, status: &PodStatus, (init, initializing): (Option<String>, bool)) -> String {
    let phase = status.phase.clone().unwrap_or_default();
    let reason = status.reason.clone().filter(|reason| !reason.is_empty());
    let mut word = init.or(reason).unwrap_or_else(|| phase.clone());
    let mut runs = false;
    let regular = status.container_statuses.iter().flatten();
    let regular = regular.rev().filter(|_| !initializing);
    for container in regular {
        let state = container.state.clone().unwrap_or_default();
        let waits = state.waiting.and_then(|waiting| waiting.reason);
        if let Some(reason) = waits.filter(|reason| !reason.is_empty()) {
            word = reason;
        } else if let Some(ended) = state.terminated {
            word = end_word(ended);
        } else if container.ready && state.running.is_some() {
            runs = true;
        }
    }
    if word == "Completed" && runs {
        word = if condition_holds(status, "Ready") {
            "Running"
        } else {
            "NotReady"
        }
        .to_owned();
    }
    let terminal = phase == "Succeeded" || phase == "Failed";
    if pod.metadata.deletion_timestamp.is_some() && !terminal {
        word = "Terminating".to_owned();
    }
    word
}

/// The RESTARTS column: `2 (5s ago)`.
fn restarts(statuses: &[&ContainerStatus], now: Wall) -> String {
    let count: i64 = statuses.iter().map(|s| i64::from(s.restart_count)).sum();
    let newest = statuses
        .iter()
        .filter_map(|status| status.last_state.as_ref()?.terminated.as_ref())
        .filter_map(|ended| ended.finished_at.as_ref())
        .max_by_key(|at| at.0);
    match newest {
        Some(at) if count > 0 => format!("{count} ({} ago)", since(at, now)),
        _ => count.to_string(),
    }
}

fn since(at: &Time, now: Wall) -> String {
    age(now.since(Wall(at.0.as_microsecond())))
}

/// A span of time as kubectl prints it: `12s`, `3m4s`, `5h7m`, `2d3h`.
///
/// Source: apimachinery `util/duration/duration.go` HumanDuration.
pub fn age(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let two = |large: u64, unit: char, small: u64, rest: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{rest}"),
    };
    if seconds < 120 {
        format!("{seconds}s")
    } else if minutes < 10 {
        two(minutes, 'm', seconds % 60, 's')
    } else if minutes < 180 {
        format!("{minutes}m")
    } else if hours < 8 {
        two(hours, 'h', minutes % 60, 'm')
    } else if hours < 48 {
        format!("{hours}h")
    } else if days < 8 {
        two(days, 'd', hours % 24, 'h')
    } else if days < 2 * 365 {
        format!("{days}d")
    } else if years < 8 {
        two(years, 'y', days % 365, 'd')
    } else {
        format!("{years}y")
    }
}

/// The table with its header, columns three blanks apart as kubectl sets them; the word of a pod as `paint` makes it, with
/// the blanks behind it. Empty without rows.
pub fn render(rows: &[Row], paint: &dyn Fn(Tone, &str) -> String) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut widths = HEADER.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let padded = |cells: [&str; 8]| {
        let mut widths = widths.iter();
        cells.map(|cell| {
            let width = widths.next().copied().unwrap_or(0);
            format!("{cell:width$}")
        })
    };
    let line = |cells: [String; 8]| cells.join("   ").trim_end().to_owned() + "\n";
    let mut out = line(padded(HEADER));
    for row in rows {
        let mut cells = padded(row.cells.each_ref().map(String::as_str));
        let [_, _, _, word, ..] = &mut cells;
        *word = paint(row.tone(), word);
        out.push_str(&line(cells));
    }
    out
}
