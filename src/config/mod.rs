//! Flags, the `--config` file and the drop-ins of `--config-dir` become checked [`Settings`].
//!
//! IO: reads the configuration files, the host's name and its addresses, at the start and at SIGHUP. Flags win over
//! drop-ins, drop-ins over the file, the file over the defaults, as in the kubelet. All problems are reported together,
//! one line each. What there is to set stands in `table`, and what a change of it needs. Deliberately absent: what a change
//! does (see `agent`). Start reading at [`settings`].

mod api;
mod doors;
mod dropins;
mod effective;
mod fields;
mod file;
mod given;
mod host;
mod images;
mod table;
mod url;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::RunFlags;
use crate::decide::ReclaimLimits;
use crate::serve::Door;
use crate::sources::{SourceSettings, UrlSettings};
use crate::state::Node;
pub use api::ApiSettings;
use dropins::Files;
pub use effective::{Effective, Whence};
use given::Given;

/// Everything the agent is told, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What pods can tell of this node.
    pub node: Node,
    /// The directory of manifests, or one manifest file; `None` when none was given.
    pub manifest_path: Option<PathBuf>,
    /// The directory of image archives; `None` when none was given.
    pub image_preload_dir: Option<PathBuf>,
    /// When images are removed.
    pub reclaim: ReclaimLimits,
    /// The manifest URL; `None` when none was given.
    pub manifest_url: Option<UrlSettings>,
    /// The ports that are listened on.
    pub doors: Vec<Door>,
    /// The API server; `None` when no kubeconfig was given.
    pub api: Option<ApiSettings>,
    /// How often the directory is read without a doorbell, and dockerd is looked at.
    pub file_check: Duration,
    /// Unknown fields of a manifest are a remark, not a refusal.
    pub allow_unknown_fields: bool,
    /// Manifests are followed whoever could write them.
    pub allow_untrusted_manifests: bool,
    /// The klog level, 0 to 10.
    pub verbosity: u8,
    /// What to say once when the log is set up.
    pub warnings: Vec<String>,
    /// Every setting, and where it was said.
    pub effective: Vec<Effective>,
}

impl Settings {
    /// What the sources of manifests have to know.
    pub fn sources(&self) -> SourceSettings {
        SourceSettings {
            path: self.manifest_path.clone(),
            url: self.manifest_url.clone(),
            node_name: self.node.name.clone(),
            file_check: self.file_check,
            allow_unknown_fields: self.allow_unknown_fields,
            allow_untrusted: self.allow_untrusted_manifests,
            kept: Some(Path::new(&self.node.root_dir).join("manifests")),
        }
    }

    /// What is set otherwise in `other`: each setting as it is here and there.
    pub fn differences<'a>(
        &'a self,
        other: &'a Settings,
    ) -> impl Iterator<Item = (&'a Effective, &'a Effective)> {
        let pairs = self.effective.iter().zip(&other.effective);
        pairs.filter(|(old, new)| old.differs(new))
    }

    /// What holds when `then` is read while an agent runs with these settings: what needs a restart stays as it is.
    #[must_use]
    pub fn reloaded(&self, then: Settings) -> Settings {
        let Node {
            name,
            root_dir,
            run_dir,
            pod_logs_dir,
            docker_socket,
            ..
        } = self.node.clone();
        let pairs = self.effective.iter().zip(then.effective);
        let effective = pairs.map(|(old, new)| match old.needs_restart() {
            true => old.clone(),
            false => new,
        });
        Settings {
            node: Node {
                name,
                root_dir,
                run_dir,
                pod_logs_dir,
                docker_socket,
                ..then.node
            },
            api: self.api.clone(),
            effective: effective.collect(),
            ..then
        }
    }
}

