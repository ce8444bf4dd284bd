//! One container: its image, its files, its creation, its start.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use k8s_openapi::api::core::v1::Container;

use super::create::Failure;
use super::pod::{Joined, PodJob};
use super::report::{Failed, because, note, say};
use super::{ledger, logs, nonroot, post_start, subpaths};
use crate::decide::ImageChoice;
use crate::docker::wire::Image;
use crate::pod::ContainerName;
use crate::state::{FailReason, LoadedImage, Report};
use crate::sys::files::{self, Durable};
use crate::sys::{Error, Gather, Kind, inside};
use crate::translate::{
    ContainerInput, EnvFile, EnvFiles, ImageFacts, container_body, container_name, env_files,
    hosts_file, paths, seccomp_file, sub_path_plans,
};

/// The node's hosts file and a seccomp profile are read up to here.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A file of variables is read up to here.
const ENV_BYTES_MAX: usize = 1024 * 1024;

/// Which container, and how.
pub(super) struct Wanted<'a> {
    pub(super) container: &'a ContainerName,
    pub(super) attempt: u32,
    pub(super) image: &'a ImageChoice,
    pub(super) sandbox: &'a Joined,
}

/// Creates and starts a container in the sandbox. An image that is not there is reported, and is no failure.
pub(super) fn start(job: &PodJob, wanted: &Wanted<'_>) -> Result<(), Failed> {
    let pod = job.pod()?;
    let container = post_start::spec_of(pod, wanted.container)
        .ok_or("the manifest has no such container")
        .map_err(because(FailReason::JobError))?;
    let Some(image) = find_image(job, container, wanted)? else {
        say(&Report::ImageMissing {
            container: wanted.container.clone(),
        });
        return Ok(());
    };
    remember(job, container, &image);
    nonroot::check(pod, container, &image.config.user)
        .map_err(because(FailReason::CreateContainerConfigError))?;
    let node = &job.request.node;
    let seccomp = read_seccomp(job, container)?;
    let hosts = write_hosts(job, wanted.sandbox)
        .map_err(because(FailReason::CreateContainerConfigError))?;
    let env_files = read_env_files(env_files(pod, container, node));
    let message = make_message_file(job, wanted);
    let input = ContainerInput {
        pod,
        container,
        node,
        docker: &job.request.docker,
        attempt: wanted.attempt,
        sandbox: &wanted.sandbox.id,
        pod_ips: &wanted.sandbox.ips,
        image: ImageFacts {
            id: &image.id,
            user: &image.config.user,
        },
        termination_log: message.as_deref(),
        hosts_file: hosts.as_deref(),
        seccomp: seccomp.as_deref(),
        env_files: &env_files,
        disk_bytes: files::disk_bytes(&node.root_dir),
    };
    let body = container_body(&input).map_err(because(FailReason::CreateContainerConfigError))?;
    bind_parts(&input)?;
    let name = container_name(&pod.key, &pod.uid, wanted.container, wanted.attempt);
    post_start::announce(job, container, wanted.attempt);
    // That its log cannot be linked is no reason not to run.
    let linked = |result: crate::sys::Result<()>| {
        if let Err(error) = result {
            note(error);
        }
    };
    let id = job
        .create_and_start(&name, body, &|id| linked(logs::link_ahead(job, wanted, id)))
        .map_err(|failure| match failure {
            Failure::Create(error) => because(FailReason::CreateContainerError)(error),
            Failure::Start(error) => because(FailReason::RunContainerError)(error),
        })?;
    say(&Report::Started {
        container: wanted.container.clone(),
        id: id.clone(),
        attempt: wanted.attempt,
    });
    linked(logs::link(job, wanted, &id));
    let instance = post_start::Instance {
        container: wanted.container,
        id: &id,
        attempt: wanted.attempt,
        ips: &wanted.sandbox.ips,
    };
    post_start::run(job, &instance)
}

/// Binds the parts of volumes that the container mounts.
fn bind_parts(input: &ContainerInput<'_>) -> Result<(), Failed> {
    let plans = sub_path_plans(input).map_err(because(FailReason::CreateContainerConfigError))?;
    for plan in plans {
        subpaths::bind(&plan).map_err(|error| {
            because(FailReason::CreateContainerConfigError)(format!(
                "failed to prepare subPath for volumeMount {:?} of container {:?}: {error}",
                plan.volume, input.container.name
            ))
        })?;
    }
    Ok(())
}

