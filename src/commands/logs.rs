//! `staticlet logs`: the log of a container, through dockerd, whether an agent runs or not.

use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;

use super::find::{self, Instance};
use super::place::Place;
use super::{Fault, Outcome};
use crate::cli::LogsFlags;
use crate::docker::{Docker, LogsCall};
use crate::pod::{PodKey, all_containers};
use crate::sys::{self, Error, Wall};
use crate::translate::SANDBOX;

/// Prints the log, until its end or that of the container. A reader that goes away ends it quietly.
pub fn logs(flags: &LogsFlags) -> Outcome {
    match show(flags) {
        Ok(()) => Outcome::Fine,
        Err(fault) => fault.tell("logs"),
    }
}

fn show(flags: &LogsFlags) -> Result<(), Fault> {
    let place = Place::find(&flags.place)?;
    let list = find::instances(&place)?;
    let key = find::pod(&flags.pod, &place, &list).map_err(Fault::Bad)?;
    let of_pod: Vec<&Instance> = list
        .iter()
        .filter(|one| one.key == key && one.name != SANDBOX)
        .collect();
    let name = container(flags.container.as_deref(), (&key, &of_pod), &place)?;
    let instance = instance(&name, (&key, &of_pod), (flags, &place))?;
    let tty = place.docker.inspect(&instance.id.0)?.config.tty;
    let now = sys::now().wall;
    let since = flags.since.map(|time| {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Wall(now.0.saturating_sub(micros))
    });
    let call = LogsCall {
        tty,
        follow: flags.follow,
        tail: flags.tail,
        since,
        timestamps: flags.timestamps,
    };
    copy(&place, instance, &call)
}

/// The container that is meant: the one named, or the only one.
fn container(
    typed: Option<&str>,
    (key, there): (&PodKey, &[&Instance]),
    place: &Place,
) -> Result<String, Fault> {
    let spec = place.pod(key).and_then(|pod| pod.spec.as_ref());
    let mut names: Vec<&str> = spec.map_or(Vec::new(), |spec| {
        all_containers(spec).map(|c| c.name.as_str()).collect()
    });
    for one in there {
        if !names.contains(&one.name.as_str()) {
            names.push(&one.name);
        }
    }
    let regular = spec.map(|spec| spec.containers.as_slice());
    match (typed, regular, names.as_slice()) {
        (Some(typed), _, names) if names.contains(&typed) => Ok(typed.to_owned()),
        (Some(typed), _, names) => Err(Fault::Bad(format!(
            "pod {key} has no container {typed}; it has {}",
            names.join(", ")
        ))),
        (None, Some([only]), _) => Ok(only.name.clone()),
        (None, _, [only]) => Ok((*only).to_owned()),
        (None, _, names) => Err(Fault::Bad(format!(
            "pod {key} has several containers, choose one with -c: {}",
            names.join(", ")
        ))),
    }
}

/// The instance that is meant: the newest, or the newest that has ended.
fn instance<'a>(
    name: &str,
    (key, there): (&PodKey, &[&'a Instance]),
    (flags, place): (&LogsFlags, &Place),
) -> Result<&'a Instance, Fault> {
    let mut of_name = there
        .iter()
        .filter(|one| one.name == name && one.state != "created");
    let found = if flags.previous {
        of_name.find(|one| matches!(one.state.as_str(), "exited" | "dead"))
    } else {
        of_name.next()
    };
    found.copied().ok_or_else(|| {
        let said = if flags.previous {
            "no instance of it has ended, or none is kept".to_owned()
        } else {
            match place.reasons(key, Some(name)) {
                why if why.is_empty() => "it has not been started yet".to_owned(),
                why => format!("it has not been started yet: {why}"),
            }
        };
        Fault::Bad(format!("container {name} of pod {key}: {said}"))
    })
}

/// Passes the log on to standard output.
fn copy(place: &Place, instance: &Instance, call: &LogsCall) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    let outlet = out.as_fd().try_clone_to_owned();
    let outlet = outlet.map_err(|e| Error::io("open standard output", &e))?;
    let api = place.docker.api()?;
    let docker = Docker::passing_on(&place.settings.node.docker_socket, api, outlet);
    let mut failed = None;
    let read = docker.logs(&instance.id.0, call, &mut |bytes| match out
        .write_all(bytes)
        .and_then(|()| out.flush())
    {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    });
    match failed {
        // The reader has what it wanted.
        Some(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
        Some(error) => return Err(Error::io("write to standard output", &error).into()),
        None => {}
    }
    match read {
        Err(_) if !sys::is_read(out.as_fd()) => Ok(()),
        read => Ok(read?),
    }
}
