//! The status of each container: state, last state, and the words for why it waits.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1 as api;
use k8s_openapi::api::core::v1::{
    ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    VolumeMountStatus,
};

use super::backoff::crash_wait;
use super::init::{Part, init_containers};
use super::pod::{Case, time};
use super::reasons::shown_word;
use super::restart::Restart;
use crate::pod::ContainerName;
use crate::state::{
    Container, ContainerMemory, ContainerState, Exit, Failure, ProbeKind, probe_of,
};

/// All termination messages of a pod together (kubelet `status_manager.go` normalizeStatus).
const MESSAGES_BYTES_MAX: usize = 12 * 1024;

/// What is said of a container that went away without leaving an exit code.
const LOST: &str = "The container could not be located when the pod was deleted.  The container used to be Running";

/// What is said of an init container that was removed after it had done its part.
const PRUNED: &str = "Unable to get init container status from container runtime and pod has been initialized, \
                      treat it as exited normally";

/// What a container is called, its part in the pod, and what the manifest says of it if there still is one.
type Named<'a> = (&'a str, Part, Option<&'a api::Container>);

/// The statuses of the init containers in the manifest's order, and of the others, sorted by name.
///
/// Source: kubelet 1.36 `kubelet_pods.go` convertToAPIContainerStatuses.
pub(super) fn container_statuses(case: &Case<'_>) -> [Vec<ContainerStatus>; 2] {
    let instances = case.there.map_or(&[][..], |there| &there.containers);
    let (init, regular) = names(case, instances);
    let share = MESSAGES_BYTES_MAX / (init.len() + regular.len()).max(1);
    [init, regular].map(|names| {
        let of = |(name, part, spec): Named<'_>| {
            let mine = |container: &&Container| container.name.as_str() == name;
            let one = One {
                case,
                name,
                part,
                spec,
                instances: instances.iter().filter(mine).collect(),
                share,
            };
            one.status()
        };
        names.into_iter().map(of).collect()
    })
}

/// The init containers, and the others. A pod on its way out has no spec here: then its containers are those that are
/// there, and what was told last says which of them are init containers.
fn names<'a>(case: &Case<'a>, instances: &'a [Container]) -> (Vec<Named<'a>>, Vec<Named<'a>>) {
    let mut regular: BTreeMap<&str, Named<'a>> = BTreeMap::new();
    if let Some(spec) = case.spec() {
        let of = |c: &'a api::Container| (c.name.as_str(), Part::of_init(c), Some(c));
        let init = init_containers(Some(spec)).iter().map(of).collect();
        let of =
            |c: &'a api::Container| (c.name.as_str(), (c.name.as_str(), Part::Regular, Some(c)));
        regular.extend(spec.containers.iter().map(of));
        return (init, regular.into_values().collect());
    }
    let told = case
        .previous
        .and_then(|p| p.init_container_statuses.as_ref());
    let told = || {
        told.into_iter()
            .flatten()
            .map(|status| status.name.as_str())
    };
    let part = |name: &str| {
        let runs_on = instances
            .iter()
            .any(|c| c.name.as_str() == name && c.sidecar.is_some());
        if runs_on { Part::Sidecar } else { Part::Init }
    };
    let init = told().map(|name| (name, part(name), None)).collect();
    let others = instances.iter().map(|c| c.name.as_str());
    let others = others.filter(|name| told().all(|told| told != *name));
    regular.extend(others.map(|name| (name, (name, Part::Regular, None))));
    (init, regular.into_values().collect())
}

/// One container, with all that is known of it.
struct One<'a> {
    case: &'a Case<'a>,
    name: &'a str,
    part: Part,
    spec: Option<&'a api::Container>,
    /// Newest first.
    instances: Vec<&'a Container>,
    /// Bytes that one termination message may have.
    share: usize,
}

