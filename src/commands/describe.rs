//! `staticlet status POD`: everything that is known of one pod, from what the agent published and from dockerd.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Fault;
use super::find::{self, Instance};
use super::place::Place;
use super::status::{Told, reason_text, refusal_lines};
use crate::cli::{Output, PlaceFlags, StatusFlags};
use crate::publish::{Occurrence, PodExtra, ProbeExtra, Published};
use crate::state::{Refusal, Source};
use crate::status::{age, row};
use crate::sys::{Now, Wall, json};

/// Instances of one container that are shown: the newest.
const INSTANCES_MAX: usize = 3;

/// One pod, and all that is known of it.
struct Known<'a> {
    pod: &'a Pod,
    status: PodStatus,
    extra: PodExtra,
    refusals: Vec<&'a Refusal>,
    /// Its containers, the newest first, or why dockerd cannot be asked.
    there: Result<Vec<&'a Instance>, String>,
    place: &'a Place,
    now: Now,
}

/// Everything about the pod that was typed; it is well when it runs as it should and no manifest of it is refused.
///
/// # Errors
/// There is none.
pub(super) fn describe(typed: &str, file: &Published, flags: &StatusFlags) -> Result<Told, Fault> {
    let now = crate::sys::now();
    let place = Place::find(&PlaceFlags {
        run_dir: flags.run_dir.clone(),
        root_dir: None,
        docker: None,
        node_name: None,
    })?;
    let list = find::instances(&place);
    let there = list.as_deref().unwrap_or_default();
    let key = find::pod(typed, &place, there).map_err(|said| {
        // A manifest that was never good has no pod, and may be the one that is meant.
        let refused = file.staticlet.refusals.iter().flat_map(refusal_lines);
        Fault::Bad(refused.fold(said, |said, line| format!("{said}\n{line}")))
    })?;
    let pod = file.items.iter().find(|pod| key.is_of(pod));
    let pod = pod.ok_or_else(|| {
        Fault::Bad(format!(
            "{key} has containers, and the agent has not published it yet"
        ))
    })?;
    let extra = file.staticlet.pods.get(&key.to_string());
    let extra = extra.cloned().unwrap_or_default();
    let is_its = |refusal: &&Refusal| {
        refusal.keeps.as_ref() == Some(&key) || Some(&refusal.source) == extra.source.as_ref()
    };
    let known = Known {
        pod,
        status: pod.status.clone().unwrap_or_default(),
        refusals: file.staticlet.refusals.iter().filter(is_its).collect(),
        extra,
        there: match &list {
            Ok(list) => Ok(list.iter().filter(|one| one.key == key).collect()),
            Err(error) => Err(error.to_string()),
        },
        place: &place,
        now,
    };
    let text = match flags.output {
        Output::Table => known.text(),
        Output::Json => known.json(),
        Output::Name => format!("{key}\n"),
    };
    Ok(Told {
        text,
        is_well: row(pod, now.wall).is_well && known.refusals.is_empty(),
    })
}

