//! How long a pod may still be active (`activeDeadlineSeconds`); one rule for `decide` and for what is told.
//!
//! Source: kubelet 1.36 `active_deadline.go`. What differs: the time counts from when any agent first saw the pod, which
//! its sandbox remembers.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container as SpecContainer, PodSpec};

use super::restart::{Again, Restart};
use crate::state::{Container, ContainerState, Exit, ObservedPod, PodMemory};
use crate::sys::Now;

/// What is left of the active time of a pod; zero when that is over, `None` without a deadline, or when the pod was
/// finished before.
pub fn active_left(
    spec: Option<&PodSpec>,
    there: Option<&ObservedPod>,
    memory: Option<&PodMemory>,
    now: Now,
) -> Option<Duration> {
    let seconds = spec?.active_deadline_seconds?;
    let limit = Duration::from_secs(u64::try_from(seconds).ok()?);
    let age = memory.map_or(Duration::ZERO, |memory| memory.age(now));
    let finished = there.and_then(|there| finished(spec, there));
    let seen = memory.map(|memory| memory.seen);
    let was_in_time = |(exit, seen): (&Exit, _)| exit.finished.since(seen) < limit;
    if finished.zip(seen).is_some_and(was_in_time) {
        return None;
    }
    Some(limit.saturating_sub(age))
}

/// The last exit of a pod whose containers have all ended for good.
fn finished<'a>(spec: Option<&PodSpec>, there: &'a ObservedPod) -> Option<&'a Exit> {
    let of = |container: &SpecContainer| {
        let mut instances = there.containers.iter();
        let newest = instances.find(|one| one.name.0 == container.name)?;
        let Container {
            state: ContainerState::Exited(exit),
            ..
        } = newest
        else {
            return None;
        };
        let again = Restart::of(spec, Some(container)).after(exit.code);
        (again == Again::No).then_some(exit)
    };
    let exits: Option<Vec<&Exit>> = spec?.containers.iter().map(of).collect();
    exits?.into_iter().max_by_key(|exit| exit.finished)
}
