//! `staticlet restart`: stops containers as the agent would, and waits until it has started them again.

use std::collections::BTreeSet;
use std::time::Duration;

use super::find;
use super::place::Place;
use super::{Fault, Outcome, complain, print};
use crate::cli::RestartFlags;
use crate::decide::{Step, stop_in_turn};
use crate::jobs::{Jobs, PodRequest, Request};
use crate::observe::Observer;
use crate::pod::{PodKey, container_of};
use crate::state::{
    Container, ContainerState, DockerFacts, Event, JobEnd, JobKey, ObservedPod, Report,
};
use crate::status::{Again, Restart};
use crate::sys::{self, Gather, Mono};

/// The pause between two looks for the next attempt.
const PAUSE: Duration = Duration::from_millis(200);

/// Restarts. `Bad` when it may not be done, or the next attempt does not run in time.
pub fn restart(flags: &RestartFlags) -> Outcome {
    match try_restart(flags) {
        Ok(()) => Outcome::Fine,
        Err(fault) => fault.tell("restart"),
    }
}

fn try_restart(flags: &RestartFlags) -> Result<(), Fault> {
    let place = Place::find(&flags.place)?;
    let list = find::instances(&place)?;
    let key = find::pod(&flags.pod, &place, &list).map_err(Fault::Bad)?;
    if place.agent().is_none() {
        let said = "the agent is not running, and nobody else would start it again; start it first";
        return Err(bad(&key, said));
    }
    if place
        .extra(&key)
        .and_then(|extra| extra.source.as_ref())
        .is_none()
    {
        return Err(bad(
            &key,
            "no manifest names it any more, it is on its way out",
        ));
    }
    let observed = Observer::new(&place.settings.node).look(&BTreeSet::new())?;
    let there = observed.pod(&key);
    let targets = targets(flags.container.as_deref(), (&key, there), &place)?;
    for target in &targets {
        if rule(&place, &key, target).is_never() {
            let said = format!(
                "container {} has restartPolicy Never and would stay stopped; take its manifest away and put it back",
                target.name
            );
            return Err(bad(&key, &said));
        }
    }
    if let Some(pod) = there {
        stop((pod, &targets), &place, &observed.docker)?;
    }
    let until = sys::now().mono.after(flags.timeout);
    for target in targets {
        revive(&place, &key, target)?;
        next_attempt((&key, target), (flags, &place), until)?;
    }
    Ok(())
}

fn bad(key: &PodKey, why: &str) -> Fault {
    Fault::Bad(format!("pod {key}: {why}"))
}

/// Whether its end is followed by another start. Without a manifest it is, as after any other default.
fn rule<'a>(place: &'a Place, key: &PodKey, container: &Container) -> Restart<'a> {
    let spec = place.pod(key).and_then(|pod| pod.spec.as_ref());
    Restart::of(
        spec,
        spec.and_then(|spec| container_of(spec, container.name.as_str())),
    )
}

/// The containers that run, or the one of this name.
fn targets<'a>(
    typed: Option<&str>,
    (key, there): (&PodKey, Option<&'a ObservedPod>),
    place: &Place,
) -> Result<Vec<&'a Container>, Fault> {
    let all = there.map_or(&[][..], |pod| &pod.containers);
    let names: BTreeSet<&str> = all.iter().map(|one| one.name.as_str()).gather();
    if let Some(typed) = typed
        && !names.contains(typed)
    {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let has = if names.is_empty() { "none" } else { &names };
        return Err(bad(
            key,
            &format!("there is no container {typed}; there is {has}"),
        ));
    }
    let is_meant = |one: &&Container| {
        let runs = matches!(one.state, ContainerState::Running { .. });
        runs && typed.is_none_or(|typed| typed == one.name.as_str())
    };
    let meant: Vec<&Container> = all.iter().filter(is_meant).collect();
    if !meant.is_empty() {
        return Ok(meant);
    }
    let what = typed.map_or("nothing of it".to_owned(), |typed| {
        format!("container {typed}")
    });
    let said = match place.reasons(key, typed) {
        why if why.is_empty() => format!("{what} is not running"),
        why => format!("{what} is not running: {why}"),
    };
    Err(bad(key, &said))
}

/// Stops them by a job, as the agent does.
fn stop(
    (pod, targets): (&ObservedPod, &[&Container]),
    place: &Place,
    docker: &DockerFacts,
) -> Result<(), Fault> {
    let request = Request::Pod(Box::new(PodRequest {
        node: place.settings.node.clone(),
        docker: docker.clone(),
        key: pod.key.clone(),
        uid: pod.uid.clone(),
        pod: None,
        steps: vec![Step::Stop {
            containers: stop_in_turn(targets.to_vec()),
        }],
        program_digest: None,
        seen: None,
    }));
    let mut jobs = Jobs::default();
    jobs.start(JobKey::Pod(pod.key.clone()), &request, sys::now())?;
    let mut why = String::new();
    loop {
        for event in jobs.events(sys::now()) {
            match event {
                Event::JobSaid {
                    report: Report::Failed { message, .. },
                    ..
                } => why = message,
                Event::JobSaid {
                    report: Report::Note { text },
                    ..
                } => complain(&format!("restart: pod {}: {text}", pod.key)),
                Event::JobSaid {
                    report: Report::PreStopFailed { container, why },
                    ..
                } => complain(&format!(
                    "restart: pod {}: preStop of {container}: {why}",
                    pod.key
                )),
                Event::JobEnded { end, .. } => {
                    return match end {
                        JobEnd::Done => Ok(()),
                        JobEnd::Failed | JobEnd::Cancelled => Err(bad(&pod.key, &why)),
                        JobEnd::Deadline => Err(bad(&pod.key, "it does not come to its end")),
                        JobEnd::Died(how) => Err(bad(&pod.key, &format!("the job died: {how}"))),
                    };
                }
                Event::JobSaid { .. } | Event::JobStarted { .. } | Event::JobCancelled { .. } => {}
            }
        }
        let due = jobs.due().unwrap_or(sys::now().mono.after(PAUSE));
        sys::poll(&jobs.fds(), due);
    }
}

/// Removes one whose end was a good one, after which it would not be started again.
fn revive(place: &Place, key: &PodKey, target: &Container) -> Result<(), Fault> {
    let ended = match place.docker.inspect(&target.id.0) {
        Ok(inspect) => inspect,
        Err(error) if error.kind() == sys::Kind::Gone => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let code = i32::try_from(ended.state.exit_code).unwrap_or(-1);
    if !ended.state.running && rule(place, key, target).after(code) == Again::No {
        place.docker.remove(&target.id.0)?;
    }
    Ok(())
}

/// Waits until a newer instance runs, and says so.
fn next_attempt(
    (key, old): (&PodKey, &Container),
    (flags, place): (&RestartFlags, &Place),
    until: Mono,
) -> Result<(), Fault> {
    loop {
        let list = find::instances(place)?;
        let name = old.name.as_str();
        let next = list.iter().find(|one| {
            one.key == *key && one.name == name && one.id != old.id && one.state == "running"
        });
        if let Some(next) = next {
            print(&format!("{key}: {name}: attempt {} runs\n", next.attempt));
            return Ok(());
        }
        if sys::now().mono >= until {
            let said = format!("container {name} has ended, and its next attempt does not run yet");
            let why = Place::find(&flags.place)?.reasons(key, Some(name));
            let why = Some(why).filter(|why| !why.is_empty());
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            return Err(bad(key, &(said + &why)));
        }
        sys::pause(PAUSE);
    }
}
