//! What is there: one list call, and an inspect of what changed.
//!
//! IO. A look that finds nothing changed costs one call. Details are kept by container id: they are asked for again when
//! the state in the list is another, or when an event made them stale. A container whose details do not come in time
//! keeps those it had of this state, or gets what the list says, and is asked again later: one that hangs does not hide
//! the others.
//! Relied on by others: what is in [`Observed`] is ours by all of its labels. Deliberately absent: any change. Start
//! reading at [`Observer::look`].

mod detail;
mod facts;
mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use crate::docker::{Docker, wire};
use crate::pod::{PodKey, PodUid};
use crate::state::{
    Container, ContainerId, ContainerState, DockerFacts, Node, Observed, ObservedPod, Sandbox,
    Stranger,
};
use crate::sys::{Error, Gather, InOrder, Kind, Mono, Result, now};
use crate::translate::{Identity, Role, own_label, paths, read_identity};
use detail::Detail;

/// The time that a look may take. Longer: the loop, and with it every restart, waits for a dockerd that hangs.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// The pause before a container whose details did not come is asked for again: doubles from the first to the second, and
/// is so many times as long as dockerd took to say nothing. Longer: what is lost by one slip of dockerd is missed for
/// long. Shorter: a container that hangs costs the loop [`LOOK_MAX`] each time.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);
const AGAIN_SHARE: u32 = 2;

/// Looks at dockerd, and remembers the details of what did not change.
#[derive(Debug)]
pub struct Observer {
    node: Node,
    docker: Docker,
    facts: Option<DockerFacts>,
    known: BTreeMap<ContainerId, Known>,
    images: BTreeMap<String, Names>,
}

/// What is known of one container.
#[derive(Debug)]
struct Known {
    identity: Identity,
    /// The list's word when the details were asked for.
    word: String,
    detail: Option<Detail>,
    stale: bool,
    /// Not to be asked for before: it did not answer, or not in full.
    again: Option<Again>,
}

/// When a container is asked for again.
#[derive(Clone, Copy, Debug)]
struct Again {
    at: Mono,
    wait: Duration,
}

impl Again {
    /// The next one, after a call from `begin` to now that brought nothing.
    fn after(before: Option<Again>, begin: Mono) -> Again {
        let now = now().mono;
        let twice = before.map_or(AGAIN_MIN, |again| again.wait * 2);
        let wait = twice.max(now.since(begin) * AGAIN_SHARE).min(AGAIN_MAX);
        let at = now.after(wait);
        Again { at, wait }
    }

    /// What a dockerd will not say, such as the log of a driver that keeps none, is not asked for for ever.
    fn unless_given_up(self, before: Option<Again>) -> Option<Again> {
        Some(self).filter(|_| before.is_none_or(|again| again.wait < AGAIN_MAX))
    }
}

/// What an image is called in a status.
#[derive(Clone, Debug)]
struct Names {
    image: String,
    image_id: String,
}

impl Observer {
    /// An observer that has seen nothing yet. No IO.
    pub fn new(node: &Node) -> Observer {
        Observer {
            docker: Docker::new(&node.docker_socket, None).only(own_label(&node.root_dir)),
            node: node.clone(),
            facts: None,
            known: BTreeMap::new(),
            images: BTreeMap::new(),
        }
    }

    /// Marks the details of one container (or of all, and of dockerd itself) as stale.
    pub fn stale(&mut self, id: Option<&ContainerId>) {
        match id {
            Some(id) => {
                if let Some(known) = self.known.get_mut(id) {
                    known.stale = true;
                }
            }
            None => {
                self.facts = None;
                self.images.clear();
                for known in self.known.values_mut() {
                    known.stale = true;
                }
            }
        }
    }

    /// When something is to be asked for again that dockerd did not say.
    pub fn due(&self) -> Option<Mono> {
        let again = self.known.values().filter_map(|known| known.again);
        again.map(|again| again.at).min()
    }

