//! The steps of one pod, one after the other.

use super::report::{Failed, because, say};
use super::run::Outcome;
use super::{PodRequest, cgroup, cleanup, post_start, sandbox, start, stop, volumes};
use crate::decide::Step;
use crate::docker::Docker;
use crate::pod::ValidPod;
use crate::state::{ContainerId, FailReason, Report};
use crate::sys::Kind;
use crate::translate::{Role, own_label, read_identity};

/// What the steps share.
pub(super) struct PodJob {
    pub(super) request: PodRequest,
    pub(super) docker: Docker,
    sandbox: Option<Joined>,
}

/// The running sandbox that containers join.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    pub(super) id: ContainerId,
    pub(super) ips: Vec<String>,
    /// Where dockerd writes its log; empty where it writes no file.
    pub(super) log: String,
}

/// Carries out a request. Stops at the first step that fails, except that a container that cannot be started does not
/// hold up the next one.
pub(super) fn run(request: PodRequest) -> Outcome {
    let docker = Docker::new(&request.node.docker_socket, Some(request.docker.api))
        .only(own_label(&request.node.root_dir));
    let steps = request.steps.clone();
    let mut job = PodJob {
        request,
        docker,
        sandbox: None,
    };
    let mut outcome = Outcome::Done;
    for step in &steps {
        let Err(Failed { reason, message }) = job.step(step) else {
            continue;
        };
        outcome = Outcome::Failed;
        let container = step.container().cloned();
        let goes_on = container.is_some();
        say(&Report::Failed {
            container,
            reason,
            message,
        });
        if !goes_on {
            break;
        }
    }
    outcome
}

impl PodJob {
    fn step(&mut self, step: &Step) -> Result<(), Failed> {
        match step {
            Step::Volumes => volumes::set_up(self.pod()?, &self.request),
            Step::Sandbox { attempt } => {
                let made = sandbox::make(self, *attempt)?;
                say(&Report::SandboxUp {
                    id: made.id.clone(),
                });
                self.sandbox = Some(made);
                // Its containers have limits of their own: a pod without that of the whole is better than no pod.
                if let Err(error) = cgroup::limit(self.pod()?, &self.request) {
                    say(&Report::Note {
                        text: error.to_string(),
                    });
                }
                Ok(())
            }
            Step::Start {
                container,
                attempt,
                image,
            } => {
                if self.sandbox.is_none() {
                    self.sandbox = self
                        .find_sandbox()
                        .map_err(because(FailReason::CreateContainerError))?;
                }
                let gone = || {
                    because(FailReason::CreateContainerError)(
                        "the pod's sandbox does not run any more",
                    )
                };
                let sandbox = self.sandbox.clone().ok_or_else(gone)?;
                start::start(
                    self,
                    &start::Wanted {
                        container,
                        attempt: *attempt,
                        image,
                        sandbox: &sandbox,
                    },
                )
            }
            Step::PostStart {
                container,
                id,
                attempt,
            } => {
                let found = self.find_sandbox();
                let found = found.map_err(because(FailReason::RunContainerError))?;
                let instance = post_start::Instance {
                    container,
                    id,
                    attempt: *attempt,
                    ips: found.as_ref().map_or(&[], |sandbox| &sandbox.ips),
                };
                post_start::run_again(self, &instance)
            }
            Step::Stop { containers } => stop::stop(self, containers),
            Step::Remove { containers } => {
                stop::remove(&self.docker, &self.request.node, containers)
            }
            Step::Cleanup => {
                cleanup::clean(&self.request).map_err(because(FailReason::KillContainerError))
            }
        }
    }

    /// The newest running sandbox of this pod; its details are read again, as the address may have changed.
    fn find_sandbox(&self) -> crate::sys::Result<Option<Joined>> {
        let all = self.docker.list()?;
        let ours = all
            .iter()
            .filter(|one| one.state == "running")
            .filter_map(|one| {
                let name = one.names.first().map_or("", String::as_str);
                let identity = read_identity(name, &one.labels, &self.request.node).ok()?;
                let is_sandbox = matches!(identity.role, Role::Sandbox { .. });
                (is_sandbox && identity.uid == self.request.uid)
                    .then_some((identity.attempt, &one.id))
            });
        let Some((_, id)) = ours.max() else {
            return Ok(None);
        };
        match self.docker.inspect(id) {
            Ok(inspect) => Ok(Some(Joined {
                id: ContainerId(id.clone()),
                ips: sandbox::addresses(&inspect),
                log: inspect.log_path,
            })),
            Err(error) if error.kind() == Kind::Gone => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The pod that is built; a request that builds without one is the agent's mistake.
    pub(super) fn pod(&self) -> Result<&ValidPod, Failed> {
        let missing = || because(FailReason::JobError)("the request has no pod");
        self.request.pod.as_ref().ok_or_else(missing)
    }
}