impl One<'_> {
    fn status(&self) -> ContainerStatus {
        let newest = self.instances.first().copied();
        let previous = self.previous();
        let mut state = match newest {
            Some(container) if container.starting => self.state_of_new(),
            Some(container) => self.state_of(container),
            None => self.state_of_none(previous),
        };
        let mut last = match self.instances.get(1) {
            Some(container) => self.state_of(container),
            None => previous
                .filter(|_| newest.is_none())
                .map(left_over)
                .unwrap_or_default(),
        };
        if let Some(word) = self.why_waiting(newest) {
            if state.terminated.is_some() {
                last = std::mem::take(&mut state);
            }
            state = word;
        }
        let running = state.running.is_some();
        let ready = match self.part {
            Part::Regular | Part::Sidecar => running && self.is_ready(newest),
            Part::Init => state
                .terminated
                .as_ref()
                .is_some_and(|end| end.exit_code == 0),
        };
        let image = newest.map(|container| container.image.clone());
        let spec_image = || self.spec.and_then(|spec| spec.image.clone());
        let attempt = newest
            .map(|container| container.attempt)
            .or_else(|| self.memory().and_then(|memory| memory.attempt))
            .map_or(0, |attempt| i32::try_from(attempt).unwrap_or(i32::MAX));
        ContainerStatus {
            name: self.name.to_owned(),
            container_id: newest.map(docker_id),
            image: image
                .filter(|image| !image.is_empty())
                .or_else(spec_image)
                .unwrap_or_default(),
            image_id: newest.map_or(String::new(), |container| container.image_id.clone()),
            state: Some(state),
            last_state: Some(last),
            ready,
            started: Some(running && self.has_started(newest)),
            restart_count: attempt.max(previous.map_or(0, |previous| previous.restart_count)),
            allocated_resources: self.spec.and_then(|spec| {
                let resources = spec.resources.as_ref()?;
                resources.requests.clone().filter(|asked| !asked.is_empty())
            }),
            resources: newest.and_then(|_| self.spec?.resources.clone()),
            volume_mounts: self.volume_mounts(),
            ..ContainerStatus::default()
        }
    }

    /// No verdict is neither well nor ill: a container with a startup probe has then not started yet.
    fn has_started(&self, newest: Option<&Container>) -> bool {
        self.is_well(ProbeKind::Startup, newest)
    }

    fn is_ready(&self, newest: Option<&Container>) -> bool {
        self.has_started(newest) && self.is_well(ProbeKind::Readiness, newest)
    }

    /// Without such a probe it is well.
    fn is_well(&self, kind: ProbeKind, newest: Option<&Container>) -> bool {
        let has_probe = self.spec.and_then(|spec| probe_of(spec, kind)).is_some();
        let memory = self.memory().and_then(|memory| memory.probes.get(&kind));
        let of_newest = memory.filter(|of| newest.is_some_and(|newest| newest.id == of.container));
        !has_probe || of_newest.is_some_and(|of| of.well == Some(true))
    }

    /// The state of a container of which there is no trace.
    fn state_of_none(&self, previous: Option<&ContainerStatus>) -> api::ContainerState {
        let started = self.case.there.is_some_and(|there| {
            let spec = self.case.spec();
            let names = spec.iter().flat_map(|spec| &spec.containers);
            names.into_iter().any(|spec| {
                there
                    .containers
                    .iter()
                    .any(|c| c.name.as_str() == spec.name)
            })
        });
        if self.part == Part::Init && started {
            let before = previous.and_then(|previous| previous.state.as_ref()?.terminated.clone());
            return terminated(before.unwrap_or_else(|| ContainerStateTerminated {
                reason: Some("Completed".to_owned()),
                message: Some(PRUNED.to_owned()),
                ..ContainerStateTerminated::default()
            }));
        }
        self.state_of_new()
    }

    /// The state of a container that was never started, or is only being started.
    fn state_of_new(&self) -> api::ContainerState {
        let waits_for_init = !init_containers(self.case.spec()).is_empty();
        let reason = if waits_for_init {
            "PodInitializing"
        } else {
            "ContainerCreating"
        };
        waiting(Some(reason), None)
    }

    fn previous(&self) -> Option<&ContainerStatus> {
        let previous = self.case.previous?;
        let statuses = match self.part {
            Part::Regular => previous.container_statuses.as_ref()?,
            Part::Init | Part::Sidecar => previous.init_container_statuses.as_ref()?,
        };
        statuses.iter().find(|status| status.name == self.name)
    }

    fn memory(&self) -> Option<&ContainerMemory> {
        let name = ContainerName(self.name.to_owned());
        self.case.memory?.containers.get(&name)
    }

    fn volume_mounts(&self) -> Option<Vec<VolumeMountStatus>> {
        let mounts = self.spec?.volume_mounts.as_ref()?;
        let status = |mount: &api::VolumeMount| {
            let read_only = mount.read_only.filter(|&read_only| read_only);
            VolumeMountStatus {
                name: mount.name.clone(),
                mount_path: mount.mount_path.clone(),
                read_only,
                recursive_read_only: read_only.and_then(|_| self.recursive(mount)),
                ..VolumeMountStatus::default()
            }
        };
        Some(mounts.iter().map(status).collect())
    }

    /// What came of the wish for mounts that are read-only with all below them. A container that has to have them is not
    /// made without; what the runtime did where it was possible is not known.
    fn recursive(&self, mount: &api::VolumeMount) -> Option<String> {
        let wish = mount.recursive_read_only.as_deref();
        match wish.filter(|_| !self.instances.is_empty()) {
            Some("Enabled") => Some("Enabled".to_owned()),
            Some("IfPossible") => None,
            Some(_) | None => Some("Disabled".to_owned()),
        }
    }

    fn state_of(&self, container: &Container) -> api::ContainerState {
        match &container.state {
            ContainerState::Created => waiting(None, None),
            ContainerState::Running { started } => api::ContainerState {
                running: Some(ContainerStateRunning {
                    started_at: Some(time(*started)),
                }),
                ..api::ContainerState::default()
            },
            ContainerState::Exited(exit) => terminated(ContainerStateTerminated {
                exit_code: exit.code,
                reason: Some(exit.reason.clone()),
                message: Some(self.capped(&exit.message)).filter(|text| !text.is_empty()),
                started_at: Some(time(exit.started)),
                finished_at: Some(time(exit.finished)),
                container_id: Some(docker_id(container)),
                signal: None,
            }),
            ContainerState::Unknown { word } => terminated(ContainerStateTerminated {
                exit_code: 137,
                reason: Some("ContainerStatusUnknown".to_owned()),
                message: Some(format!("dockerd says it is {word}")),
                container_id: Some(docker_id(container)),
                ..ContainerStateTerminated::default()
            }),
        }
    }

    fn capped(&self, text: &str) -> String {
        if text.len() <= self.share {
            return text.to_owned();
        }
        let fits = (0..=self.share).rev().find_map(|end| text.get(..end));
        fits.unwrap_or_default().to_owned()
    }

    /// Why it is not started although it should be; `None` when it runs, is finished, or is just about to start.
    fn why_waiting(&self, newest: Option<&Container>) -> Option<api::ContainerState> {
        if self.case.is_over() {
            return None;
        }
        let rule = Restart::of(Some(self.case.spec()?), self.spec);
        let memory = self.memory()?;
        let exit = match newest.map(|container| &container.state) {
            Some(ContainerState::Running { .. }) => return None,
            Some(ContainerState::Exited(exit))
                if !self.part.is_restarted(rule, exit.code, &exit.reason) =>
            {
                return None;
            }
            Some(ContainerState::Exited(exit)) => Some(exit),
            Some(ContainerState::Created | ContainerState::Unknown { .. }) | None => None,
        };
        if let Some(text) = exit.and_then(|exit| self.crash_text(memory, exit)) {
            return Some(waiting(Some("CrashLoopBackOff"), Some(text)));
        }
        let (reason, message) = self.failure_words(memory.failure.as_ref()?);
        Some(waiting(Some(&reason), Some(message)))
    }

    fn crash_text(&self, memory: &ContainerMemory, exit: &Exit) -> Option<String> {
        crash_wait(memory, exit, self.case.now)?;
        let wait = Duration::from_millis(memory.crash?.wait_ms);
        let (key, uid) = (self.case.key, self.case.uid);
        Some(format!(
            "back-off {} restarting failed container={} pod={}_{}({uid})",
            go_duration(wait),
            self.name,
            key.name,
            key.namespace
        ))
    }

    fn failure_words(&self, failure: &Failure) -> (String, String) {
        let (shown, word) = (shown_word(failure), failure.reason.as_str());
        if shown == word {
            return (word.to_owned(), failure.message.clone());
        }
        let image = self.spec.and_then(|spec| spec.image.as_deref());
        let text = format!(
            "Back-off pulling image \"{}\": {word}: {}",
            image.unwrap_or_default(),
            failure.message
        );
        (shown.to_owned(), text)
    }
}

