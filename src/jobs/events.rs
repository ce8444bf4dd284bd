//! The doorbell of dockerd.

use std::ops::ControlFlow;

use super::report::say;
use super::run::Outcome;
use crate::docker::{Docker, wire};
use crate::state::{ContainerId, Report};
use crate::translate::own_label;

/// Follows the event stream until it breaks; the agent opens it again.
pub(super) fn run(docker_socket: &str, root_dir: &str) -> Outcome {
    let docker = Docker::new(docker_socket, None).only(own_label(root_dir));
    let ended = docker.events(&mut |event| {
        say(&match event {
            None => Report::Connected,
            Some(event) => Report::Bell {
                id: container(&event),
            },
        });
        ControlFlow::Continue(())
    });
    match ended {
        Ok(()) => Outcome::Done,
        Err(error) => {
            log::debug!(err:% = error; "event stream broke");
            Outcome::Failed
        }
    }
}

fn container(event: &wire::EventLine) -> Option<ContainerId> {
    (!event.actor.id.is_empty()).then(|| ContainerId(event.actor.id.clone()))
}
