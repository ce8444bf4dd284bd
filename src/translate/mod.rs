//! What a pod becomes on Docker: the create bodies, the files beside them, and the labels that lead back.
//!
//! Pure. A [`ValidPod`], the node's settings and what dockerd can do go in; [`sandbox_body`] and [`container_body`] give
//! what is sent to dockerd, [`volume_plans`] and [`sub_path_plans`] what has to be on disk before, [`hosts_file`] and [`resolv_conf`] the text
//! of two files. Everything is as kubelet 1.36 with cri-dockerd does it unless a comment says otherwise. Deliberately
//! absent: reading any file (the caller hands in what the node's files say) and any decision on when to do what. A
//! [`Problem`] from here is a `CreateContainerConfigError`. Start reading at `sandbox.rs` and `container.rs`.

mod amount;
mod cgroup;
mod container;
mod dns;
mod downward;
mod env;
mod env_file;
mod expand;
mod hooks;
mod hugepages;
mod labels;
pub mod paths;
mod qos;
mod resources;
mod sandbox;
mod security;
mod subpaths;
mod volumes;

pub use cgroup::{CgroupLimits, cgroup_limits, cgroup_path, cgroup_paths};
pub use container::{ContainerInput, ImageFacts, container_body};
pub use dns::{Resolver, hostname, hosts_file, resolv_conf};
pub use downward::PlannedFile;
pub use env::expand_static;
pub use env_file::{EnvFile, EnvFiles, env_files};
pub use hooks::{PreStop, pre_stop};
pub use hugepages::huge_pages;
pub use labels::{
    Identity, ROOT_LABEL, Role, SANDBOX, container_name, own_label, read_identity, sandbox_name,
};
pub use qos::{Qos, qos};
pub use resources::CPU_PERIOD_US;
pub use sandbox::{SandboxInput, sandbox_body};
pub use security::seccomp_file;
pub use subpaths::{SubPathPlan, sub_path_plans};
pub use volumes::{HostPathKind, Medium, VolumePlan, volume_plans};

use k8s_openapi::api::core::v1::{Container, PodSpec};

use crate::pod::{Problem, ValidPod};

/// Where a container stands in the manifest, for a problem with it.
fn place_of(pod: &ValidPod, container: &Container) -> String {
    let spec = pod.pod.spec.as_ref();
    let find = |list: &[Container]| list.iter().position(|c| c.name == container.name);
    let regular = spec.and_then(|spec| find(&spec.containers));
    let init = spec.and_then(|spec| find(spec.init_containers.as_deref()?));
    match (regular, init) {
        (Some(at), _) => format!("spec.containers[{at}]"),
        (None, Some(at)) => format!("spec.initContainers[{at}]"),
        (None, None) => format!("spec.containers[{}]", container.name),
    }
}

/// The spec, which every valid pod has.
fn pod_spec(pod: &ValidPod) -> Result<&PodSpec, Problem> {
    let spec = pod.pod.spec.as_ref();
    spec.ok_or_else(|| Problem::new("spec", "Required value"))
}
