//! Volumes: what has to be on disk before the pod starts, and what each container mounts.
//!
//! A volume that no container mounts is not set up at all, not even checked, as in the kubelet.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, HostPathVolumeSource, PodSpec, Volume, VolumeMount,
};

use super::container::ContainerInput;
use super::downward::{self, PlannedFile};
use super::env::Around;
use super::{amount, hugepages, paths, place_of, pod_spec, resources, subpaths};
use crate::docker::wire;
use crate::pod::{Problem, ValidPod, all_containers};
use crate::state::{DockerFacts, Node};
use crate::sys::Gather;

/// One volume as it has to be before the sandbox is made. Each is safe to carry out again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumePlan {
    /// A directory of the pod's own, made once: nothing is done when `ready` exists (and the tmpfs is mounted).
    EmptyDir {
        /// The volume's name in the manifest, for messages.
        volume: String,
        /// The directory; mode 0777 whatever the umask, owner root. Parents as [`paths::DIR_MODE`].
        path: String,
        /// The marker, an empty directory made last of all.
        ready: String,
        /// What it is made of.
        medium: Medium,
        /// Then the directory and all in it get this group: g+rw, and g+xs on directories; symlinks get the group only.
        fs_group: Option<u32>,
    },
    /// A tmpfs with files that tell of the pod, made like an emptyDir in memory.
    Files {
        /// The volume's name in the manifest, for messages.
        volume: String,
        /// The directory.
        path: String,
        /// The marker, as of an emptyDir.
        ready: String,
        /// The size of the tmpfs.
        tmpfs_bytes: u64,
        /// What is in it.
        files: Vec<PlannedFile>,
        /// Then the directory and all in it get this group, files g+r and directories g+rxs.
        fs_group: Option<u32>,
    },
    /// A path of the machine. Never mounted, chowned or removed; looked at through symlinks.
    HostPath {
        /// The volume's name in the manifest, for messages.
        volume: String,
        /// The path as the manifest has it.
        path: String,
        /// What it has to be.
        kind: HostPathKind,
    },
}

/// What an emptyDir is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The file system that it lies in.
    Disk,
    /// A tmpfs of so many bytes, without swap where the kernel can (6.4).
    Memory(u64),
    /// Huge pages of so many bytes each.
    HugePages(u64),
}

/// What a hostPath has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPathKind {
    /// Anything; made as a directory of mode 0755, with its parents, when nothing is there.
    Any,
    /// A directory; made like that when nothing is there.
    DirectoryOrCreate,
    /// A directory.
    Directory,
    /// A regular file; made with mode 0644, but not its parents, when nothing is there.
    FileOrCreate,
    /// A regular file.
    File,
    /// A Unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

impl HostPathKind {
    /// What the kubelet says when it is something else: `hostPath type check failed: <path> is not <this>`.
    pub fn noun(self) -> &'static str {
        match self {
            HostPathKind::Any => "anything",
            HostPathKind::DirectoryOrCreate | HostPathKind::Directory => "a directory",
            HostPathKind::FileOrCreate | HostPathKind::File => "a file",
            HostPathKind::Socket => "a socket file",
            HostPathKind::CharDevice => "a character device",
            HostPathKind::BlockDevice => "a block device",
        }
    }

    fn read(text: &str) -> Option<HostPathKind> {
        Some(match text {
            "" => HostPathKind::Any,
            "DirectoryOrCreate" => HostPathKind::DirectoryOrCreate,
            "Directory" => HostPathKind::Directory,
            "FileOrCreate" => HostPathKind::FileOrCreate,
            "File" => HostPathKind::File,
            "Socket" => HostPathKind::Socket,
            "CharDevice" => HostPathKind::CharDevice,
            "BlockDevice" => HostPathKind::BlockDevice,
            _ => return None,
        })
    }
}

/// What has to be on disk for the pod's volumes, in the manifest's order.
///
/// # Errors
/// A volume of a kind that is not supported, or with a path that leads out of its place.
pub fn volume_plans(
    pod: &ValidPod,
    node: &Node,
    docker: &DockerFacts,
    disk_bytes: u64,
) -> Result<Vec<VolumePlan>, Problem> {
    let around = Around {
        pod,
        docker,
        disk_bytes,
    };
    let spec = pod_spec(pod)?;
    let mounted: BTreeSet<&str> = all_containers(spec)
        .flat_map(|c| c.volume_mounts.iter().flatten())
        .map(|mount| mount.name.as_str())
        .gather();
    let volumes = spec.volumes.iter().flatten().enumerate();
    volumes
        .filter(|(_, volume)| mounted.contains(volume.name.as_str()))
        .map(|(at, volume)| {
            let place = format!("spec.volumes[{at}]");
            match Kind::of(volume, &place)? {
                Kind::EmptyDir(source) => empty_dir(pod, node, docker, (volume, source, &place)),
                Kind::Files(plugin) => files_plan(&around, node, (volume, plugin, &place)),
                Kind::HostPath(source) => host_path(volume, source, &place),
            }
        })
        .collect()
}