/// Checks the flags and the files they name.
///
/// # Errors
/// Everything that is wrong, one line each, with what to do.
pub fn settings(flags: &RunFlags, docker_host: Option<&str>) -> Result<Settings, Vec<String>> {
    let named = |flag: &str| {
        let path = flags.values.get(flag).map(String::as_str);
        path.filter(|path| !path.is_empty())
    };
    let files = Files::read(named("config"), named("config-dir"));
    let mut given = Given::new(flags, files);
    for flag in ["config", "config-dir"] {
        given.path(flag);
    }
    let node = given.node(docker_host);
    let manifest_path = given.path("pod-manifest-path");
    let image_preload_dir = given.path("image-preload-dir");
    let reclaim = given.reclaim();
    let manifest_url = given.manifest_url();
    let doors = given.doors();
    let api = given.api();
    let file_check = given.frequency("file-check-frequency");
    let allow_unknown_fields = given.checked("allow-unknown-fields", values::switch);
    let allow_untrusted_manifests = given.checked("allow-untrusted-manifests", values::switch);
    let verbosity = given.checked("v", values::level);
    let (effective, said, problems) = given.end();
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut warnings = flags.warnings.clone();
    warnings.extend(said);
    Ok(Settings {
        node,
        manifest_path,
        image_preload_dir,
        reclaim,
        manifest_url,
        doors,
        api,
        file_check,
        allow_unknown_fields,
        allow_untrusted_manifests,
        verbosity,
        warnings,
        effective,
    })
}

impl Given<'_> {
    fn node(&mut self, docker_host: Option<&str>) -> Node {
        Node {
            name: self.node_name(),
            ip: self.node_ip(),
            root_dir: self.checked("root-dir", values::clean_path),
            run_dir: self.checked("run-dir", values::clean_path),
            pod_logs_dir: self.look("podLogsDir").text,
            docker_socket: self.docker_socket(docker_host),
            pause_image: self.text("pod-infra-container-image"),
            cluster_dns: self.checked("cluster-dns", values::ips),
            cluster_domain: self.look("cluster-domain").text,
            resolv_conf: self.look("resolv-conf").text,
            log_bytes_max: self.checked("container-log-max-size", values::bytes),
            pod_pids_max: self.checked("pod-max-pids", values::pids),
            log_files_max: self.checked("container-log-max-files", values::log_files),
            crash_wait_max_seconds: self.checked(
                "crashLoopBackOff.maxContainerRestartPeriod",
                values::crash_wait_seconds,
            ),
        }
    }

    fn node_name(&mut self) -> String {
        let given = self.text("hostname-override");
        match node_name(given.as_deref()) {
            Ok(name) => {
                let whence = given.is_none().then_some(Whence::Machine("host name"));
                self.shows("hostname-override", &name, whence);
                name
            }
            Err(problem) => {
                self.problems.push(problem);
                String::new()
            }
        }
    }

    fn node_ip(&mut self) -> String {
        let ip = self.checked("node-ip", values::ip);
        if !ip.is_empty() {
            return ip;
        }
        let ip = host::address();
        let whence = Whence::Machine("address of the default route");
        self.shows("node-ip", &ip, Some(whence));
        ip
    }

    /// The flag, then the environment. A CRI socket in a kubelet's own file is not dockerd.
    fn docker_socket(&mut self, docker_host: Option<&str>) -> String {
        let id = "container-runtime-endpoint";
        let looked = self.look(id);
        let given = looked.is_flag && !looked.text.is_empty();
        let host = docker_host
            .filter(|_| !given)
            .and_then(|url| url.strip_prefix("unix://"))
            .filter(|path| path.starts_with('/'));
        if let Some(path) = host {
            let url = format!("unix://{path}");
            self.shows(id, &url, Some(Whence::Environment("DOCKER_HOST")));
            return path.to_owned();
        }
        let url = match looked.text.as_str() {
            "" => {
                self.shows(id, DOCKER_SOCKET, Some(Whence::Default));
                DOCKER_SOCKET
            }
            url => url,
        };
        values::unix_socket(url).unwrap_or_else(|why| {
            self.problems.push(format!("{}={url}: {why}", looked.name));
            String::new()
        })
    }
}

/// An empty flag is this one.
const DOCKER_SOCKET: &str = "unix:///var/run/docker.sock";

/// The node's name: the one given, or the host's.
///
/// # Errors
/// What is wrong with it.
pub fn node_name(given: Option<&str>) -> Result<String, String> {
    let (given, from) = match given {
        Some(name) => (name.to_owned(), "--hostname-override"),
        None => (host::name(), "the host name"),
    };
    values::node_name(&given).map_err(|why| {
        format!("{from} {given:?} is no node name: {why}; give one with --hostname-override")
    })
}
