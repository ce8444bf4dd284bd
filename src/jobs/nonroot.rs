//! `runAsNonRoot`, checked against the image before every creation (kubelet `security_context_others.go`).

use k8s_openapi::api::core::v1::Container;

use crate::pod::ValidPod;

/// Whether the container may run, given its image's `USER`.
///
/// # Errors
/// The kubelet's sentence.
pub(super) fn check(pod: &ValidPod, container: &Container, image_user: &str) -> Result<(), String> {
    let of_pod = pod
        .pod
        .spec
        .as_ref()
        .and_then(|spec| spec.security_context.as_ref());
    let of_container = container.security_context.as_ref();
    let wanted = of_container
        .and_then(|c| c.run_as_non_root)
        .or(of_pod.and_then(|p| p.run_as_non_root));
    if wanted != Some(true) {
        return Ok(());
    }
    let of = format!(
        "pod: \"{}_{}({})\", container: {}",
        pod.key.name, pod.key.namespace, pod.uid, container.name
    );
    let user = of_container
        .and_then(|c| c.run_as_user)
        .or(of_pod.and_then(|p| p.run_as_user));
    match user {
        Some(0) => {
            return Err(format!(
                "container's runAsUser breaks non-root policy ({of})"
            ));
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let user = image_user.split(':').next().unwrap_or_default();
    match user.parse::<i64>() {
        Ok(1..=0x7fff_ffff) => Ok(()),
        _ if user.is_empty() || user.parse() == Ok(0) => Err(format!(
            "container has runAsNonRoot and image will run as root ({of})"
        )),
        Ok(_) => Err(format!(
            "container has runAsNonRoot and image has an invalid user id {user} ({of})"
        )),
        Err(_) => Err(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root ({of})"
        )),
    }
}
