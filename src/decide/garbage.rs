//! What is kept and what is removed of things that no longer run.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;

use super::pod::is_worked_on;
use super::{Action, Out, Step, Why};
use crate::pod::{ContainerName, PodKey, container_of};
use crate::state::{ContainerId, ContainerState, Desired, Memory, Observed, ObservedPod};
use crate::sys::Gather;

/// Dead instances over one per container of the manifest, and dead sandboxes but the newest, oldest first.
///
/// One dead instance stays for its exit code, its message and its log (kubelet `maxPerPodContainer` 1). There may be others
/// where a manifest that fixes its UID was edited, and somebody removed the sandbox that told the versions apart.
pub(super) fn surplus(pod: &ObservedPod, spec: Option<&PodSpec>) -> Vec<ContainerId> {
    let is_named =
        |name: &ContainerName| spec.is_some_and(|spec| container_of(spec, &name.0).is_some());
    let mut kept: BTreeSet<&ContainerName> = BTreeSet::new();
    let mut old: Vec<ContainerId> = Vec::new();
    for container in &pod.containers {
        match &container.state {
            ContainerState::Running { .. } => {}
            ContainerState::Exited(_)
                if is_named(&container.name) && kept.insert(&container.name) => {}
            ContainerState::Exited(_)
            | ContainerState::Created
            | ContainerState::Unknown { .. } => {
                old.push(container.id.clone());
            }
        }
    }
    for sandbox in pod.sandboxes.iter().skip(1) {
        if !matches!(sandbox.state, ContainerState::Running { .. }) {
            old.push(sandbox.id.clone());
        }
    }
    old.reverse();
    old
}

/// Directories of pods that are neither wanted nor there: an agent died between the last container and its directory.
pub(super) fn orphans(desired: &Desired, observed: &Observed, memory: &Memory, out: &mut Out) {
    if !desired.may_remove(None) {
        return;
    }
    let wanted: BTreeSet<_> = desired.pods.values().map(|wanted| &wanted.pod.uid).gather();
    for uid in &observed.dirs {
        // A job that was just killed may have made a sandbox that is not seen yet.
        if wanted.contains(uid) || observed.pods.contains_key(uid) || is_worked_on(memory, uid) {
            continue;
        }
        // No pod can have this key: its namespace is not a DNS label.
        let key = PodKey {
            namespace: "(none)".to_owned(),
            name: uid.to_string(),
        };
        out.actions.push(Action::Pod {
            key,
            uid: uid.clone(),
            steps: vec![Step::Cleanup],
            why: Why::Orphan,
        });
    }
}
