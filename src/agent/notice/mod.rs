//! Which of the things that happen are events, and how a kubelet says them. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::events::{Happened, KEPT_MAX, Recorder};
use crate::decide::{Step, Why};
use crate::pod::{ContainerName, PodKey, container_of};
use crate::state::{Desired, Event, FailReason, JobKey, ProbeKind, Probed, Refusal, Report};
use crate::sys::Now;

const NORMAL: &str = "Normal";
const WARNING: &str = "Warning";

/// What is told of the problems of a manifest. An event has room for 1000 characters, and `staticlet status` shows them all.
const REFUSAL_MAX: usize = 900;

/// A pod, a container of it or the whole, and when.
#[derive(Clone, Copy)]
struct About<'a> {
    key: &'a PodKey,
    pod: &'a Pod,
    container: Option<&'a ContainerName>,
    now: Now,
}

impl Recorder {
    /// Takes in what happened to a job of this pod.
    pub(super) fn happened(&mut self, event: &Event, pod: Option<&Pod>, node: &str, now: Now) {
        node.clone_into(&mut self.node);
        let (Some(key), Some(pod)) = (event.job().pod(), pod) else {
            return;
        };
        let container = event.job().container();
        let of = About {
            key,
            pod,
            container,
            now,
        };
        match event {
            Event::JobStarted { job, what, .. } => {
                if let (JobKey::Pull(..), Some(image)) = (job, what.strip_prefix("pull ")) {
                    let message = format!("Pulling image \"{image}\"");
                    self.note(of, NORMAL, "Pulling", message);
                }
            }
            Event::JobSaid { job, report } => self.said(of, job, report),
            Event::JobEnded { .. } | Event::JobCancelled { .. } => {}
        }
    }

    fn note(
        &mut self,
        of: About<'_>,
        kind: &'static str,
        reason: &str,
        message: impl Into<String>,
    ) {
        let happened = Happened {
            key: of.key,
            container: of.container.map(ContainerName::as_str),
            kind,
            reason,
            message: message.into(),
        };
        self.add(of.pod, happened, of.now);
    }

    fn said(&mut self, of: About<'_>, job: &JobKey, report: &Report) {
        let with = |container| About {
            container: Some(container),
            ..of
        };
        #[allow(clippy::wildcard_enum_match_arm)] // most are no event
        match report {
            Report::Started { container, .. } => {
                self.created(with(container));
                self.note(with(container), NORMAL, "Started", "Container started");
            }
            Report::Pulled { note, .. } if note.is_empty() => {
                let message = format!("Successfully pulled image \"{}\"", of.image());
                self.note(of, NORMAL, "Pulled", message);
                if self.pulled.len() >= KEPT_MAX {
                    self.pulled.clear();
                }
                let container = of.container.cloned();
                self.pulled
                    .extend(container.map(|one| (of.key.clone(), one)));
            }
            Report::Failed {
                container,
                reason,
                message,
            } => {
                let container = container.as_ref().or(of.container);
                self.failed(About { container, ..of }, *reason, message);
            }
            Report::PreStopFailed { container, .. } => {
                self.note(
                    with(container),
                    WARNING,
                    "FailedPreStopHook",
                    "PreStopHook failed",
                );
            }
            Report::Probed {
                found: Probed::Failure,
                output,
                ..
            } => {
                if let JobKey::Probe(.., kind) = job {
                    let message = format!("{} probe failed: {output}", kind.as_str());
                    self.note(of, WARNING, "Unhealthy", message);
                }
            }
            _ => {}
        }
    }

    fn failed(&mut self, of: About<'_>, reason: FailReason, message: &str) {
        let image = of.image();
        match reason {
            FailReason::ErrImagePull | FailReason::RegistryUnavailable => {
                let said = format!("Failed to pull image \"{image}\": {message}");
                self.image_failed(of, reason, "Failed", said);
            }
            FailReason::ErrImageNeverPull => {
                self.image_failed(of, reason, "ErrImageNeverPull", message.to_owned());
            }
            FailReason::ImageInspectError => {
                let said = format!("Failed to inspect image \"{image}\": {message}");
                self.image_failed(of, reason, "InspectFailed", said);
            }
            FailReason::InvalidImageName => {
                let said = format!("Failed to apply default image tag \"{image}\": {message}");
                self.image_failed(of, reason, "InspectFailed", said);
            }
            FailReason::FailedMount => self.note(of, WARNING, "FailedMount", message),
            FailReason::CreatePodSandboxError => {
                let said = format!("Failed to create pod sandbox: {message}");
                self.note(of, WARNING, "FailedCreatePodSandBox", said);
            }
            FailReason::KillContainerError => {
                let said = format!("error killing pod: {message}");
                self.note(of, WARNING, "FailedKillPod", said);
            }
            FailReason::PostStartHookError => {
                self.note(of, WARNING, "FailedPostStartHook", "PostStartHook failed");
                self.note(of, NORMAL, "Killing", "FailedPostStartHook");
            }
            FailReason::RunContainerError => {
                self.created(of);
                self.error(of, message);
            }
            FailReason::CreateContainerConfigError | FailReason::CreateContainerError => {
                self.present(of);
                self.error(of, message);
            }
            FailReason::JobError => self.error(of, message),
        }
    }

    /// The image has a word of its own, and is then what the container fails for.
    fn image_failed(&mut self, of: About<'_>, reason: FailReason, word: &str, said: String) {
        self.note(of, WARNING, word, said);
        self.error(of, reason.as_str());
    }

    fn error(&mut self, of: About<'_>, said: &str) {
        self.note(of, WARNING, "Failed", format!("Error: {said}"));
    }

