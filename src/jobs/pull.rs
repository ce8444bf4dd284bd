//! Pulling one image.

use std::ops::ControlFlow;

use super::credentials::Keyring;
use super::progress::Tally;
use super::report::{Failed, because, note, say};
use super::run::Outcome;
use super::{PullRequest, ledger};
use crate::docker::{Docker, PullCall};
use crate::pod::ImageRef;
use crate::state::{FailReason, LoadedImage, Node, Progress, Report};
use crate::sys::{self, Error, Kind, Result};

/// Carries out a request.
pub(super) fn run(request: &PullRequest) -> Outcome {
    match pulled(request) {
        Ok(report) => {
            say(&report);
            Outcome::Done
        }
        Err(Failed { reason, message }) => {
            say(&Report::Failed {
                container: None,
                reason,
                message,
            });
            Outcome::Failed
        }
    }
}

fn pulled(request: &PullRequest) -> std::result::Result<Report, Failed> {
    let name = full_name(&request.image)?;
    let docker = Docker::new(&request.node.docker_socket, Some(request.docker.api));
    let said = pull_image(&docker, &request.node, &name, &mut |progress| {
        say(&Report::Pulling(progress))
    });
    let local = || docker.inspect_image(&name);
    match said {
        Ok(()) => {
            let image = local().map_err(because(FailReason::ImageInspectError))?;
            let id = image.id.clone();
            // That it is not remembered here it is when a container is made from it.
            let _ = ledger::note(&request.node.root_dir, &LoadedImage { name, id }, false);
            Ok(Report::Pulled {
                image_id: image.id,
                note: String::new(),
            })
        }
        Err(error) => match local() {
            Ok(image) if request.local_will_do && is_out_of_reach(&error) => {
                let note = format!(
                    "the registry cannot be reached, the image that is here is used: {}",
                    error.said()
                );
                Ok(Report::Pulled {
                    image_id: image.id,
                    note,
                })
            }
            Ok(_) | Err(_) => Err(because(reason(&error))(error)),
        },
    }
}

fn reason(error: &Error) -> FailReason {
    match error.kind() {
        Kind::Unavailable
            if ["502", "503", "504"]
                .iter()
                .any(|code| error.said().contains(code)) =>
        {
            FailReason::RegistryUnavailable
        }
        Kind::Gone
        | Kind::Conflict
        | Kind::Unavailable
        | Kind::Refused
        | Kind::Garbled
        | Kind::TooBig => FailReason::ErrImagePull,
    }
}

/// The registry was not asked, or could not answer: not that it said no. dockerd hands on the words of Go's net package.
fn is_out_of_reach(error: &Error) -> bool {
    const WORDS: [&str; 14] = [
        "no such host",
        "connection refused",
        "no route to host",
        "network is unreachable",
        "i/o timeout",
        "Client.Timeout",
        "deadline exceeded",
        "TLS handshake timeout",
        "server misbehaving",
        "Temporary failure in name resolution",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway",
        "proxyconnect",
    ];
    // With several credentials one answer may be a refusal, and that counts.
    const REFUSALS: [&str; 4] = [
        "unauthorized",
        "denied",
        "manifest unknown",
        "no basic auth",
    ];
    let says = |words: &[&str]| words.iter().any(|word| error.said().contains(word));
    says(&WORDS) && !says(&REFUSALS)
}

/// The image as dockerd is asked for it: with `:latest` when the manifest names neither tag nor digest.
pub(super) fn full_name(named: &str) -> std::result::Result<String, Failed> {
    let invalid = |why| {
        let text = format!(
            "Failed to apply default image tag {named:?}: couldn't parse image name {named:?}: {why}"
        );
        because(FailReason::InvalidImageName)(text)
    };
    Ok(ImageRef::parse(named).map_err(invalid)?.with_default_tag())
}

/// Pulls an image, with each credential that fits in turn.
///
/// # Errors
/// The registry's own words.
pub(super) fn pull_image(
    docker: &Docker,
    node: &Node,
    name: &str,
    each: &mut dyn FnMut(Progress),
) -> Result<()> {
    let image =
        ImageRef::parse(name).map_err(|e| Error::new(format!("pull {name}"), Kind::Refused, e))?;
    let keyring = Keyring::load(&node.root_dir);
    for text in &keyring.notes {
        note(text);
    }
    let mut auths: Vec<_> = keyring
        .lookup(&image.repository())
        .into_iter()
        .map(Some)
        .collect();
    if auths.is_empty() {
        auths.push(None);
    }
    let mut failed: Vec<Error> = Vec::new();
    for auth in auths {
        let call = PullCall {
            image: image.repository(),
            tag: image.version(),
            auth,
        };
        let mut tally = Tally::default();
        let done = docker.pull(&call, &mut |line| {
            if let Some(progress) = tally.take(&line, sys::now().mono) {
                each(progress);
            }
            ControlFlow::Continue(())
        });
        match done {
            Ok(()) => return Ok(()),
            Err(error) => failed.push(error),
        }
    }
    match failed.as_slice() {
        [one] => Err(one.clone()),
        many => {
            let said: Vec<&str> = many.iter().map(Error::said).collect();
            let kind = many.last().map_or(Kind::Refused, Error::kind);
            let said = format!("[{}]", said.join(", "));
            Err(Error::new(format!("pull {name}"), kind, said))
        }
    }
}
