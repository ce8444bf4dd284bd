//! A container's environment.
//!
//! There are no service variables (`FOO_SERVICE_HOST`): without a cluster there are no services.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector,
};

use super::amount::{UNIT, milli};
use super::container::ContainerInput;
use super::env_file::from_file;
use super::expand::Room;
use super::{place_of, pod_spec, resources};
use crate::pod::{HUGEPAGES, Problem, ValidPod, container_of, div_ceil};
use crate::state::DockerFacts;

/// The words of a probe's command with their `$(VAR)` replaced: by the values that stand in the manifest, as they stand
/// there.
///
/// # Errors
/// They come to more bytes than a program can be started with.
pub fn expand_static(container: &Container, words: &[String]) -> Result<Vec<String>, Problem> {
    let mut room = Room::default();
    let expand = |word: &String| {
        room.expand(word, "exec.command", |name| {
            let mut vars = container.env.iter().flatten().rev();
            let found = vars.find(|var| var.name == name && var.value_from.is_none());
            found.map(|var| var.value.as_deref().unwrap_or_default())
        })
    };
    words.iter().map(expand).collect()
}

/// The variables of a container.
#[derive(Default)]
pub(super) struct Environment {
    vars: Vars,
    room: Room,
}

/// In the order in which they were first named.
#[derive(Default)]
struct Vars {
    list: Vec<(String, String)>,
    places: BTreeMap<String, usize>,
}

impl Vars {
    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.list.get(*self.places.get(name)?)?;
        Some(value)
    }

    /// A name given twice keeps its first place and takes its last value.
    fn set(&mut self, name: &str, value: String) {
        let at = self.places.get(name).copied();
        match at.and_then(|at| self.list.get_mut(at)) {
            Some((_, old)) => *old = value,
            None => {
                self.places.insert(name.to_owned(), self.list.len());
                self.list.push((name.to_owned(), value));
            }
        }
    }
}

impl Environment {
    /// Resolves and expands every entry. An entry sees those before it.
    pub(super) fn of(input: &ContainerInput<'_>) -> Result<Environment, Problem> {
        let mut env = Environment::default();
        for (at, var) in input.container.env.iter().flatten().enumerate() {
            let place = format!("{}.env[{at}]", place_of(input.pod, input.container));
            if let Some(value) = env.value(input, var, &place)? {
                env.vars.set(&var.name, value);
            }
        }
        Ok(env)
    }

    /// The value of an entry; `None` where there is no such variable after all.
    fn value(
        &mut self,
        input: &ContainerInput<'_>,
        var: &EnvVar,
        place: &str,
    ) -> Result<Option<String>, Problem> {
        let literal = var.value.as_deref().unwrap_or_default();
        let Some(source) = var.value_from.as_ref().filter(|_| literal.is_empty()) else {
            return self.expand(literal, &format!("{place}.value")).map(Some);
        };
        let place = format!("{place}.valueFrom");
        let value = from_source(input, source, &place)?;
        self.room
            .take(value.as_ref().map_or(0, String::len), &place)?;
        Ok(value)
    }

    /// A text with its `$(VAR)` replaced, and the names of those that are not known or empty.
    pub(super) fn expand_all(
        &mut self,
        text: &str,
        place: &str,
        missing: &mut BTreeSet<String>,
    ) -> Result<String, Problem> {
        let vars = &self.vars;
        self.room.expand(text, place, |name| {
            let value = vars.get(name).unwrap_or_default();
            if value.is_empty() {
                missing.insert(name.to_owned());
            }
            Some(value)
        })
    }

    /// A text with its `$(VAR)` replaced.
    pub(super) fn expand(&mut self, text: &str, place: &str) -> Result<String, Problem> {
        let vars = &self.vars;
        self.room.expand(text, place, |name| vars.get(name))
    }

    /// As Docker wants it.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(name, value): &(String, String)| format!("{name}={value}");
        self.vars.list.iter().map(line).collect()
    }
}

fn from_source(
    input: &ContainerInput<'_>,
    source: &EnvVarSource,
    place: &str,
) -> Result<Option<String>, Problem> {
    if let Some(field) = &source.field_ref {
        return from_field(input, field, &format!("{place}.fieldRef.fieldPath")).map(Some);
    }
    if let Some(key) = &source.file_key_ref {
        let place = format!("{place}.fileKeyRef");
        return from_file((input.pod, input.node), input.env_files, key, &place);
    }
    if let Some(resource) = &source.resource_field_ref {
        let place = format!("{place}.resourceFieldRef");
        let around = Around {
            pod: input.pod,
            docker: input.docker,
            disk_bytes: input.disk_bytes,
        };
        return from_resource(&around, input.container, resource, &place).map(Some);
    }
    Err(Problem::new(place, "not supported yet")
        .hint("use fieldRef, resourceFieldRef or fileKeyRef"))
}