    fn created(&mut self, of: About<'_>) {
        self.present(of);
        self.note(of, NORMAL, "Created", "Container created");
    }

    /// The image of a container that is made was there, unless it was just pulled.
    fn present(&mut self, of: About<'_>) {
        let pulled = of
            .container
            .map(|container| (of.key.clone(), container.clone()));
        if !pulled.is_some_and(|pulled| self.pulled.remove(&pulled)) {
            let message = format!(
                "Container image \"{}\" already present on machine and can be accessed by the pod",
                of.image()
            );
            self.note(of, NORMAL, "Pulled", message);
        }
    }

    /// Notes containers that wait for their next start.
    pub(super) fn waits(&mut self, items: &[Pod], now: Now) {
        for pod in items {
            let (Some(key), Some(status)) = (PodKey::of(pod), &pod.status) else {
                continue;
            };
            let lists = [&status.init_container_statuses, &status.container_statuses];
            for status in lists.into_iter().flatten().flatten() {
                let name = ContainerName(status.name.clone());
                let of = About {
                    key: &key,
                    pod,
                    container: Some(&name),
                    now,
                };
                self.waits_for(of, status);
            }
        }
    }

    fn waits_for(&mut self, of: About<'_>, status: &ContainerStatus) {
        let state = status.state.as_ref();
        let waiting = state.and_then(|state| state.waiting.as_ref());
        match waiting.and_then(|waiting| waiting.reason.as_deref()) {
            Some("CrashLoopBackOff") => {
                let (key, uid) = (of.key, of.pod.metadata.uid.as_deref());
                let message = format!(
                    "Back-off restarting failed container {} in pod {}_{}({})",
                    status.name,
                    key.name,
                    key.namespace,
                    uid.unwrap_or_default()
                );
                self.note(of, WARNING, "BackOff", message);
            }
            Some("ImagePullBackOff") => {
                let message = format!("Back-off pulling image \"{}\"", status.image);
                self.note(of, NORMAL, "BackOff", message);
                self.error(of, "ImagePullBackOff");
            }
            _ => {}
        }
    }

    /// Tells the pods whose manifest has turned bad, or good again, and that go on meanwhile.
    pub(super) fn refused(&mut self, before: &[Refusal], desired: &Desired, node: &str, now: Now) {
        node.clone_into(&mut self.node);
        for one in &desired.refusals {
            let same = |old: &Refusal| old.source == one.source && old.problems == one.problems;
            if let (Some(good), false) = (one.good, before.iter().any(same)) {
                let problems: Vec<String> = one.problems.iter().map(ToString::to_string).collect();
                let (place, problems) = (one.source.place(), problems.join("; "));
                let message = format!("{place}: {problems}");
                // The end has to be in what is shown.
                let message: String = message.chars().take(REFUSAL_MAX).collect();
                let message = format!("{message}; running last good of {good}");
                self.manifest(one, desired, (WARNING, "ManifestRefused", &message), now);
            }
        }
        for one in before {
            let same = |new: &Refusal| new.source == one.source;
            if one.good.is_some() && !desired.refusals.iter().any(same) {
                let message = format!("{} is good again", one.source.place());
                self.manifest(one, desired, (NORMAL, "ManifestRepaired", &message), now);
            }
        }
    }

    /// Notes this of each pod that has this manifest.
    fn manifest(
        &mut self,
        of: &Refusal,
        desired: &Desired,
        (kind, reason, message): (&'static str, &str, &str),
        now: Now,
    ) {
        for (key, wanted) in &desired.pods {
            let is_of = match &of.keeps {
                Some(keeps) => keeps == key,
                None => of.source == wanted.source,
            };
            if is_of {
                let about = About {
                    key,
                    pod: &wanted.pod.pod,
                    container: None,
                    now,
                };
                self.note(about, kind, reason, message);
            }
        }
    }

    /// Takes in what is to be done for a pod: containers that are being stopped, and a sandbox that is no use any more.
    pub(super) fn acted(
        &mut self,
        (key, pod): (&PodKey, Option<&Pod>),
        (steps, why): (&[Step], &Why),
        now: Now,
    ) {
        let Some(pod) = pod else { return };
        let of = About {
            key,
            pod,
            container: None,
            now,
        };
        let is_about_sandbox = [
            Why::SandboxDead,
            Why::SandboxTwice,
            Why::SandboxNetwork,
            Why::SandboxNoAddress,
        ];
        if is_about_sandbox.contains(why) {
            let message = "Pod sandbox changed, it will be killed and re-created.";
            self.note(of, NORMAL, "SandboxChanged", message);
        }
        let probes = [
            (Why::LivenessFailed, ProbeKind::Liveness),
            (Why::StartupFailed, ProbeKind::Startup),
        ];
        let failed = probes.into_iter().find(|(failed, _)| failed == why);
        for step in steps {
            let Step::Stop { containers } = step else {
                continue;
            };
            for target in containers.iter().filter(|one| one.name.as_str() != "POD") {
                let name = &target.name;
                let message = match failed {
                    Some((_, kind)) => {
                        let kind = kind.as_str().to_lowercase();
                        format!("Container {name} failed {kind} probe, will be restarted")
                    }
                    None => format!("Stopping container {name}"),
                };
                let container = Some(name);
                self.note(About { container, ..of }, NORMAL, "Killing", message);
            }
        }
    }
}

impl<'a> About<'a> {
    fn image(&self) -> &'a str {
        let spec = self.pod.spec.as_ref();
        let container = spec
            .zip(self.container)
            .and_then(|(spec, container)| container_of(spec, container.as_str()));
        container
            .and_then(|one| one.image.as_deref())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
