//! Parts of volumes: `subPath` and `subPathExpr` of a mount.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::VolumeMount;

use super::container::ContainerInput;
use super::env::Environment;
use super::{paths, place_of, volumes};
use crate::pod::{ContainerName, Problem};

/// A part of a volume that a container mounts. It is bound to a place of its own before the container is made, since
/// neither dockerd nor this program may follow a path that containers can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubPathPlan {
    /// The volume's name in the manifest, for messages.
    pub volume: String,
    /// The volume on the machine.
    pub root: String,
    /// The path below it, without `..`; made as directories where it is missing.
    pub path: String,
    /// Where it is bound, and what dockerd is given.
    pub target: String,
}

/// The parts of volumes that a container mounts, in the manifest's order.
///
/// # Errors
/// A variable without a value, or a path that leads out of its volume.
pub fn sub_path_plans(input: &ContainerInput<'_>) -> Result<Vec<SubPathPlan>, Problem> {
    let mut plans = Vec::new();
    let mounts = || input.container.volume_mounts.iter().flatten();
    // Most containers need no variables here.
    let expressions = || mounts().filter_map(|mount| mount.sub_path_expr.as_deref());
    let mut env = match expressions().any(|expression| !expression.is_empty()) {
        true => Some(Environment::of(input)?),
        false => None,
    };
    for (at, mount) in mounts().enumerate() {
        let place = format!(
            "{}.volumeMounts[{at}]",
            place_of(input.pod, input.container)
        );
        let expression = mount.sub_path_expr.as_deref().unwrap_or_default();
        let path = match &mut env {
            Some(env) if !expression.is_empty() => {
                expanded(env, expression, &format!("{place}.subPathExpr"))?
            }
            Some(_) | None => mount.sub_path.clone().unwrap_or_default(),
        };
        if path.is_empty() {
            continue;
        }
        check(&path, &place)?;
        plans.push(SubPathPlan {
            volume: mount.name.clone(),
            root: volumes::source(input, mount, &place)?,
            path,
            target: target(input, mount, at),
        });
    }
    Ok(plans)
}

/// Whether a part of the volume is mounted, not all of it.
pub(super) fn is_part(mount: &VolumeMount) -> bool {
    let given = [&mount.sub_path, &mount.sub_path_expr];
    given.into_iter().flatten().any(|path| !path.is_empty())
}

/// Where a part is bound.
pub(super) fn target(input: &ContainerInput<'_>, mount: &VolumeMount, at: usize) -> String {
    let container = ContainerName(input.container.name.clone());
    paths::sub_path(input.node, &input.pod.uid, (&mount.name, &container), at)
}

/// Unlike in commands a variable without a value is a fault: the path would be another one.
///
/// Source: kubelet 1.36 `pkg/kubelet/container/helpers.go` ExpandContainerVolumeMounts.
fn expanded(env: &mut Environment, expression: &str, place: &str) -> Result<String, Problem> {
    let mut missing = BTreeSet::new();
    let path = env.expand_all(expression, place, &mut missing)?;
    if missing.is_empty() {
        return Ok(path);
    }
    let names: Vec<String> = missing.into_iter().collect();
    let text = format!("missing value for {}", names.join(", "));
    Err(Problem::new(place, text).hint("give it a value in env of the container"))
}

/// What `check` says of a path as written holds also for one that came of variables.
fn check(path: &str, place: &str) -> Result<(), Problem> {
    if path.starts_with('/') {
        let text = format!("error SubPath `{path}` must not be an absolute path");
        return Err(Problem::new(place, text));
    }
    if path.split('/').any(|part| part == "..") {
        let text = format!("unable to provision SubPath `{path}`: must not contain '..'");
        return Err(Problem::new(place, text));
    }
    Ok(())
}