/// The kinds of volume there are so far.
enum Kind<'a> {
    EmptyDir(&'a EmptyDirVolumeSource),
    HostPath(&'a HostPathVolumeSource),
    /// Of the downward API; by the name of the kubelet's plugin.
    Files(&'static str),
}

impl<'a> Kind<'a> {
    fn of(volume: &'a Volume, place: &str) -> Result<Kind<'a>, Problem> {
        match (&volume.empty_dir, &volume.host_path) {
            (Some(source), None) => Ok(Kind::EmptyDir(source)),
            (None, Some(source)) => Ok(Kind::HostPath(source)),
            _ if volume.downward_api.is_some() => Ok(Kind::Files("downward-api")),
            _ if volume.projected.is_some() => Ok(Kind::Files("projected")),
            _ => Err(Problem::new(place, "not supported")
                .hint("volumes here are emptyDir, hostPath, downwardAPI and projected")),
        }
    }
}

fn empty_dir(
    pod: &ValidPod,
    node: &Node,
    docker: &DockerFacts,
    (volume, source, place): (&Volume, &EmptyDirVolumeSource, &str),
) -> Result<VolumePlan, Problem> {
    let spec = pod_spec(pod)?;
    let medium = match source.medium.as_deref().unwrap_or_default() {
        "" => Medium::Disk,
        "Memory" => {
            let size_limit = match &source.size_limit {
                Some(limit) => Some(amount::whole(
                    limit,
                    &format!("{place}.emptyDir.sizeLimit"),
                )?),
                None => None,
            };
            Medium::Memory(tmpfs_bytes(spec, docker, size_limit)?)
        }
        other => Medium::HugePages(hugepages::volume_page_bytes(spec, other, place)?),
    };
    Ok(VolumePlan::EmptyDir {
        volume: volume.name.clone(),
        path: paths::empty_dir(node, &pod.uid, &volume.name),
        ready: paths::empty_dir_ready(node, &pod.uid, &volume.name),
        medium,
        fs_group: fs_group(spec),
    })
}

/// No larger than what the pod may use, and no larger than the machine.
fn tmpfs_bytes(
    spec: &PodSpec,
    docker: &DockerFacts,
    size_limit: Option<u64>,
) -> Result<u64, Problem> {
    let limits = [size_limit, resources::pod_memory_limit(spec)?];
    let limits = limits.into_iter().flatten().filter(|&bytes| bytes > 0);
    Ok(limits.fold(docker.memory_bytes, u64::min))
}

fn fs_group(spec: &PodSpec) -> Option<u32> {
    let group = spec.security_context.as_ref()?.fs_group?;
    u32::try_from(group).ok()
}

fn files_plan(
    around: &Around<'_>,
    node: &Node,
    (volume, plugin, place): (&Volume, &str, &str),
) -> Result<VolumePlan, Problem> {
    let (spec, uid) = (pod_spec(around.pod)?, &around.pod.uid);
    Ok(VolumePlan::Files {
        volume: volume.name.clone(),
        path: paths::volume(node, uid, plugin, &volume.name),
        ready: paths::empty_dir_ready(node, uid, &format!("wrapped_{}", volume.name)),
        tmpfs_bytes: tmpfs_bytes(spec, around.docker, None)?,
        files: downward::files(around, volume, place)?.unwrap_or_default(),
        fs_group: fs_group(spec),
    })
}

fn host_path(
    volume: &Volume,
    source: &HostPathVolumeSource,
    place: &str,
) -> Result<VolumePlan, Problem> {
    let path = &source.path;
    let path_place = || format!("{place}.hostPath.path");
    if !path.starts_with('/') {
        return Err(
            Problem::new(path_place(), format!("{path:?} is not absolute"))
                .hint("Docker mounts absolute paths only"),
        );
    }
    if path.split('/').any(|part| part == "..") {
        return Err(Problem::new(path_place(), "must not contain '..'"));
    }
    let word = source.type_.as_deref().unwrap_or_default();
    let kind = HostPathKind::read(word).ok_or_else(|| {
        Problem::new(
            format!("{place}.hostPath.type"),
            format!("{word:?} is an invalid volume type"),
        )
    })?;
    Ok(VolumePlan::HostPath {
        volume: volume.name.clone(),
        path: path.clone(),
        kind,
    })
}

/// A container's mounts: the manifest's in their order, then the hosts file and the termination-message file.
pub(super) fn mounts(input: &ContainerInput<'_>) -> Result<Vec<wire::Mount>, Problem> {
    let container = input.container;
    let mut mounts = Vec::new();
    let mut own_hosts = false;
    for (at, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let place = format!("{}.volumeMounts[{at}]", place_of(input.pod, container));
        own_hosts |= mount.mount_path.trim_end_matches('/') == HOSTS_PATH;
        mounts.push(mount_of(input, (at, mount), &place)?);
    }
    if let (Some(file), false) = (input.hosts_file, own_hosts) {
        mounts.push(file_mount(file, HOSTS_PATH));
    }
    let message_path = container.termination_message_path.as_deref();
    if let (Some(file), Some(path)) = (
        input.termination_log,
        message_path.filter(|path| !path.is_empty()),
    ) {
        mounts.push(file_mount(file, path));
    }
    Ok(mounts)
}

/// Where a container looks for its hosts file.
const HOSTS_PATH: &str = "/etc/hosts";

fn file_mount(source: &str, target: &str) -> wire::Mount {
    wire::Mount {
        kind: "bind".into(),
        source: source.to_owned(),
        target: target.to_owned(),
        read_only: false,
        bind_options: None,
    }
}

/// The volume of a mount, and of which kind it is.
fn volume_of<'a>(
    input: &ContainerInput<'a>,
    mount: &VolumeMount,
    place: &str,
) -> Result<(&'a Volume, Kind<'a>), Problem> {
    let spec = pod_spec(input.pod)?;
    let volumes = spec.volumes.iter().flatten().enumerate();
    let (at, volume) = volumes
        .into_iter()
        .find(|(_, volume)| volume.name == mount.name)
        .ok_or_else(|| {
            let text = format!(
                "cannot find volume {:?} to mount into container {:?}",
                mount.name, input.container.name
            );
            Problem::new(format!("{place}.name"), text)
        })?;
    Ok((volume, Kind::of(volume, &format!("spec.volumes[{at}]"))?))
}

/// Where the volume of a mount is on the machine.
pub(super) fn source(
    input: &ContainerInput<'_>,
    mount: &VolumeMount,
    place: &str,
) -> Result<String, Problem> {
    let (volume, kind) = volume_of(input, mount, place)?;
    let (node, uid) = (input.node, &input.pod.uid);
    Ok(match kind {
        Kind::EmptyDir(_) => paths::empty_dir(node, uid, &volume.name),
        Kind::Files(plugin) => paths::volume(node, uid, plugin, &volume.name),
        Kind::HostPath(source) => source.path.clone(),
    })
}

/// What becomes of the mounts below a volume that is mounted read-only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    AsTheyAre,
    /// Docker does what it can.
    ReadOnlyIfPossible,
    ReadOnly,
}

impl Below {
    /// Source: kubelet 1.36 `kubelet_pods.go` resolveRecursiveReadOnly.
    fn of(input: &ContainerInput<'_>, mount: &VolumeMount, place: &str) -> Result<Below, Problem> {
        let can = input.docker.recursive_read_only;
        match mount.recursive_read_only.as_deref() {
            Some("Enabled") if can => Ok(Below::ReadOnly),
            Some("Enabled") => {
                let text = format!(
                    "failed to resolve recursive read-only mode: volume {:?} requested recursive read-only mode, but it is not supported by the runtime",
                    mount.name
                );
                let hint =
                    "use IfPossible; or Docker 25 with runc 1.1 on Linux 5.12, or later ones";
                Err(Problem::new(format!("{place}.recursiveReadOnly"), text).hint(hint))
            }
            Some("IfPossible") if can => Ok(Below::ReadOnlyIfPossible),
            Some(_) | None => Ok(Below::AsTheyAre),
        }
    }
}

fn mount_of(
    input: &ContainerInput<'_>,
    (at, mount): (usize, &VolumeMount),
    place: &str,
) -> Result<wire::Mount, Problem> {
    let (_, kind) = volume_of(input, mount, place)?;
    let source = if subpaths::is_part(mount) {
        subpaths::target(input, mount, at)
    } else {
        source(input, mount, place)?
    };
    let propagation = match mount.mount_propagation.as_deref() {
        Some("HostToContainer") => "rslave",
        Some("Bidirectional") => "rshared",
        Some(_) | None => "",
    };
    let read_only = mount.read_only == Some(true) || matches!(kind, Kind::Files(_));
    let below = Below::of(input, mount, place)?;
    let target = &mount.mount_path;
    Ok(wire::Mount {
        kind: "bind".into(),
        source,
        target: if target.starts_with('/') {
            target.clone()
        } else {
            format!("/{target}")
        },
        read_only,
        bind_options: (read_only || !propagation.is_empty()).then(|| wire::BindOptions {
            propagation: propagation.into(),
            // Docker 25 and later would make the mounts below read-only too; older ones do not know the word.
            read_only_non_recursive: read_only && below == Below::AsTheyAre,
            read_only_force_recursive: read_only && below == Below::ReadOnly,
        }),
    })
}
