//! Flags and the `--config` file become checked [`Settings`].
//!
//! IO: reads the configuration file, the host's name and its addresses, once at start. Flags win over the file, the file
//! over the defaults, as in the kubelet. All problems are reported together, one line each. Deliberately absent:
//! re-reading (a changed setting needs a restart, as in the kubelet). Start reading at [`settings`].

mod api;
mod doors;
mod fields;
mod file;
mod host;
mod url;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::{RUN_DIR, RunFlags};
use crate::serve::Door;
use crate::sources::UrlSettings;
use crate::state::Node;
pub use api::ApiSettings;
use file::FileSettings;

/// Everything the agent is told, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What pods can tell of this node.
    pub node: Node,
    /// The directory of manifests, or one manifest file; `None` when none was given.
    pub manifest_path: Option<PathBuf>,
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
    /// The klog level, 0 to 10.
    pub verbosity: u8,
    /// What to say once when the log is set up.
    pub warnings: Vec<String>,
}

impl Settings {
    /// What is set otherwise in `other`, in words.
    pub fn differences(&self, other: &Settings) -> Vec<String> {
        let fields = |node: &Node| match serde_json::to_value(node) {
            Ok(serde_json::Value::Object(fields)) => fields,
            Ok(_) | Err(_) => serde_json::Map::new(),
        };
        let (node, others) = (fields(&self.node), fields(&other.node));
        let names = node
            .iter()
            .filter(|(name, value)| others.get(*name) != Some(value));
        let mut names: Vec<String> = names.map(|(name, _)| name.replace('_', " ")).collect();
        let rest = [
            ("manifest path", self.manifest_path == other.manifest_path),
            ("manifest URL", self.manifest_url == other.manifest_url),
            ("ports", self.doors == other.doors),
            ("file check frequency", self.file_check == other.file_check),
            (
                "allow unknown fields",
                self.allow_unknown_fields == other.allow_unknown_fields,
            ),
        ];
        names.extend(
            rest.iter()
                .filter(|(_, same)| !same)
                .map(|(name, _)| (*name).to_owned()),
        );
        names
    }
}

/// Where a setting is looked for: first in the flags, then in the file.
struct Given<'a> {
    flags: &'a RunFlags,
    file: FileSettings,
    problems: Vec<String>,
}

/// Checks the flags and the file they name.
///
/// # Errors
/// Everything that is wrong, one line each, with what to do.
pub fn settings(flags: &RunFlags, docker_host: Option<&str>) -> Result<Settings, Vec<String>> {
    let mut warnings = flags.warnings.clone();
    let mut problems = Vec::new();
    let file = match flags.values.get("config") {
        Some(path) if !path.is_empty() => match file::read(Path::new(path)) {
            Ok((file, said)) => {
                warnings.extend(said);
                file
            }
            Err(said) => {
                problems.extend(said);
                FileSettings::default()
            }
        },
        Some(_) | None => FileSettings::default(),
    };
    let mut given = Given {
        flags,
        file,
        problems,
    };
    let node = given.node(docker_host);
    let settings = Settings {
        node,
        manifest_path: given.manifest_path(),
        manifest_url: given.manifest_url(),
        doors: given.doors(),
        api: given.api(),
        file_check: given.file_check(),
        allow_unknown_fields: given.flag("allow-unknown-fields") == Some("true"),
        verbosity: flags.verbosity,
        warnings,
    };
    if given.problems.is_empty() {
        Ok(settings)
    } else {
        Err(given.problems)
    }
}

/// A default of the kubelet, or ours where there must be another.
const ROOT_DIR: &str = "/var/lib/staticlet";
const DOCKER_SOCKET: &str = "/var/run/docker.sock";
const RESOLV_CONF: &str = "/etc/resolv.conf";
const POD_LOGS_DIR: &str = "/var/log/pods";
const FILE_CHECK: Duration = Duration::from_secs(20);
const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
const LOG_FILES_MAX: u32 = 5;
const CRASH_WAIT_MAX_SECONDS: u32 = 300;

