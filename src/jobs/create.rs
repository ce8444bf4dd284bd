//! Creating a container and starting it, with what dockerd may stumble over on the way.

use super::logs;
use super::pod::PodJob;
use super::report::say;
use crate::docker::wire::CreateBody;
use crate::state::{ContainerId, Report};
use crate::sys::{Error, Kind, Result};

/// Which of the two calls failed.
pub(super) enum Failure {
    /// The first: there may be no container.
    Create(Error),
    /// The second: the container is there and does not run.
    Start(Error),
}

impl PodJob {
    /// Creates and starts a container; what `before` does comes in between.
    ///
    /// A score for the OOM killer that this dockerd may not give is raised to 0, and the agent is told, so that this
    /// costs one start only: a rootless or nested dockerd has no CAP_SYS_RESOURCE.
    pub(super) fn create_and_start(
        &self,
        name: &str,
        mut body: CreateBody,
        before: &dyn Fn(&ContainerId),
    ) -> std::result::Result<ContainerId, Failure> {
        let id = self.create(name, &body).map_err(Failure::Create)?;
        before(&id);
        match self.docker.start(&id.0) {
            Ok(()) => return Ok(id),
            Err(error) if body.host_config.oom_score_adj < 0 && is_about_oom_score(&error) => {}
            Err(error) => return Err(Failure::Start(error)),
        }
        body.host_config.oom_score_adj = 0;
        logs::unlink(&self.request.node, &id);
        self.docker.remove(&id.0).map_err(Failure::Create)?;
        let id = self.create(name, &body).map_err(Failure::Create)?;
        before(&id);
        self.docker.start(&id.0).map_err(Failure::Start)?;
        say(&Report::OomFloor { floor: 0 });
        Ok(id)
    }

    /// Creates a container. A name that a dead container of our own holds (a job died between create and start) is
    /// freed first; any other holder is left alone, and dockerd's error names it.
    fn create(&self, name: &str, body: &CreateBody) -> Result<ContainerId> {
        let made = match self.docker.create(name, body) {
            Err(error) if error.kind() == Kind::Conflict && self.frees(name, body)? => {
                self.docker.create(name, body)
            }
            other => other,
        };
        Ok(ContainerId(made?.id))
    }

    fn frees(&self, name: &str, body: &CreateBody) -> Result<bool> {
        let holder = match self.docker.inspect(name) {
            Ok(holder) => holder,
            // Gone meanwhile.
            Err(error) if error.kind() == Kind::Gone => return Ok(true),
            Err(error) => return Err(error),
        };
        // Another sandbox may have come in between, and when the pod was first seen is told anew by every agent.
        let varies = |key: &str| key.ends_with("config.seen") || key.ends_with("sandbox.id");
        let labels = &holder.config.labels;
        let is_ours = body
            .labels
            .iter()
            .all(|(key, value)| varies(key) || labels.get(key) == Some(value));
        if !is_ours || holder.state.running {
            return Ok(false);
        }
        logs::unlink(&self.request.node, &ContainerId(holder.id.clone()));
        self.docker.remove(&holder.id)?;
        Ok(true)
    }
}

/// runc's words and crun's have the name of the file in them; but some runc write it so early that all they can say is
/// that a child is gone. Only the start that succeeds with another score proves that this was it.
fn is_about_oom_score(error: &Error) -> bool {
    let words = ["oom_score_adj", "can't get final child's PID from pipe"];
    words.iter().any(|words| error.said().contains(words))
}