impl Known<'_> {
    /// The Pod as `kubectl get pod -o json` prints it, with one field more.
    fn json(&self) -> String {
        let mut pod = json::tree(self.pod).unwrap_or_default();
        pod["staticlet"] = serde_json::json!({
            "source": self.extra.source, "reasons": self.extra.reasons, "jobs": self.extra.jobs,
            "notes": self.extra.notes, "probes": self.extra.probes, "events": self.extra.events,
            "refusals": self.refusals,
        });
        format!("{pod:#}\n")
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |label: &str, text: &str| {
            if !text.is_empty() {
                out.push_str(&format!("{label:<12}{text}\n"));
            }
        };
        let [namespace, name, ready, word, restarts, ..] = row(self.pod, self.now.wall).cells;
        let source = self.extra.source.as_ref().map(Source::place);
        line("Pod", &format!("{namespace}/{name}"));
        line("Manifest", source.unwrap_or("none: it is on its way out"));
        line(
            "Status",
            &format!("{word}, {ready} ready, restarts {restarts}"),
        );
        line("Since", &self.since(self.status.start_time.as_ref()));
        let node = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.clone());
        let host = self.status.host_ip.clone().unwrap_or_default();
        line("Node", &format!("{} {host}", node.unwrap_or_default()));
        line("IP", self.status.pod_ip.as_deref().unwrap_or_default());
        line("UID", self.pod.metadata.uid.as_deref().unwrap_or_default());
        line("Docker", &self.sandbox());
        for reason in self
            .extra
            .reasons
            .iter()
            .filter(|of| of.container.is_none())
        {
            line("Why", &reason_text(reason, self.now));
        }
        for job in &self.extra.jobs {
            line("Now", job);
        }
        for note in &self.extra.notes {
            line("Note", note);
        }
        for refusal in self
            .refusals
            .iter()
            .flat_map(|refusal| refusal_lines(refusal))
        {
            line("Manifest", &refusal);
        }
        let init = self.status.init_container_statuses.iter().flatten();
        let init = init.map(|status| (true, status));
        let others = self.status.container_statuses.iter().flatten();
        for (is_init, status) in init.chain(others.map(|status| (false, status))) {
            self.container(is_init, status, &mut out);
        }
        self.conditions(&mut out);
        self.events(&mut out);
        out
    }

    /// A time, and how long ago that is.
    fn since(&self, time: Option<&Time>) -> String {
        let Some(Time(at)) = time else {
            return String::new();
        };
        let at = Wall(at.as_microsecond());
        format!("{at} ({} ago)", age(self.now.wall.since(at)))
    }

    fn sandbox(&self) -> String {
        match &self.there {
            Err(error) => format!("cannot be asked: {error}"),
            Ok(there) => match there
                .iter()
                .find(|one| one.name == crate::translate::SANDBOX)
            {
                Some(one) => format!("sandbox {} {}", one.id.short(), one.state),
                None => "no sandbox".to_owned(),
            },
        }
    }

    fn container(&self, is_init: bool, status: &ContainerStatus, out: &mut String) {
        let kind = if is_init {
            "Init container"
        } else {
            "Container"
        };
        out.push_str(&format!("\n{kind} {}\n", status.name));
        let mut line = |label: &str, text: &str| {
            if !text.is_empty() {
                out.push_str(&format!("  {label:<10}{text}\n"));
            }
        };
        line("State", &self.state(status.state.as_ref()));
        let ready = if status.ready { "yes" } else { "no" };
        line("Ready", ready);
        line("Last", &self.state(status.last_state.as_ref()));
        line("Restarts", &status.restart_count.to_string());
        line("Image", &status.image);
        line("ImageID", &status.image_id);
        for one in self.instances(&status.name) {
            line("Docker", &one);
        }
        let probes = self.extra.probes.iter();
        for probe in probes.filter(|probe| probe.container == status.name) {
            line("Probe", &verdict(probe));
        }
        let reasons = self.extra.reasons.iter();
        for reason in reasons.filter(|of| of.container.as_ref() == Some(&status.name)) {
            line("Why", &reason_text(reason, self.now));
        }
    }

    /// What dockerd says of each instance of a container.
    fn instances(&self, name: &str) -> Vec<String> {
        let there = self.there.as_deref().unwrap_or_default().iter();
        let of = there.filter(|one| one.name == name).take(INSTANCES_MAX);
        let told = of.map(|one| {
            let base = format!("{} {}", one.id.short(), one.state);
            match self.place.docker.inspect(&one.id.0) {
                Ok(inspect) => {
                    let pid = match inspect.state.pid {
                        0 => String::new(),
                        pid => format!(", pid {pid}"),
                    };
                    format!("{base}{pid}")
                }
                Err(error) => format!("{base}: {error}"),
            }
        });
        told.collect()
    }

    fn state(&self, state: Option<&ContainerState>) -> String {
        let Some(state) = state else {
            return String::new();
        };
        if let Some(running) = &state.running {
            return format!("Running since {}", self.since(running.started_at.as_ref()));
        }
        if let Some(end) = &state.terminated {
            let message = end.message.as_deref().unwrap_or_default().trim();
            let message = match message {
                "" => String::new(),
                text => format!(": {}", text.replace('\n', " ")),
            };
            let reason = end.reason.as_deref().unwrap_or("Terminated");
            let when = self.since(end.finished_at.as_ref());
            return format!("{reason}, exit code {}, {when}{message}", end.exit_code);
        }
        if let Some(waiting) = &state.waiting {
            return format!(
                "Waiting: {}",
                waiting.reason.as_deref().unwrap_or("unknown")
            );
        }
        String::new()
    }

    fn conditions(&self, out: &mut String) {
        let all: Vec<_> = self.status.conditions.iter().flatten().collect();
        if all.is_empty() {
            return;
        }
        out.push_str("\nConditions\n");
        for one in all {
            let why = [one.reason.as_deref(), one.message.as_deref()];
            let why: Vec<&str> = why
                .into_iter()
                .flatten()
                .filter(|text| !text.is_empty())
                .collect();
            let since = match one.last_transition_time.as_ref() {
                Some(time) => format!("since {}", self.since(Some(time))),
                None => String::new(),
            };
            let line = format!(
                "  {:<27}{:<7}{since}  {}",
                one.type_,
                one.status,
                why.join(": ")
            );
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }

    fn events(&self, out: &mut String) {
        if self.extra.events.is_empty() {
            return;
        }
        out.push_str("\nEvents\n");
        for one in &self.extra.events {
            let Occurrence {
                last,
                count,
                kind,
                reason,
                container,
                message,
            } = one;
            let ago = Wall::parse(last).map(|at| age(self.now.wall.since(at)));
            let times = match count {
                1 => String::new(),
                count => format!(" (x{count})"),
            };
            let container = container
                .as_ref()
                .map_or(String::new(), |name| format!("{name}: "));
            let ago = format!("{} ago{times}", ago.unwrap_or_default());
            let message = message.replace('\n', " ");
            out.push_str(&format!(
                "  {ago:<16}{kind:<9}{reason:<18}{container}{message}\n"
            ));
        }
    }
}

/// What a probe says of its container.
fn verdict(probe: &ProbeExtra) -> String {
    let kind = probe.kind.to_lowercase();
    let word = match probe.well {
        Some(true) => "succeeds",
        Some(false) => "fails",
        None => "no verdict yet",
    };
    match &probe.detail {
        Some(detail) => format!("{kind}: {word}; last: {}", detail.replace('\n', " ")),
        None => format!("{kind}: {word}"),
    }
}
