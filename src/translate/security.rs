//! securityContext: whom a container runs as, and what it may do.

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Container, PodSecurityContext, SELinuxOptions, SeccompProfile, SecurityContext,
};

use super::{paths, place_of, pod_spec};
use crate::pod::{Problem, ValidPod};
use crate::state::Node;

/// What the kubelet hides from a container (`pkg/securitycontext/util.go`). Always sent: Docker before 28 hides less.
const MASKED: [&str; 12] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What a container may read but not write.
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];

/// Where AppArmor profiles were named before there was a field.
const APPARMOR_ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Paths that are hidden from a container and that it may not write; `None` leaves them to Docker.
pub(super) struct ProcPaths {
    pub(super) masked: Option<Vec<String>>,
    pub(super) read_only: Option<Vec<String>>,
}

/// The pod's and the container's settings, side by side; the container's win field by field.
pub(super) struct Context<'a> {
    pod: Option<&'a PodSecurityContext>,
    container: Option<&'a SecurityContext>,
    name: &'a str,
    place: String,
}

impl<'a> Context<'a> {
    pub(super) fn of(pod: &'a ValidPod, container: &'a Container) -> Result<Context<'a>, Problem> {
        Ok(Context {
            pod: pod_spec(pod)?.security_context.as_ref(),
            container: container.security_context.as_ref(),
            name: &container.name,
            place: place_of(pod, container),
        })
    }

    fn problem(&self, field: &str, text: impl Into<String>) -> Problem {
        Problem::new(format!("{}.securityContext.{field}", self.place), text)
    }

    pub(super) fn is_privileged(&self) -> bool {
        self.container.and_then(|c| c.privileged) == Some(true)
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.container.and_then(|c| c.read_only_root_filesystem) == Some(true)
    }

    fn run_as_user(&self) -> Option<i64> {
        let pod = || self.pod.and_then(|p| p.run_as_user);
        self.container.and_then(|c| c.run_as_user).or_else(pod)
    }

    fn run_as_group(&self) -> Option<i64> {
        let pod = || self.pod.and_then(|p| p.run_as_group);
        self.container.and_then(|c| c.run_as_group).or_else(pod)
    }

    fn se_linux(&self) -> Option<&'a SELinuxOptions> {
        let pod = || self.pod.and_then(|p| p.se_linux_options.as_ref());
        self.container
            .and_then(|c| c.se_linux_options.as_ref())
            .or_else(pod)
    }

    fn seccomp(&self) -> Option<&'a SeccompProfile> {
        let pod = || self.pod.and_then(|p| p.seccomp_profile.as_ref());
        self.container
            .and_then(|c| c.seccomp_profile.as_ref())
            .or_else(pod)
    }

    /// Docker's `User`: always written, so that what the image says holds also for the check of runAsNonRoot. A group
    /// in the image's USER is dropped, as every kubelet does.
    pub(super) fn user(&self, image_user: &str) -> Result<String, Problem> {
        let image_user = image_user.split(':').next().unwrap_or_default();
        self.check_non_root(image_user)?;
        let user = match (self.run_as_user(), image_user) {
            (Some(uid), _) => uid.to_string(),
            (None, "") => "0".into(),
            (None, name) => name.to_owned(),
        };
        Ok(match self.run_as_group() {
            Some(group) => format!("{user}:{group}"),
            None => user,
        })
    }

    /// Source: kubelet 1.36 `kuberuntime/security_context_others.go`.
    fn check_non_root(&self, image_user: &str) -> Result<(), Problem> {
        let pod = || self.pod.and_then(|p| p.run_as_non_root);
        if self.container.and_then(|c| c.run_as_non_root).or_else(pod) != Some(true) {
            return Ok(());
        }
        let text = match (self.run_as_user(), image_user.parse::<i64>()) {
            (Some(0), _) => "container's runAsUser breaks non-root policy".to_owned(),
            (Some(_), _) => return Ok(()),
            (None, Ok(0)) => "container has runAsNonRoot and image will run as root".to_owned(),
            (None, Ok(uid)) if i32::try_from(uid).is_ok_and(|uid| uid > 0) => return Ok(()),
            (None, Ok(uid)) => format!("image has an invalid user id ({uid})"),
            (None, Err(_)) if image_user.is_empty() => {
                "container has runAsNonRoot and image will run as root".to_owned()
            }
            (None, Err(_)) => format!(
                "container has runAsNonRoot and image has non-numeric user ({image_user}), cannot verify user is non-root"
            ),
        };
        Err(self
            .problem("runAsNonRoot", text)
            .hint("set runAsUser to a number above 0"))
    }

    /// Docker's `CapAdd` and `CapDrop`, as written.
    pub(super) fn capabilities(&self) -> (Vec<String>, Vec<String>) {
        let capabilities = self.container.and_then(|c| c.capabilities.as_ref());
        let list = |list: Option<&Vec<String>>| list.cloned().unwrap_or_default();
        (
            list(capabilities.and_then(|c| c.add.as_ref())),
            list(capabilities.and_then(|c| c.drop.as_ref())),
        )
    }

    /// Hidden and read-only paths. Unmasked needs empty lists, since Docker takes null for its own.
    pub(super) fn proc_paths(&self) -> ProcPaths {
        let some = |paths: &[&str]| Some(paths.iter().map(|&p| p.to_owned()).collect());
        let proc_mount = self.container.and_then(|c| c.proc_mount.as_deref());
        let (masked, read_only) = if self.is_privileged() {
            (None, None)
        } else if proc_mount == Some("Unmasked") {
            (some(&[]), some(&[]))
        } else {
            (some(&MASKED), some(&READ_ONLY))
        };
        ProcPaths { masked, read_only }
    }

    /// Docker's `SecurityOpt`, in the kubelet's order. `profile` is the text of [`seccomp_file`].
    pub(super) fn options(
        &self,
        pod: &ValidPod,
        profile: Option<&str>,
    ) -> Result<Vec<String>, Problem> {
        let mut options = self.se_linux().map(se_linux_options).unwrap_or_default();
        options.extend(self.app_armor(pod)?);
        let escalation = self.container.and_then(|c| c.allow_privilege_escalation);
        if escalation == Some(false) {
            options.push("no-new-privileges".into());
        }
        match self.seccomp().map(|s| s.type_.as_str()) {
            // A kubelet without seccompDefault confines nothing that does not ask for it.
            None | Some("Unconfined") => options.push("seccomp=unconfined".into()),
            Some("RuntimeDefault") => {}
            Some("Localhost") => {
                let text = profile.unwrap_or_default();
                let json: serde_json::Value = serde_json::from_str(text)
                    .map_err(|e| self.problem("seccompProfile.localhostProfile", e.to_string()))?;
                options.push(format!("seccomp={json}"));
            }
            Some(other) => {
                let text = format!("{other:?} is not supported");
                return Err(self.problem("seccompProfile.type", text));
            }
        }
        Ok(options)
    }

    fn app_armor(&self, pod: &ValidPod) -> Result<Option<String>, Problem> {
        let annotations = pod.pod.metadata.annotations.as_ref();
        let annotation = || {
            let key = format!("{APPARMOR_ANNOTATION}{}", self.name);
            annotations?.get(&key).cloned()
        };
        let of_pod = || self.pod.and_then(|p| p.app_armor_profile.as_ref());
        if let Some(profile) = self.container.and_then(|c| c.app_armor_profile.as_ref()) {
            return self.app_armor_option(profile);
        }
        match (annotation(), of_pod()) {
            (Some(text), _) => Ok(match text.as_str() {
                "unconfined" => Some("apparmor=unconfined".into()),
                other => other
                    .strip_prefix("localhost/")
                    .map(|name| format!("apparmor={name}")),
            }),
            (None, Some(profile)) => self.app_armor_option(profile),
            (None, None) => Ok(None),
        }
    }

    fn app_armor_option(&self, profile: &AppArmorProfile) -> Result<Option<String>, Problem> {
        match (profile.type_.as_str(), &profile.localhost_profile) {
            ("RuntimeDefault", _) => Ok(None),
            ("Unconfined", _) => Ok(Some("apparmor=unconfined".into())),
            ("Localhost", Some(name)) => Ok(Some(format!("apparmor={name}"))),
            (other, _) => {
                Err(self.problem("appArmorProfile", format!("{other:?} is not supported")))
            }
        }
    }
}

