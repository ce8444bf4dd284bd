//! Which agent a command is about: its directories, its dockerd, and what it published.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

use super::status::reason_text;
use super::{Fault, docker_host};
use crate::agent;
use crate::cli::{PlaceFlags, RunFlags};
use crate::config::{self, Settings};
use crate::docker::Docker;
use crate::pod::PodKey;
use crate::publish::{self, PodExtra, Published};
use crate::sys;
use crate::translate::own_label;

/// One agent, whether it runs or not.
pub(super) struct Place {
    /// What it was told, as far as a command needs it.
    pub(super) settings: Settings,
    /// What it published last; `None` when nothing can be read of that.
    pub(super) published: Option<Published>,
    /// Its dockerd, of which only its own containers are seen.
    pub(super) docker: Docker,
}

impl Place {
    /// Flags come first, then what the agent published, then the defaults.
    ///
    /// # Errors
    /// A value that is wrong.
    pub(super) fn find(flags: &PlaceFlags) -> Result<Place, Fault> {
        let published = publish::read(&publish::path(&flags.run_dir)).ok();
        let is_meant = |file: &Published| {
            let root = flags.root_dir.as_ref();
            root.is_none_or(|root| *root == file.staticlet.root_dir)
        };
        let published = published.filter(is_meant);
        let told = published.as_ref().map(|file| &file.staticlet);
        let mut values = BTreeMap::new();
        values.insert("run-dir".to_owned(), flags.run_dir.clone());
        for (name, flag, told) in [
            ("root-dir", &flags.root_dir, told.map(|told| &told.root_dir)),
            (
                "container-runtime-endpoint",
                &flags.docker,
                told.map(|told| &told.docker_socket),
            ),
            (
                "hostname-override",
                &flags.node_name,
                told.map(|told| &told.node),
            ),
        ] {
            let value = flag.as_ref().or(told).filter(|value| !value.is_empty());
            if let Some(value) = value {
                values.insert(name.to_owned(), value.clone());
            }
        }
        let run = RunFlags {
            values,
            ..RunFlags::default()
        };
        let mut settings =
            config::settings(&run, docker_host().as_deref()).map_err(Fault::Misuse)?;
        if let Some(dir) = told.map(|told| &told.pod_logs_dir)
            && !dir.is_empty()
        {
            settings.node.pod_logs_dir.clone_from(dir);
        }
        let node = &settings.node;
        Ok(Place {
            docker: Docker::new(&node.docker_socket, None).only(own_label(&node.root_dir)),
            settings,
            published,
        })
    }

    /// The process of the agent, while it runs.
    pub(super) fn agent(&self) -> Option<String> {
        agent::holder(&self.settings.node.root_dir)
    }

    /// What was published of a pod.
    pub(super) fn pod(&self, key: &PodKey) -> Option<&Pod> {
        self.pods().find(|pod| key.is_of(pod))
    }

    /// What was published of all pods.
    pub(super) fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.published.iter().flat_map(|file| &file.items)
    }

    /// What was published of a pod that a PodList has no place for.
    pub(super) fn extra(&self, key: &PodKey) -> Option<&PodExtra> {
        let file = self.published.as_ref()?;
        file.staticlet.pods.get(&key.to_string())
    }

    /// Why a pod, or one of its containers, does not run, as far as that was published; empty when nothing was.
    pub(super) fn reasons(&self, key: &PodKey, container: Option<&str>) -> String {
        let reasons = self.extra(key).into_iter().flat_map(|known| &known.reasons);
        let is_about = |of: &Option<String>| match (of, container) {
            (Some(of), Some(container)) => of == container,
            (None, _) | (_, None) => true,
        };
        let about = reasons.filter(|reason| is_about(&reason.container));
        let now = sys::now();
        let texts: Vec<String> = about.map(|reason| reason_text(reason, now)).collect();
        texts.join("; ")
    }
}
