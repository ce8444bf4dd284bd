//! What an inspect says, in our words.

use super::Names;
use crate::docker::wire;
use crate::state::{ContainerState, Exit};
use crate::sys::{Error, Result, Wall};

/// What is kept of an inspect.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Detail {
    pub(super) state: ContainerState,
    pub(super) ips: Vec<String>,
    pub(super) host_network: bool,
    pub(super) image: String,
    pub(super) image_id: String,
    pub(super) starting: bool,
}

impl Detail {
    pub(super) fn new(inspect: &wire::Inspect, names: Names) -> Detail {
        let networks = inspect.network_settings.networks.values();
        let v4 = networks.clone().map(|network| &network.ip_address);
        let v6 = networks.map(|network| &network.global_ipv6_address);
        Detail {
            state: state(&inspect.state, &inspect.created),
            ips: v4.chain(v6).filter(|ip| !ip.is_empty()).cloned().collect(),
            host_network: inspect.host_config.network_mode == "host",
            image: names.image,
            image_id: names.image_id,
            starting: false,
        }
    }

    /// What can be said of a container that cannot be inspected. A sandbox then has no address, so that nothing is
    /// started in it; the exit code stands in the words for people.
    pub(super) fn from_list(summary: &wire::Summary) -> Detail {
        let created = Wall(summary.created.saturating_mul(1_000_000));
        let code = summary
            .status
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'))
            .and_then(|(code, _)| code.parse().ok());
        let state = match summary.state.as_str() {
            "running" | "paused" => ContainerState::Running { started: created },
            "created" => ContainerState::Created,
            "exited" => ContainerState::Exited(Exit {
                code: code.unwrap_or(255),
                reason: reason(code.unwrap_or(255), false).to_owned(),
                message: "dockerd does not give the details of it".to_owned(),
                started: created,
                finished: created,
            }),
            word => ContainerState::Unknown {
                word: word.to_owned(),
            },
        };
        let networks = summary.network_settings.networks.values();
        Detail {
            state,
            ips: networks
                .map(|network| network.ip_address.clone())
                .filter(|ip| !ip.is_empty())
                .collect(),
            host_network: summary.host_config.network_mode == "host",
            image: summary.image.clone(),
            image_id: format!("docker://{}", summary.image_id),
            starting: false,
        }
    }

    /// Adds the termination message of a container that ended; why it is missing, if it may still come.
    pub(super) fn add_message(
        &mut self,
        message: impl Fn(&Exit) -> Result<String>,
    ) -> Option<Error> {
        let ContainerState::Exited(exit) = &mut self.state else {
            return None;
        };
        match message(exit) {
            Ok(text) => {
                if !exit.message.is_empty() && !text.is_empty() {
                    exit.message.push_str(": ");
                }
                exit.message.push_str(&text);
                None
            }
            Err(error) => Some(error),
        }
    }
}

/// The state by an inspect.
///
/// Source: cri-dockerd `core/container_status.go`.
fn state(state: &wire::InspectState, created: &str) -> ContainerState {
    let created = Wall::parse(created).unwrap_or_default();
    let started = Wall::parse(&state.started_at);
    let finished = Wall::parse(&state.finished_at);
    let code = i32::try_from(state.exit_code).unwrap_or(255);
    let exit = |reason: &str, started, finished| {
        ContainerState::Exited(Exit {
            code,
            reason: reason.to_owned(),
            message: state.error.clone(),
            started,
            finished,
        })
    };
    match (state.status.as_str(), finished) {
        ("running" | "paused", _) => ContainerState::Running {
            started: started.unwrap_or(created),
        },
        ("created" | "exited" | "stopped", Some(finished)) => exit(
            reason(code, state.oom_killed),
            started.unwrap_or(created),
            finished,
        ),
        ("created" | "exited" | "stopped", None) if code != 0 => {
            exit("ContainerCannotRun", created, created)
        }
        ("created", None) => ContainerState::Created,
        (word, _) => ContainerState::Unknown {
            word: word.to_owned(),
        },
    }
}

fn reason(code: i32, oom_killed: bool) -> &'static str {
    match (oom_killed, code) {
        (true, _) => "OOMKilled",
        (false, 0) => "Completed",
        (false, _) => "Error",
    }
}