impl Given<'_> {
    fn flag(&self, name: &str) -> Option<&str> {
        self.flags.values.get(name).map(String::as_str)
    }

    /// The flag, or else the field of the file, each with its name for messages.
    fn either(&self, flag: &str, field: &str) -> Option<(String, String)> {
        let given = self.flag(flag).map(|v| (format!("--{flag}"), v.to_owned()));
        given.or_else(|| {
            let value = self.file.text.get(field)?.clone();
            Some((field.to_owned(), value))
        })
    }

    /// Checks a value that may be given, and takes the default where it is not, or is wrong.
    fn checked<T>(
        &mut self,
        (flag, field): (&str, &str),
        default: T,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let Some((name, value)) = self.either(flag, field) else {
            return default;
        };
        check(&value).unwrap_or_else(|why| {
            self.problems.push(format!("{name}={value}: {why}"));
            default
        })
    }

    fn node(&mut self, docker_host: Option<&str>) -> Node {
        let name = self.node_name();
        let ip = self.checked(("node-ip", ""), String::new(), values::ip);
        let absolute = |given: &mut Self, flag: &str, default: &str| {
            given.checked((flag, ""), default.to_owned(), values::clean_path)
        };
        let root_dir = absolute(self, "root-dir", ROOT_DIR);
        let run_dir = absolute(self, "run-dir", RUN_DIR);
        let log_bytes = ("container-log-max-size", "containerLogMaxSize");
        let log_files = ("container-log-max-files", "containerLogMaxFiles");
        let pids = ("pod-max-pids", "podPidsLimit");
        let crash = ("", "crashLoopBackOff.maxContainerRestartPeriod");
        Node {
            ip: if ip.is_empty() { host::address() } else { ip },
            name,
            root_dir,
            run_dir,
            pod_logs_dir: self
                .either("", "podLogsDir")
                .map_or(POD_LOGS_DIR.to_owned(), |(_, dir)| dir),
            docker_socket: self.docker_socket(docker_host),
            pause_image: self
                .flag("pod-infra-container-image")
                .filter(|image| !image.is_empty())
                .map(str::to_owned),
            cluster_dns: self.checked(("cluster-dns", "clusterDNS"), Vec::new(), values::ips),
            cluster_domain: self
                .either("cluster-domain", "clusterDomain")
                .map_or(String::new(), |(_, domain)| domain),
            resolv_conf: self
                .either("resolv-conf", "resolvConf")
                .map_or(RESOLV_CONF.to_owned(), |(_, path)| path),
            log_bytes_max: self.checked(log_bytes, LOG_BYTES_MAX, values::bytes),
            pod_pids_max: self.checked(pids, None, values::pids),
            log_files_max: self.checked(log_files, LOG_FILES_MAX, values::log_files),
            crash_wait_max_seconds: self.checked(
                crash,
                CRASH_WAIT_MAX_SECONDS,
                values::crash_wait_seconds,
            ),
        }
    }

    fn node_name(&mut self) -> String {
        node_name(self.flag("hostname-override")).unwrap_or_else(|problem| {
            self.problems.push(problem);
            String::new()
        })
    }

    fn manifest_path(&mut self) -> Option<PathBuf> {
        let (_, path) = self.either("pod-manifest-path", "staticPodPath")?;
        if path.is_empty() {
            return None;
        }
        // A flag is relative to where the agent was started, and must mean the same if it ever goes elsewhere.
        match std::path::absolute(&path) {
            Ok(path) => Some(path),
            Err(error) => {
                self.problems
                    .push(format!("--pod-manifest-path={path}: {error}"));
                None
            }
        }
    }

    fn file_check(&mut self) -> Duration {
        let names = ("file-check-frequency", "fileCheckFrequency");
        self.checked(names, FILE_CHECK, |text| {
            let time = values::duration(text)?;
            // As in the kubelet, zero is the default. Below a tenth of a second it would do nothing else.
            match time {
                Duration::ZERO => Ok(FILE_CHECK),
                time if time < Duration::from_millis(100) => Err("the least is 100ms".to_owned()),
                time => Ok(time),
            }
        })
    }

    /// The flag, then the file, then the environment. A CRI socket in a kubelet's own file is not dockerd.
    fn docker_socket(&mut self, docker_host: Option<&str>) -> String {
        let given = self.flag("container-runtime-endpoint").map(str::to_owned);
        let socket = DOCKER_SOCKET.to_owned();
        match given {
            Some(url) if !url.is_empty() => values::unix_socket(&url).unwrap_or_else(|why| {
                self.problems
                    .push(format!("--container-runtime-endpoint={url}: {why}"));
                socket
            }),
            Some(_) | None => docker_host
                .and_then(|url| url.strip_prefix("unix://"))
                .filter(|path| path.starts_with('/'))
                .map_or(socket, str::to_owned),
        }
    }
}

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
