//! What is kept and what is removed of things that no longer run.

use std::collections::BTreeSet;

use super::{Action, Out, Step, Why};
use crate::pod::{ContainerName, PodKey};
use crate::state::{ContainerId, ContainerState, Desired, JobKey, Memory, Observed, ObservedPod};

/// Dead instances over one per container, and dead sandboxes but the newest, oldest first.
///
/// One dead instance stays for its exit code, its message and its log (kubelet `maxPerPodContainer` 1).
pub(super) fn surplus(pod: &ObservedPod) -> Vec<ContainerId> {
    let mut kept: BTreeSet<&ContainerName> = BTreeSet::new();
    let mut old: Vec<ContainerId> = Vec::new();
    for container in &pod.containers {
        match &container.state {
            ContainerState::Running { .. } => {}
            ContainerState::Exited(_) if kept.insert(&container.name) => {}
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
    let wanted: BTreeSet<_> = desired
        .pods
        .values()
        .map(|wanted| &wanted.pod.uid)
        .collect();
    for uid in &observed.dirs {
        if wanted.contains(uid) || observed.pods.contains_key(uid) {
            continue;
        }
        // No pod can have this key: its namespace is not a DNS label.
        let key = PodKey {
            namespace: "(none)".to_owned(),
            name: uid.to_string(),
        };
        if memory.jobs.contains_key(&JobKey::Pod(key.clone())) {
            continue;
        }
        out.actions.push(Action::Pod {
            key,
            uid: uid.clone(),
            steps: vec![Step::Cleanup],
            why: Why::Orphan,
        });
    }
}
