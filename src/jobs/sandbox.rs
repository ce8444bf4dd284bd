//! The sandbox: a pause container that holds the pod's namespaces.

use super::create::Failure;
use super::pod::{Joined, PodJob};
use super::report::{Failed, because};
use super::{pause_image, ports, resolver};
use crate::docker::wire::Inspect;
use crate::state::{ContainerId, FailReason};
use crate::sys::{self, Kind};
use crate::translate::{SandboxInput, sandbox_body, sandbox_name};

/// Makes and starts the sandbox, and writes its resolv.conf.
pub(super) fn make(job: &PodJob, attempt: u32) -> Result<Joined, Failed> {
    // Before there is a sandbox: one that runs is taken for good by the next look.
    let resolver = resolver::text(job)?;
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
    resolver::write(&inspect.resolv_conf_path, resolver.as_deref())?;
    Ok(Joined {
        id,
        ips: addresses(&inspect),
        log: inspect.log_path,
        fresh: None,
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
    match job.create_and_start(&name, body, &|_| ()) {
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
