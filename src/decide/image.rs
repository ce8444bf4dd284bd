//! Which image a container is started from, or what has to happen to the image first.

use std::time::Duration;

use k8s_openapi::api::core::v1::Container;

use super::{Action, ImageChoice, Out, Why};
use crate::pod::{ContainerName, PodKey};
use crate::state::{ContainerMemory, JobKey, Memory, Pull};
use crate::sys::Mono;

/// The image to start `container` from; `None` when a pull has to come first, which is then under way or decided here.
pub(super) fn choose(
    key: &PodKey,
    container: &Container,
    memory: (&Memory, &ContainerMemory),
    out: &mut Out,
) -> Option<ImageChoice> {
    let (all, of) = memory;
    let name = ContainerName(container.name.clone());
    let policy = container
        .image_pull_policy
        .as_deref()
        .unwrap_or("IfNotPresent");
    let why = match (&of.pull, policy) {
        (_, "Never") => return Some(ImageChoice::Never),
        (Pull::Done { image_id }, _) => return Some(ImageChoice::Id(image_id.clone())),
        (Pull::Running(_), _) => return None,
        // The registry could not be reached a moment ago and the local image did: no need to ask again already.
        (Pull::Unknown, "Always") if waits(of, out.now.mono) => return Some(ImageChoice::Local),
        (Pull::Unknown | Pull::Missing, "Always") => Why::PullAlways,
        (Pull::Missing, _) => Why::ImageMissing,
        (Pull::Unknown, _) => return Some(ImageChoice::Local),
    };
    if !all
        .jobs
        .contains_key(&JobKey::Pull(key.clone(), name.clone()))
    {
        let image = container.image.clone().unwrap_or_default();
        out.actions.push(Action::Pull {
            key: key.clone(),
            container: name,
            image,
            why,
        });
    }
    None
}

fn waits(of: &ContainerMemory, now: Mono) -> bool {
    of.pull_wait
        .is_some_and(|wait| now < wait.failed.after(Duration::from_millis(wait.wait_ms)))
}