    /// Looks. Takes at most 5 s, and once a call that was begun before the end of them. `busy` are the pods that have a
    /// job now: dockerd answers no inspect of a container while it starts it, so that one counts as created until then.
    ///
    /// # Errors
    /// `Unavailable` when dockerd cannot be reached or does not answer in time. What has been learnt until then is kept
    /// for the next look.
    pub fn look(&mut self, busy: &BTreeSet<PodKey>) -> Result<Observed> {
        let until = now().mono.after(LOOK_MAX);
        let facts = match self.facts.clone() {
            Some(facts) => facts,
            None => facts::ask(&self.docker)?,
        };
        self.facts = Some(facts.clone());
        let list = self.docker.list()?;
        let mut observed = Observed {
            docker: facts,
            dirs: pod_dirs(&self.node),
            ..Observed::default()
        };
        let there: BTreeSet<&str> = list.iter().map(|summary| summary.id.as_str()).gather();
        self.known.retain(|id, _| there.contains(id.0.as_str()));
        for summary in &list {
            let id = ContainerId(summary.id.clone());
            if let Err(stranger) = self.meet(&id, summary) {
                observed.strangers.extend(stranger);
                continue;
            }
            let starts =
                |known: &Known| summary.state == "created" && busy.contains(&known.identity.key);
            if !self.known.get(&id).is_some_and(starts) {
                self.ask(&id, summary, until)?;
            }
            if let Some(known) = self.known.get(&id) {
                put(&mut observed, id, known, summary);
            }
        }
        for pod in observed.pods.values_mut() {
            pod.sandboxes.order_by_key(|s| std::cmp::Reverse(s.attempt));
            pod.containers
                .order_by_key(|c| std::cmp::Reverse(c.attempt));
        }
        observed.strangers.order_by(|a, b| a.name.cmp(&b.name));
        Ok(observed)
    }

    /// Reads who a container is, once. The error is a stranger, or nothing for one that is just being removed.
    fn meet(
        &mut self,
        id: &ContainerId,
        summary: &wire::Summary,
    ) -> std::result::Result<(), Option<Stranger>> {
        if self.known.contains_key(id) {
            return Ok(());
        }
        // A container that is being removed has no name any more.
        let name = summary.names.first().ok_or(None)?;
        match read_identity(name, &summary.labels, &self.node) {
            Ok(identity) => {
                let known = Known {
                    identity,
                    word: String::new(),
                    detail: None,
                    stale: true,
                    again: None,
                };
                self.known.insert(id.clone(), known);
                Ok(())
            }
            Err(why) => Err(Some(Stranger {
                id: id.clone(),
                name: name.trim_start_matches('/').to_owned(),
                why,
            })),
        }
    }

    /// Brings the details of a container up to date where they may not be. One that is not to be inspected is there all
    /// the same as long as it is listed: with a word too few a second copy of it would be started.
    fn ask(&mut self, id: &ContainerId, summary: &wire::Summary, until: Mono) -> Result<()> {
        let Some(known) = self.known.get(id) else {
            return Ok(());
        };
        let start = now();
        let waits = known.again.is_some_and(|again| start.mono < again.at);
        if waits || (!known.stale && known.word == summary.state) {
            return Ok(());
        }
        if start.mono >= until {
            let said = format!("no time left after {} s", LOOK_MAX.as_secs());
            return Err(Error::new("look at containers", Kind::Unavailable, said));
        }
        let identity = known.identity.clone();
        let result = self.details(id, &identity);
        let Some(known) = self.known.get_mut(id) else {
            return Ok(());
        };
        match result {
            Ok((detail, missing)) => {
                known.detail = Some(detail);
                known.word.clone_from(&summary.state);
                known.again = missing.and_then(|error| {
                    log::debug!(id:% = id.short(), err:% = error; "container is not known in full");
                    Again::after(known.again, start.mono).unless_given_up(known.again)
                });
                known.stale = known.again.is_some();
            }
            Err(error) => {
                known.again = Some(Again::after(known.again, start.mono));
                known.stale = true;
                // It has just been removed.
                if error.kind() != Kind::Gone {
                    log::warn!(id:% = id.short(), err:% = error; "container cannot be inspected");
                }
            }
        }
        Ok(())
    }

