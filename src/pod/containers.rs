//! The containers of a pod, of both kinds.

use k8s_openapi::api::core::v1::{Container, PodSpec};

/// All of them: first those that run side by side, then the init containers. Their names differ.
pub fn all_containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let init = spec.init_containers.iter().flatten();
    spec.containers.iter().chain(init)
}

/// Whether an init container runs on beside the others, and is started again whenever it ends.
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// The one of this name.
pub fn container_of<'a>(spec: &'a PodSpec, name: &str) -> Option<&'a Container> {
    all_containers(spec).find(|container| container.name == name)
}