fn from_field(
    input: &ContainerInput<'_>,
    field: &ObjectFieldSelector,
    place: &str,
) -> Result<String, Problem> {
    let meta = &input.pod.pod.metadata;
    let spec = pod_spec(input.pod)?;
    let subscript = |map: &str| {
        let key = field.field_path.strip_prefix(map)?;
        key.strip_prefix("['")?.strip_suffix("']")
    };
    let entry = |map: &Option<BTreeMap<String, String>>, key: &str| {
        let value = map.as_ref().and_then(|map| map.get(key));
        value.cloned().unwrap_or_default()
    };
    if let Some(key) = subscript("metadata.labels") {
        return Ok(entry(&meta.labels, key));
    }
    if let Some(key) = subscript("metadata.annotations") {
        return Ok(entry(&meta.annotations, key));
    }
    let ips = || match (spec.host_network, input.pod_ips) {
        (Some(true), _) => vec![input.node.ip.clone()],
        (_, ips) => ips.to_vec(),
    };
    Ok(match field.field_path.as_str() {
        "metadata.name" => input.pod.key.name.clone(),
        "metadata.namespace" => input.pod.key.namespace.clone(),
        "metadata.uid" => input.pod.uid.0.clone(),
        "spec.nodeName" | "spec.host" => input.node.name.clone(),
        "spec.serviceAccountName" => spec.service_account_name.clone().unwrap_or_default(),
        "status.hostIP" | "status.hostIPs" => input.node.ip.clone(),
        "status.podIP" => ips().into_iter().next().unwrap_or_default(),
        "status.podIPs" => ips().join(","),
        other => {
            return Err(Problem::new(
                place,
                format!("{other:?} is not a field there is"),
            ));
        }
    })
}

/// What an amount may depend on besides its container.
pub(super) struct Around<'a> {
    pub(super) pod: &'a ValidPod,
    pub(super) docker: &'a DockerFacts,
    /// The size of the file system of the root directory.
    pub(super) disk_bytes: u64,
}

/// An amount of a container, or of the one that the field names.
///
/// Source: Kubernetes 1.36 `pkg/api/v1/resource/helpers.go`.
pub(super) fn from_resource<'a>(
    input: &Around<'a>,
    own: &'a Container,
    field: &ResourceFieldSelector,
    place: &str,
) -> Result<String, Problem> {
    let spec = pod_spec(input.pod)?;
    let container = match field.container_name.as_deref().unwrap_or_default() {
        "" => own,
        name => container_of(spec, name).ok_or_else(|| {
            Problem::new(
                format!("{place}.containerName"),
                format!("no container {name:?}"),
            )
        })?,
    };
    let unknown = || {
        Problem::new(
            format!("{place}.resource"),
            format!("{:?} is not supported", field.resource),
        )
    };
    let (kind, resource) = field.resource.split_once('.').ok_or_else(unknown)?;
    let is_huge = resource.starts_with(HUGEPAGES);
    if !is_huge && !matches!(resource, "cpu" | "memory" | "ephemeral-storage") {
        return Err(unknown());
    }
    let (quantity, is_limit) = match kind {
        // A container has no huge pages but its own.
        "limits" if is_huge => (resources::limit(container, resource), true),
        "limits" => (resources::effective_limit(spec, container, resource), true),
        "requests" => (resources::request(container, resource), false),
        _ => return Err(unknown()),
    };
    let mut amount = match quantity {
        Some(quantity) => milli(quantity, place)?,
        None => 0,
    };
    if amount == 0 && is_limit && !is_huge {
        // What the node has in all; nothing of it is kept back for eviction, which there is none of.
        let units = match resource {
            "cpu" => u64::from(input.docker.cpus),
            "memory" => input.docker.memory_bytes,
            _ => input.disk_bytes,
        };
        amount = i128::from(units) * UNIT;
    }
    let divisor = match field.divisor.as_ref().filter(|d| !d.0.is_empty()) {
        Some(divisor) => milli(divisor, &format!("{place}.divisor"))?,
        None => 0,
    };
    let divisor = if divisor > 0 { divisor } else { UNIT };
    let unit = if resource == "cpu" { 1 } else { UNIT };
    let units = div_ceil(div_ceil(amount, unit), div_ceil(divisor, unit).max(1));
    Ok(units.to_string())
}