/// Docker's `GroupAdd` for all containers of a pod and the sandbox: fsGroup first.
pub(super) fn groups(security: Option<&PodSecurityContext>) -> Vec<String> {
    let fs_group = security.and_then(|s| s.fs_group);
    let others = security.and_then(|s| s.supplemental_groups.as_ref());
    let groups = fs_group.iter().chain(others.into_iter().flatten());
    groups.map(i64::to_string).collect()
}

/// SELinux parts as Docker's `label=` options.
pub(super) fn se_linux_options(options: &SELinuxOptions) -> Vec<String> {
    [
        ("user", &options.user),
        ("role", &options.role),
        ("type", &options.type_),
        ("level", &options.level),
    ]
    .into_iter()
    .filter_map(|(part, value)| {
        let value = value.as_deref().filter(|value| !value.is_empty())?;
        Some(format!("label={part}:{value}"))
    })
    .collect()
}

/// The file with the container's seccomp profile, which the caller reads for [`super::ContainerInput::seccomp`];
/// `None`: it names none.
///
/// # Errors
/// A path that leads out of the profile directory.
pub fn seccomp_file(
    pod: &ValidPod,
    container: &Container,
    node: &Node,
) -> Result<Option<String>, Problem> {
    let context = Context::of(pod, container)?;
    let Some(profile) = context.seccomp().filter(|s| s.type_ == "Localhost") else {
        return Ok(None);
    };
    let name = profile.localhost_profile.as_deref().unwrap_or_default();
    if name.is_empty() || name.starts_with('/') || name.split('/').any(|part| part == "..") {
        let text = format!("{name:?} is not a path below {}", paths::seccomp_dir(node));
        return Err(context.problem("seccompProfile.localhostProfile", text));
    }
    Ok(Some(format!("{}/{name}", paths::seccomp_dir(node))))
}
