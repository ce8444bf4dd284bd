//! The postStart hook of a container: run in the job that started it, and again if that died over it.
//!
//! A file beside the termination message is there from before the start until the hook has ended, so that whoever looks
//! sees that the container does not count as running yet, and that the hook has to be run (once more).

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};

use super::pod::PodJob;
use super::report::{Failed, because, note, say};
use super::{HookRequest, hook, stop};
use crate::decide::StopTarget;
use crate::pod::{ContainerName, ValidPod, container_of};
use crate::state::{ContainerId, FailReason, Report};
use crate::sys::files::{self, Durable};
use crate::translate::paths;

/// A hook that takes longer has failed. A kubelet waits for ever, and the pod with it. Shorter: a container that restores
/// a large backup first never runs.
const HOOK_MAX: Duration = Duration::from_secs(3600);

/// Seconds of grace of a container whose hook failed, when the pod does not say (API default).
const GRACE_DEFAULT: i64 = 30;

/// One instance of a container.
pub(super) struct Instance<'a> {
    pub(super) container: &'a ContainerName,
    pub(super) id: &'a ContainerId,
    pub(super) attempt: u32,
    /// The pod's addresses; empty on the machine's network.
    pub(super) ips: &'a [String],
}

/// The container of this name in the manifest.
pub(super) fn spec_of<'a>(pod: &'a ValidPod, name: &ContainerName) -> Option<&'a Container> {
    container_of(pod.pod.spec.as_ref()?, name.as_str())
}

fn hook_of(container: &Container) -> Option<&LifecycleHandler> {
    container.lifecycle.as_ref()?.post_start.as_ref()
}

/// How long the hook of a container may take, and the stop after it; nothing without one.
pub(super) fn deadline(pod: &ValidPod, name: &ContainerName) -> Duration {
    let hook = spec_of(pod, name).and_then(hook_of);
    hook.map_or(Duration::ZERO, |hook| {
        within(hook) + Duration::from_secs(u64::from(grace_seconds(pod)))
    })
}

fn within(hook: &LifecycleHandler) -> Duration {
    let sleep = hook.sleep.as_ref();
    let seconds = sleep.and_then(|sleep| u64::try_from(sleep.seconds).ok());
    HOOK_MAX + Duration::from_secs(seconds.unwrap_or(0))
}

fn grace_seconds(pod: &ValidPod) -> u32 {
    let spec = pod.pod.spec.as_ref();
    let given = spec.and_then(|spec| spec.termination_grace_period_seconds);
    u32::try_from(given.unwrap_or(GRACE_DEFAULT)).unwrap_or(u32::MAX)
}

/// Notes that a container that is about to start has a hook. That this cannot be written costs a little order only.
pub(super) fn announce(job: &PodJob, container: &Container, attempt: u32) {
    if hook_of(container).is_none() {
        return;
    }
    let name = ContainerName(container.name.clone());
    let dir = paths::container_dir(&job.request.node, &job.request.uid, &name);
    let path = paths::post_start(&job.request.node, &job.request.uid, &name, attempt);
    let written = files::make_dir(Path::new(&dir), paths::DIR_MODE)
        .and_then(|()| files::replace(Path::new(&path), b"", 0o600, Durable::No));
    if let Err(error) = written {
        note(error);
    }
}

/// Runs the hook of a container that was just started, to its end. When it fails the container is stopped, preStop hook
/// included, and that is the failure.
pub(super) fn run(job: &PodJob, of: &Instance<'_>) -> Result<(), Failed> {
    let pod = job.pod()?;
    let container = spec_of(pod, of.container);
    let Some((container, handler)) = container.and_then(|c| Some((c, hook_of(c)?))) else {
        return Ok(());
    };
    let within = within(handler);
    let request = HookRequest {
        docker_socket: job.request.node.docker_socket.clone(),
        api: job.request.docker.api,
        id: of.id.clone(),
        handler: handler.clone(),
        ports: container.ports.clone().unwrap_or_default(),
        ip: of
            .ips
            .first()
            .cloned()
            .unwrap_or_else(|| stop::machine(job)),
        within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX),
    };
    let result = hook::carry_out(&request);
    let lifecycle = container.lifecycle.as_ref();
    let stopped = match &result {
        Ok(()) => Ok(()),
        Err(_) => stop::stop(
            job,
            &[StopTarget {
                id: of.id.clone(),
                name: of.container.clone(),
                grace_seconds: grace_seconds(pod).max(2),
                turn: 0,
                pre_stop: lifecycle.is_some_and(|lifecycle| lifecycle.pre_stop.is_some()),
            }],
        ),
    };
    // As long as it is there the hook, and the stop after it, are done again.
    stopped?;
    ended(job, of);
    result.map_err(|why| {
        let (key, uid) = (&pod.key, &pod.uid);
        let text = format!(
            "{} for Container \"{}\" in Pod \"{}_{}({uid})\" failed - error: {why}",
            hook::words(&request),
            of.container,
            key.name,
            key.namespace
        );
        because(FailReason::PostStartHookError)(text)
    })
}

/// Runs it again, unless it has ended after all.
pub(super) fn run_again(job: &PodJob, of: &Instance<'_>) -> Result<(), Failed> {
    let path = paths::post_start(
        &job.request.node,
        &job.request.uid,
        of.container,
        of.attempt,
    );
    if Path::new(&path).exists() {
        run(job, of)?;
    }
    ended(job, of);
    Ok(())
}

fn ended(job: &PodJob, of: &Instance<'_>) {
    let path = paths::post_start(
        &job.request.node,
        &job.request.uid,
        of.container,
        of.attempt,
    );
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => note(format!("remove {path}: {error}")),
    }
    say(&Report::Hooked { id: of.id.clone() });
}