fn docker_id(container: &Container) -> String {
    format!("docker://{}", container.id.0)
}

fn waiting(reason: Option<&str>, message: Option<String>) -> api::ContainerState {
    api::ContainerState {
        waiting: Some(ContainerStateWaiting {
            reason: reason.map(str::to_owned),
            message: message.filter(|text| !text.is_empty()),
        }),
        ..api::ContainerState::default()
    }
}

fn terminated(ended: ContainerStateTerminated) -> api::ContainerState {
    api::ContainerState {
        terminated: Some(ended),
        ..api::ContainerState::default()
    }
}

/// The last state of a container of which dockerd knows nothing any more.
fn left_over(previous: &ContainerStatus) -> api::ContainerState {
    let state = previous.state.clone().unwrap_or_default();
    if state.terminated.is_some() {
        state
    } else if let Some(ran) = state.running {
        terminated(ContainerStateTerminated {
            exit_code: 137,
            reason: Some("ContainerStatusUnknown".to_owned()),
            message: Some(LOST.to_owned()),
            started_at: ran.started_at,
            ..ContainerStateTerminated::default()
        })
    } else {
        previous.last_state.clone().unwrap_or_default()
    }
}

/// A duration as Go prints whole seconds: `10s`, `1m20s`, `1h0m5s`.
fn go_duration(wait: Duration) -> String {
    let seconds = wait.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}
