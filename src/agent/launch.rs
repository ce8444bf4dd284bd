//! From a decision to a job: the request it is given, and what is remembered of it.

use crate::decide::{Action, Step, words};
use crate::jobs::{PodRequest, ProbeRequest, PullRequest, Request};
use crate::pod::{ContainerName, PodUid, SpecHash, container_of};
use crate::state::{Desired, DockerFacts, JobKey, Node};

/// What goes into [`crate::state::Event::JobStarted`].
#[derive(Default)]
pub(super) struct Started {
    pub(super) what: String,
    pub(super) uid: Option<PodUid>,
    pub(super) wants: Option<SpecHash>,
    pub(super) starts: Vec<ContainerName>,
    pub(super) sandbox: bool,
}

/// The job of an action; `None` for an action that is none.
pub(super) fn request(
    action: &Action,
    node: &Node,
    desired: &Desired,
    docker: &DockerFacts,
) -> Option<(JobKey, Request, Started)> {
    let (node, docker) = (node.clone(), docker.clone());
    match action {
        Action::Cancel { .. } => None,
        Action::Probe { .. } => probe(action, (node, docker), desired),
        Action::Pull {
            key,
            container,
            image,
            ..
        } => {
            let wanted = desired.pods.get(key)?;
            let started = Started {
                what: format!("pull {image}"),
                wants: Some(wanted.pod.hash.clone()),
                ..Started::default()
            };
            let request = PullRequest {
                node,
                docker,
                image: image.clone(),
                local_will_do: true,
            };
            Some((
                JobKey::Pull(key.clone(), container.clone()),
                Request::Pull(request),
                started,
            ))
        }
        Action::Pod {
            key, uid, steps, ..
        } => {
            let pod = desired
                .pods
                .get(key)
                .map(|wanted| &wanted.pod)
                .filter(|pod| pod.uid == *uid);
            let pod = pod.filter(|_| steps.iter().any(Step::builds));
            let started = Started {
                what: words(steps),
                uid: Some(uid.clone()),
                wants: pod.map(|pod| pod.hash.clone()),
                starts: steps
                    .iter()
                    .filter(|step| matches!(step, Step::Start { .. }))
                    .filter_map(Step::container)
                    .cloned()
                    .collect(),
                sandbox: steps
                    .iter()
                    .any(|step| matches!(step, Step::Sandbox { .. })),
            };
            let pod = pod.map(|pod| (**pod).clone());
            let request = PodRequest {
                node,
                docker,
                key: key.clone(),
                uid: uid.clone(),
                pod,
                steps: steps.clone(),
                program_digest: None,
                seen: None,
            };
            Some((
                JobKey::Pod(key.clone()),
                Request::Pod(Box::new(request)),
                started,
            ))
        }
    }
}

/// The job of a probe.
fn probe(
    action: &Action,
    (node, docker): (Node, DockerFacts),
    desired: &Desired,
) -> Option<(JobKey, Request, Started)> {
    let Action::Probe {
        key,
        container,
        id,
        kind,
        ip,
        ..
    } = action
    else {
        return None;
    };
    let spec = desired.pods.get(key)?.pod.pod.spec.as_ref()?;
    let spec = container_of(spec, container.as_str())?;
    let machine = || Some(node.ip).filter(|ip| !ip.is_empty());
    let request = ProbeRequest {
        docker_socket: node.docker_socket,
        api: docker.api,
        id: id.clone(),
        kind: *kind,
        container: spec.clone(),
        ip: ip
            .clone()
            .or_else(machine)
            .unwrap_or_else(|| "127.0.0.1".to_owned()),
    };
    let started = Started {
        what: format!("probe {container}"),
        ..Started::default()
    };
    Some((
        JobKey::Probe(key.clone(), container.clone(), *kind),
        Request::Probe(Box::new(request)),
        started,
    ))
}
