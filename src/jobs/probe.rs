//! One probe of one container: what it finds, in the kubelet's words.
//!
//! Only an attempt that could not be made is repeated. Source: kubelet 1.36 `prober/prober.go`, `pkg/probe`.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerPort, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use super::report::say;
use super::run::Outcome;
use super::{ProbeRequest, probe_exec, probe_grpc, probe_http};
use crate::state::{Probed, Report, probe_of};

/// How often a probe that cannot be made is tried (kubelet `maxProbeRetries`).
pub(super) const PROBE_ATTEMPTS: u32 = 3;

/// What is kept of the words of a probe: enough for a person, too little to flood a log.
const OUTPUT_BYTES_MAX: usize = 1024;

/// What one attempt found, and its words; the error is one of making the probe.
pub type Attempt = Result<(Probed, String), String>;

/// Carries out a request.
pub(super) fn run(request: &ProbeRequest) -> Outcome {
    let mut last = String::new();
    for _ in 0..PROBE_ATTEMPTS {
        match attempt(request) {
            Ok((found, output)) => return tell(request, found, &output),
            Err(why) => last = why,
        }
    }
    tell(request, Probed::Unknown, &last)
}

fn tell(request: &ProbeRequest, found: Probed, output: &str) -> Outcome {
    let fits = (0..=OUTPUT_BYTES_MAX.min(output.len())).rev();
    let output = fits.into_iter().find_map(|end| output.get(..end));
    let output = match found {
        Probed::Success => "",
        Probed::Warning | Probed::Failure | Probed::Unknown => output.unwrap_or_default().trim(),
    };
    say(&Report::Probed {
        id: request.id.clone(),
        found,
        output: output.to_owned(),
    });
    Outcome::Done
}

/// Probes once: what it found, and its words.
///
/// # Errors
/// The probe could not be made, with the reason.
pub fn attempt(request: &ProbeRequest) -> Attempt {
    let container = &request.container;
    let probe = probe_of(container, request.kind).ok_or("the container has no such probe")?;
    let ports = container.ports.as_deref().unwrap_or_default();
    if let Some(exec) = &probe.exec {
        let command = exec.command.as_deref().unwrap_or_default();
        probe_exec::probe(request, command, timeout(request))
    } else if let Some(get) = &probe.http_get {
        let port = port(ports, &get.port)?;
        let host = host(get.host.as_deref(), request);
        probe_http::probe(get, (host, port), timeout(request))
    } else if let Some(socket) = &probe.tcp_socket {
        let port = port(ports, &socket.port)?;
        tcp(
            (host(socket.host.as_deref(), request), port),
            timeout(request),
        )
    } else if let Some(action) = &probe.grpc {
        probe_grpc::probe(action, &request.ip, timeout(request))
    } else {
        Err("this kind of probe is not known".to_owned())
    }
}

/// The timeout of one attempt.
pub(super) fn timeout(request: &ProbeRequest) -> Duration {
    let given = |probe: &Probe| probe.timeout_seconds.and_then(|s| u64::try_from(s).ok());
    let seconds = probe_of(&request.container, request.kind).and_then(given);
    Duration::from_secs(seconds.filter(|s| *s > 0).unwrap_or(1))
}

fn host<'a>(given: Option<&'a str>, request: &'a ProbeRequest) -> &'a str {
    given.filter(|host| !host.is_empty()).unwrap_or(&request.ip)
}

/// A port by its number, or by its name among the ports of this same container.
pub(super) fn port(ports: &[ContainerPort], port: &IntOrString) -> Result<u16, String> {
    let wrong = |what: &str| format!("invalid port number: {what}");
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let named = ports.iter().find(|port| port.name.as_ref() == Some(name));
            match named {
                Some(port) => port.container_port,
                None => name
                    .parse()
                    .map_err(|_| format!("couldn't find port: {name} in the container's ports"))?,
            }
        }
    };
    let number = u16::try_from(number).map_err(|_| wrong(&number.to_string()))?;
    if number == 0 {
        return Err(wrong("0"));
    }
    Ok(number)
}

fn tcp((host, port): (&str, u16), timeout: Duration) -> Attempt {
    let failed = |error: &std::io::Error| {
        #[allow(clippy::wildcard_enum_match_arm)] // std's enum is open
        let why = match error.kind() {
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => "i/o timeout".into(),
            _ => error.to_string(),
        };
        Ok((Probed::Failure, format!("dial tcp {host}:{port}: {why}")))
    };
    let addresses: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return failed(&error),
    };
    let share = timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, share) {
            Ok(stream) => {
                // Closed connections wait a minute each in the kernel, which many probes make many; a second will do, as
                // in the kubelet. Without it the probe is as good.
                let soon = linger {
                    l_onoff: 1,
                    l_linger: 1,
                };
                let _ = setsockopt(&stream, sockopt::Linger, &soon);
                return Ok((Probed::Success, String::new()));
            }
            Err(error) => last = error,
        }
    }
    failed(&last)
}
