//! From what a person types to a pod and its containers.

use std::collections::BTreeSet;

use super::place::{Place, key_of};
use crate::pod::PodKey;
use crate::state::ContainerId;
use crate::sys::{self, nearest};
use crate::translate::{Role, read_identity};

/// A pod is called wrong in a message that lists at most so many others.
const LISTED_MAX: usize = 20;

/// A container that is there, running or not; a sandbox is none.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: ContainerId,
    pub(super) key: PodKey,
    pub(super) name: String,
    /// dockerd's word for what it does.
    pub(super) state: String,
    /// The younger is the greater.
    age: (i64, u32),
}

/// The containers of this agent, the newest first.
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
        if let Role::Container { name, .. } = identity.role {
            list.push(Instance {
                id: ContainerId(summary.id),
                key: identity.key,
                name: name.0,
                state: summary.state,
                age: (summary.created, identity.attempt),
            });
        }
    }
    list.sort_by_key(|one| std::cmp::Reverse(one.age));
    Ok(list)
}

/// The pod that is meant, of those that were published and those that have containers.
///
/// # Errors
/// Why it is none of them, or which ones it may be.
pub(super) fn pod(typed: &str, place: &Place, list: &[Instance]) -> Result<PodKey, String> {
    let there = list.iter().map(|one| one.key.clone());
    let keys: BTreeSet<PodKey> = place.pods().filter_map(key_of).chain(there).collect();
    let node = &place.settings.node;
    resolve(typed, &keys, &node.name).map_err(|said| match place.published {
        Some(_) => said,
        None => format!(
            "{said} (nothing can be read in --run-dir={}, so --root-dir={} and --hostname-override={} are taken)",
            node.run_dir, node.root_dir, node.name
        ),
    })
}

/// `name` or `namespace/name`, with or without the node's name at its end. The name as a whole comes first.
pub(super) fn resolve(typed: &str, keys: &BTreeSet<PodKey>, node: &str) -> Result<PodKey, String> {
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
        [only] => Ok((*only).clone()),
        [] => Err(format!("there is no pod {typed}{}", others(typed, keys))),
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
        let found = |typed| resolve(typed, &keys, "n").map(|key| key.to_string());
        for (typed, wanted) in [
            ("web", "default/web-n"),
            ("default/web", "default/web-n"),
            // The whole name, and not the one that it would be the beginning of.
            ("web-n", "default/web-n"),
            ("web-n-n", "default/web-n-n"),
            ("kube-system/db", "kube-system/db-n"),
        ] {
            assert_eq!(found(typed).as_deref(), Ok(wanted), "{typed}");
        }
        for (typed, said) in [
            (
                "db",
                "db may be default/db-n or kube-system/db-n: say which",
            ),
            ("wep-n", "there is no pod wep-n; did you mean web-n?"),
            (
                "other/web",
                "there is no pod other/web; there are default/db-n, default/web-n, default/web-n-n, kube-system/db-n",
            ),
        ] {
            assert_eq!(found(typed), Err(said.to_owned()), "{typed}");
        }
        assert_eq!(
            resolve("a", &BTreeSet::new(), "n"),
            Err("there is no pod a, nor any other".to_owned())
        );
    }
}
