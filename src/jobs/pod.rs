//! The steps of one pod, one after the other.

use super::report::{Failed, because, note, say};
use super::run::Outcome;
use super::{PodRequest, cgroup, cleanup, post_start, resolver, sandbox, start, stop, volumes};
use crate::decide::Step;
use crate::docker::Docker;
use crate::docker::wire::Summary;
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
    /// Its resolv.conf, where no container has joined it yet: the job that made it may have died before it wrote the file, and
    /// limited the pod as a whole.
    pub(super) fresh: Option<String>,
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
                self.limit()
            }
            Step::Start {
                container,
                attempt,
                image,
            } => {
                if self.sandbox.is_none() {
                    let found = self.find_sandbox();
                    let found = found.map_err(because(FailReason::CreateContainerError))?;
                    if let Some(path) = found.as_ref().and_then(|sandbox| sandbox.fresh.as_ref()) {
                        resolver::write(path, resolver::text(self)?.as_deref())?;
                        self.limit()?;
                    }
                    self.sandbox = found;
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
                stop::remove(&self.docker, &self.request.node, containers)?;
                // A sandbox that still ran at the clean-up kept it.
                let steps = &self.request.steps;
                if steps.last() == Some(step) && steps.contains(&Step::Cleanup) {
                    cgroup::remove(&self.request.uid, &self.request.docker);
                }
                Ok(())
            }
            Step::Cleanup => {
                cleanup::clean(&self.request).map_err(because(FailReason::KillContainerError))
            }
        }
    }

    /// Limits the pod as a whole. Its containers have limits of their own: a pod without that of the whole is better than no
    /// pod.
    fn limit(&self) -> Result<(), Failed> {
        if let Err(error) = cgroup::limit(self.pod()?, &self.request) {
            note(error);
        }
        Ok(())
    }

    /// The newest running sandbox of this pod; its details are read again, as the address may have changed.
    fn find_sandbox(&self) -> crate::sys::Result<Option<Joined>> {
        let all = self.docker.list()?;
        let of_this_pod = |one: &Summary| {
            let name = one.names.first().map_or("", String::as_str);
            let identity = read_identity(name, &one.labels, &self.request.node).ok()?;
            let is_here = identity.uid == self.request.uid;
            is_here.then(|| (identity, one.id.clone(), one.state == "running"))
        };
        let ours: Vec<_> = all.iter().filter_map(of_this_pod).collect();
        let newest = ours
            .iter()
            .filter(|(of, _, runs)| *runs && matches!(of.role, Role::Sandbox { .. }))
            .map(|(of, id, _)| (of.attempt, id))
            .max();
        let Some((_, id)) = newest else {
            return Ok(None);
        };
        let is_joined = ours.iter().any(
            |(of, ..)| matches!(&of.role, Role::Container { sandbox, .. } if sandbox.0 == *id),
        );
        match self.docker.inspect(id) {
            Ok(inspect) => Ok(Some(Joined {
                id: ContainerId(id.clone()),
                ips: sandbox::addresses(&inspect),
                log: inspect.log_path,
                fresh: (!is_joined).then_some(inspect.resolv_conf_path),
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
