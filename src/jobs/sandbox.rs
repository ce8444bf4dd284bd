//! The sandbox: a pause container that holds the pod's namespaces.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use super::create::Failure;
use super::pod::{Joined, PodJob};
use super::report::{Failed, because, say};
use super::{pause_image, ports};
use crate::docker::wire::Inspect;
use crate::state::{ContainerId, FailReason, Report};
use crate::sys::{self, Error, Kind, files};
use crate::translate::{SandboxInput, resolv_conf, sandbox_body, sandbox_name};

/// The node's resolver file is read up to here, as in the kubelet.
const RESOLVER_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Makes and starts the sandbox, and writes its resolv.conf.
pub(super) fn make(job: &PodJob, attempt: u32) -> Result<Joined, Failed> {
    let image =
        pause_image::name(&job.request).map_err(because(FailReason::CreatePodSandboxError))?;
    let made = match made_from(job, attempt, &image)? {
        // Usually the image is there: to find out by trying costs nothing.
        Err(Failure::Create(error)) if error.kind() == Kind::Gone => {
            pause_image::provide(&job.docker, &job.request.node, &image)
                .map_err(because(FailReason::CreatePodSandboxError))?;
            made_from(job, attempt, &image)?
        }
        other => other,
    };
    let id = made.map_err(|failure| match failure {
        Failure::Create(error) => because(FailReason::CreatePodSandboxError)(error),
        Failure::Start(error) => because(FailReason::CreatePodSandboxError)(error),
    })?;
    let inspect = job
        .docker
        .inspect(&id.0)
        .map_err(because(FailReason::CreatePodSandboxError))?;
    if !inspect.state.running {
        let said = format!(
            "the sandbox ended at once with code {} {}",
            inspect.state.exit_code, inspect.state.error
        );
        return Err(because(FailReason::CreatePodSandboxError)(said.trim_end()));
    }
    write_resolv_conf(job, &inspect)?;
    Ok(Joined {
        id,
        ips: addresses(&inspect),
        log: inspect.log_path,
    })
}

fn made_from(
    job: &PodJob,
    attempt: u32,
    image: &str,
) -> Result<Result<ContainerId, Failure>, Failed> {
    let pod = job.pod()?;
    let input = SandboxInput {
        pod,
        node: &job.request.node,
        docker: &job.request.docker,
        image,
        seen: job.request.seen.unwrap_or_else(|| sys::now().wall),
    };
    let body = sandbox_body(&input).map_err(because(FailReason::CreatePodSandboxError))?;
    let bindings = body.host_config.port_bindings.clone();
    let name = sandbox_name(&pod.key, &pod.uid, attempt);
    match job.create_and_start(&name, body) {
        Err(Failure::Start(error)) => Err(because(FailReason::CreatePodSandboxError)(
            ports::explain(&job.docker, &bindings, &error.to_string()),
        )),
        other => Ok(other),
    }
}

/// The sandbox's addresses, IPv4 first; none on the host's network.
pub(super) fn addresses(inspect: &Inspect) -> Vec<String> {
    let networks = inspect.network_settings.networks.values();
    let (four, six): (Vec<_>, Vec<_>) = networks
        .map(|network| {
            (
                network.ip_address.clone(),
                network.global_ipv6_address.clone(),
            )
        })
        .unzip();
    four.into_iter()
        .chain(six)
        .filter(|address| !address.is_empty())
        .take(2)
        .collect()
}

/// Docker has made a resolv.conf by its own rules, which every container of the pod shares; it gets the pod's text. The
/// file is mounted, so it has to stay the same file. Source: cri-dockerd `sandbox_helpers.go` rewriteResolvFile.
fn write_resolv_conf(job: &PodJob, inspect: &Inspect) -> Result<(), Failed> {
    let node = &job.request.node;
    let text = match node.resolv_conf.as_str() {
        "" => Vec::new(),
        path => files::read_bounded(Path::new(path), RESOLVER_BYTES_MAX)
            .map_err(because(FailReason::CreatePodSandboxError))?,
    };
    let resolver = resolv_conf(job.pod()?, node, &String::from_utf8_lossy(&text))
        .map_err(because(FailReason::CreatePodSandboxError))?;
    for text in resolver.remarks {
        say(&Report::Note { text });
    }
    let (Some(text), path) = (resolver.text, inspect.resolv_conf_path.as_str()) else {
        return Ok(());
    };
    if !Path::new(path).exists() {
        // dockerd in another mount namespace, or rootless: Docker's own file has to do.
        let text = format!("resolv.conf is Docker's own: this agent cannot see {path:?}");
        say(&Report::Note { text });
        return Ok(());
    }
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| Error::io(format!("write {path}"), &e))
        .map_err(because(FailReason::CreatePodSandboxError))
}