    /// The details, and why some of them are missing that dockerd may still say.
    fn details(
        &mut self,
        id: &ContainerId,
        identity: &Identity,
    ) -> Result<(Detail, Option<Error>)> {
        let inspect = self.docker.inspect(&id.0)?;
        let (names, mut missing) = self.image_names(&inspect);
        let mut detail = Detail::new(&inspect, names);
        if let Role::Container { name, .. } = &identity.role {
            let path = paths::post_start(&self.node, &identity.uid, name, identity.attempt);
            let runs = matches!(detail.state, ContainerState::Running { .. });
            detail.starting = runs && Path::new(&path).exists();
            let read = message::Read {
                docker: &self.docker,
                node: &self.node,
                id,
                identity,
            };
            missing = detail.add_message(|exit| read.message(exit)).or(missing);
        }
        Ok((detail, missing))
    }

    /// The names of a container's image; when nothing is known of the image, what the container was made from. With it
    /// why nothing is known, unless the image is not there any more.
    fn image_names(&mut self, inspect: &wire::Inspect) -> (Names, Option<Error>) {
        if let Some(names) = self.images.get(&inspect.image) {
            return (names.clone(), None);
        }
        let image = self.docker.inspect_image(&inspect.image);
        let is_known = image.is_ok();
        let (image, missing) = match image {
            Ok(image) => (image, None),
            Err(error) if error.kind() == Kind::Gone => (wire::Image::default(), None),
            Err(error) => (wire::Image::default(), Some(error)),
        };
        let first = |list: &[String]| list.first().cloned();
        let names = Names {
            image: first(&image.repo_tags).unwrap_or_else(|| inspect.config.image.clone()),
            image_id: first(&image.repo_digests).map_or_else(
                || format!("docker://{}", inspect.image),
                |digest| format!("docker-pullable://{digest}"),
            ),
        };
        if is_known {
            self.images.insert(inspect.image.clone(), names.clone());
        }
        (names, missing)
    }
}

/// Puts a container where it belongs.
fn put(observed: &mut Observed, id: ContainerId, known: &Known, summary: &wire::Summary) {
    let identity = &known.identity;
    // Details from before the container started or ended are none: it would not be restarted.
    let detail = match &known.detail {
        Some(detail) if known.word == summary.state => detail.clone(),
        Some(_) | None => Detail::from_list(summary),
    };
    let pod = observed.pods.entry(identity.uid.clone());
    let pod = pod.or_insert_with(|| ObservedPod {
        key: identity.key.clone(),
        uid: identity.uid.clone(),
        sandboxes: Vec::new(),
        containers: Vec::new(),
    });
    match &identity.role {
        Role::Sandbox { hash, seen } => pod.sandboxes.push(Sandbox {
            id,
            attempt: identity.attempt,
            state: detail.state,
            hash: hash.clone(),
            seen: *seen,
            ips: detail.ips,
            host_network: detail.host_network,
        }),
        Role::Container {
            name,
            sandbox,
            grace_seconds,
            sidecar,
            pre_stop,
            ..
        } => pod.containers.push(Container {
            id,
            name: name.clone(),
            attempt: identity.attempt,
            sandbox: sandbox.clone(),
            state: detail.state,
            grace_seconds: *grace_seconds,
            sidecar: *sidecar,
            starting: detail.starting,
            pre_stop: *pre_stop,
            image: detail.image,
            image_id: detail.image_id,
        }),
    }
}

/// The pod directories under the root directory. One that cannot be read has none: nothing is cleaned up then.
fn pod_dirs(node: &Node) -> BTreeSet<PodUid> {
    let entries = std::fs::read_dir(Path::new(&paths::pods_dir(node)));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| paths::is_plain_name(name))
        .map(PodUid)
        .gather()
}
