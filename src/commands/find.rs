//! From what a person types to a pod and its containers.

use std::collections::BTreeSet;

use super::place::Place;
use crate::pod::PodKey;
use crate::state::ContainerId;
use crate::sys::{self, Gather, InOrder, nearest};
use crate::translate::{Role, SANDBOX, read_identity};

/// A pod is called wrong in a message that lists at most so many others.
const LISTED_MAX: usize = 20;

/// A container that is there, running or not.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: ContainerId,
    pub(super) key: PodKey,
    /// Its name in the pod; that of a sandbox is `POD`.
    pub(super) name: String,
    /// Its restart count.
    pub(super) attempt: u32,
    /// dockerd's word for what it does.
    pub(super) state: String,
    /// Seconds since 1970.
    created: i64,
}

/// The containers of this agent, sandboxes among them, the newest first.
///
/// # Errors
/// dockerd cannot be asked.
pub(super) fn instances(place: &Place) -> sys::Result<Vec<Instance>> {
    let mut list = Vec::new();
    for summary in place.docker.list()? {
        let Some(name) = summary.names.first() else {
            continue;
        };
        // What is not ours by all of its labels is not ours.
        let Ok(identity) = read_identity(name, &summary.labels, &place.settings.node) else {
            continue;
        };
        let name = match identity.role {
            Role::Container { name, .. } => name.0,
            Role::Sandbox { .. } => SANDBOX.to_owned(),
        };
        list.push(Instance {
            id: ContainerId(summary.id),
            key: identity.key,
            name,
            state: summary.state,
            attempt: identity.attempt,
            created: summary.created,
        });
    }
    list.order_by_key(|one| std::cmp::Reverse((one.created, one.attempt)));
    Ok(list)
}

/// The pod that is meant, of those that were published and those that have containers.
///
/// # Errors
/// Why it is none of them, or which ones it may be.
pub(super) fn pod(typed: &str, place: &Place, list: &[Instance]) -> Result<PodKey, String> {
    let keys = keys(place, list);
    let node = &place.settings.node;
    if let Some(key) = resolve(typed, &keys, &node.name)? {
        return Ok(key);
    }
    let said = format!("there is no pod {typed}{}", others(typed, &keys));
    Err(match place.published {
        Some(_) => said,
        None => format!(
            "{said} (nothing can be read in --run-dir={}, so --root-dir={} and --hostname-override={} are taken)",
            node.run_dir, node.root_dir, node.name
        ),
    })
}

/// Every pod that was published or has containers.
pub(super) fn keys(place: &Place, list: &[Instance]) -> BTreeSet<PodKey> {
    let there = list.iter().map(|one| one.key.clone());
    place.pods().filter_map(PodKey::of).chain(there).gather()
}

/// `name` or `namespace/name`, with or without the node's name at its end. The name as a whole comes first. `None`: it is
/// none of them.
///
/// # Errors
/// It may be several.
pub(super) fn resolve(
    typed: &str,
    keys: &BTreeSet<PodKey>,
    node: &str,
) -> Result<Option<PodKey>, String> {
    let (namespace, name) = match typed.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, typed),
    };
    let named = |name: &str| -> Vec<&PodKey> {
        let of = |key: &&PodKey| key.name == name && namespace.is_none_or(|n| n == key.namespace);
        keys.iter().filter(of).collect()
    };
    let mut found = named(name);
    if found.is_empty() {
        found = named(&format!("{name}-{node}"));
    }
    match found.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).clone())),
        several => {
            let list: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!("{typed} may be {}: say which", list.join(" or ")))
        }
    }
}

/// What else there is.
fn others(typed: &str, keys: &BTreeSet<PodKey>) -> String {
    if keys.is_empty() {
        return ", nor any other".to_owned();
    }
    let all: Vec<String> = keys.iter().map(ToString::to_string).collect();
    let names = || keys.iter().map(|key| key.name.as_str());
    let near = nearest(typed, all.iter().map(String::as_str)).or_else(|| nearest(typed, names()));
    if let Some(near) = near {
        return format!("; did you mean {near}?");
    }
    let rest = all.len().saturating_sub(LISTED_MAX);
    let shown = all.iter().take(LISTED_MAX).map(String::as_str);
    let mut text = format!("; there are {}", shown.collect::<Vec<_>>().join(", "));
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_called_in_several_ways() {
        let key = |text: &str| {
            let (namespace, name) = text.split_once('/').unwrap();
            PodKey {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }
        };
        let all = [
            "default/web-n",
            "default/web-n-n",
            "default/db-n",
            "kube-system/db-n",
        ];
        let keys: BTreeSet<PodKey> = all.into_iter().map(key).collect();
        let found = |typed| resolve(typed, &keys, "n").map(|key| key.map(|key| key.to_string()));
        for (typed, wanted) in [
            ("web", Some("default/web-n")),
            ("default/web", Some("default/web-n")),
            // The whole name, and not the one that it would be the beginning of.
            ("web-n", Some("default/web-n")),
            ("web-n-n", Some("default/web-n-n")),
            ("kube-system/db", Some("kube-system/db-n")),
            ("other/web", None),
            ("we", None),
        ] {
            assert_eq!(found(typed), Ok(wanted.map(str::to_owned)), "{typed}");
        }
        let said = "db may be default/db-n or kube-system/db-n: say which";
        assert_eq!(found("db"), Err(said.to_owned()));
        assert_eq!(others("wep-n", &keys), "; did you mean web-n?");
        let all = "; there are default/db-n, default/web-n, default/web-n-n, kube-system/db-n";
        assert_eq!(others("x/web", &keys), all);
        assert_eq!(others("a", &BTreeSet::new()), ", nor any other");
    }
}