/// Remembers that a pod of ours has this image: the day may come when that was the last one.
fn remember(job: &PodJob, container: &Container, image: &Image) {
    let named = container.image.as_deref().unwrap_or_default();
    let image = LoadedImage {
        name: super::pull::full_name(named).unwrap_or_else(|_| named.to_owned()),
        id: image.id.clone(),
    };
    if let Err(error) = ledger::note(&job.request.node.root_dir, &image, true) {
        note(format!(
            "image {} will never be removed: {error}",
            image.name
        ));
    }
}

/// The text of the container's seccomp profile, if it has one of this machine.
fn read_seccomp(job: &PodJob, container: &Container) -> Result<Option<String>, Failed> {
    let path = seccomp_file(job.pod()?, container, &job.request.node)
        .map_err(because(FailReason::CreateContainerConfigError))?;
    let text = path.map(|path| read_text(&path)).transpose();
    text.map_err(because(FailReason::CreateContainerConfigError))
}

/// The image to start from; `None` when it has to be pulled first.
fn find_image(
    job: &PodJob,
    container: &Container,
    wanted: &Wanted<'_>,
) -> Result<Option<Image>, Failed> {
    let named = container.image.as_deref().unwrap_or_default();
    let reference = match wanted.image {
        ImageChoice::Id(id) => id.clone(),
        ImageChoice::Local | ImageChoice::Never => super::pull::full_name(named)?,
    };
    match job.docker.inspect_image(&reference) {
        Ok(image) => Ok(Some(image)),
        Err(error) if error.kind() != Kind::Gone => {
            Err(because(FailReason::ImageInspectError)(error))
        }
        Err(_) if *wanted.image == ImageChoice::Never => {
            let text =
                format!("Container image \"{named}\" is not present with pull policy of Never");
            Err(because(FailReason::ErrImageNeverPull)(text))
        }
        Err(_) => Ok(None),
    }
}

/// Writes the pod's hosts file anew: its address may have changed. In place, since running containers have it mounted.
fn write_hosts(job: &PodJob, sandbox: &Joined) -> crate::sys::Result<Option<String>> {
    let Some(pod) = &job.request.pod else {
        return Ok(None);
    };
    let node = &job.request.node;
    let node_hosts = read_text("/etc/hosts").unwrap_or_default();
    let text = hosts_file(pod, node, &sandbox.ips, &node_hosts)
        .map_err(|problem| Error::new("make the hosts file", Kind::Refused, problem))?;
    let Some(text) = text else { return Ok(None) };
    let path = paths::hosts_file(node, &pod.uid);
    if read_text(&path).is_ok_and(|there| there == text) {
        return Ok(Some(path));
    }
    write_in_place(&path, text.as_bytes(), paths::HOSTS_MODE)?;
    Ok(Some(path))
}

fn write_in_place(path: &str, bytes: &[u8], mode: u32) -> crate::sys::Result<()> {
    use std::io::Write;
    if !Path::new(path).exists() {
        return files::replace(Path::new(path), bytes, mode, Durable::No);
    }
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(nix::fcntl::OFlag::O_NOFOLLOW.bits())
        .open(path)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|e| Error::io(format!("write {path}"), &e))
}

/// Reads the files that variables come from. A container has written them: no link leads out of its volume.
fn read_env_files(wanted: Vec<EnvFile>) -> EnvFiles {
    let read = |file: &EnvFile| {
        let bytes = inside::read_below(Path::new(&file.dir), Path::new(&file.path), ENV_BYTES_MAX)
            .map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
    };
    let each = wanted.into_iter().map(|file| {
        let text = read(&file);
        (file, text)
    });
    each.gather()
}

/// The file for the termination message: any user of the container may write it, whatever the umask. That it cannot be
/// made costs the message only (kubelet `kuberuntime_container.go` makeMounts).
fn make_message_file(job: &PodJob, wanted: &Wanted<'_>) -> Option<String> {
    let (node, uid) = (&job.request.node, &job.request.uid);
    let dir = paths::container_dir(node, uid, wanted.container);
    let path = paths::termination_log(node, uid, wanted.container, wanted.attempt);
    let made = files::make_dir(Path::new(&dir), paths::DIR_MODE).and_then(|()| {
        // A file of an attempt that did not come to a start: what is in it does not count.
        let _ = std::fs::remove_file(&path);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|file| file.set_permissions(Permissions::from_mode(0o666)))
            .map_err(|e| Error::io(format!("make {path}"), &e))
    });
    match made {
        Ok(()) => Some(path),
        Err(error) => {
            note(error);
            None
        }
    }
}

fn read_text(path: &str) -> crate::sys::Result<String> {
    let bytes = files::read_bounded(Path::new(path), FILE_BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
