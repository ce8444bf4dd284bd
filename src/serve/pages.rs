//! What stands at which path.

use std::fs::File;
use std::io::Read;

use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::json;

use super::{Pulse, What, metrics};
use crate::publish::Published;
use crate::sys::json;

/// A published state beyond this is not served.
const PUBLISHED_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One answer.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: Vec<u8>,
}

impl Page {
    pub(super) fn text(status: u16, text: impl Into<String>) -> Page {
        Page {
            status,
            kind: "text/plain; charset=utf-8",
            body: text.into().into_bytes(),
        }
    }
}

/// One check with its name; what is wrong, if something is.
type Check<'a> = (&'static str, Option<&'a str>);

/// The page at a path.
pub(super) fn page(path: &str, what: What, pulse: &Pulse, published: Option<File>) -> Page {
    // That this process was started is the proof that the loop turns.
    let alive: [Check; 2] = [("ping", None), ("syncloop", None)];
    let docker: Check = ("docker", pulse.sickness());
    let unread = "not every manifest has been read yet";
    let sources: Check = ("sources", (!pulse.complete).then_some(unread));
    let path = path.trim_end_matches('/');
    let verbose = |name: &str, checks: &[Check]| {
        let rest = path.strip_prefix(name)?;
        if rest.is_empty() {
            return Some(health(name, checks));
        }
        let rest = rest.strip_prefix('/')?;
        let rest = if rest == "log" { "ping" } else { rest };
        let one = checks.iter().find(|(check, _)| *check == rest)?;
        Some(health(name, &[*one]))
    };
    let [ping, syncloop] = alive;
    let found = verbose("/healthz", &[ping, syncloop, docker])
        .or_else(|| verbose("/livez", &alive))
        .or_else(|| verbose("/readyz", &[ping, syncloop, docker, sources]));
    if let Some(page) = found {
        return page;
    }
    match path {
        "/pods" => pods(what, published),
        "/metrics" => Page {
            kind: "text/plain; version=0.0.4; charset=utf-8",
            ..Page::text(200, metrics::text(pulse, read(published).as_ref()))
        },
        _ => Page::text(404, "404 page not found\n"),
    }
}

/// `ok`, or every check with what it found, as the kubelet writes it.
fn health(name: &str, checks: &[Check]) -> Page {
    if checks.iter().all(|(_, wrong)| wrong.is_none()) {
        return Page::text(200, "ok");
    }
    let mut text = String::new();
    for (check, wrong) in checks {
        match wrong {
            None => text.push_str(&format!("[+]{check} ok\n")),
            Some(why) => text.push_str(&format!("[-]{check} failed: {why}\n")),
        }
    }
    text.push_str(&format!("{} check failed\n", name.trim_start_matches('/')));
    Page::text(500, text)
}

fn read(published: Option<File>) -> Option<Published> {
    let mut text = Vec::new();
    let limit = published?.take(PUBLISHED_BYTES_MAX);
    { limit }.read_to_end(&mut text).ok()?;
    json::read(&text).ok()
}

fn pods(what: What, published: Option<File>) -> Page {
    let Some(mut published) = read(published) else {
        return Page::text(503, "nothing has been published yet\n");
    };
    if what == What::Health {
        published.items.iter_mut().for_each(hide);
    }
    let list = json!({
        "kind": "PodList",
        "apiVersion": "v1",
        "metadata": {},
        "items": json::tree(&published.items).unwrap_or_default(),
    });
    Page {
        kind: "application/json",
        ..Page::text(200, list.to_string())
    }
}

/// Takes out what may be a secret: any user of the machine may ask.
fn hide(pod: &mut Pod) {
    let Some(spec) = &mut pod.spec else { return };
    let init = spec.init_containers.iter_mut().flatten();
    for container in spec.containers.iter_mut().chain(init) {
        hide_in(container);
    }
    if let Some(notes) = &mut pod.metadata.annotations {
        notes.retain(|name, _| name != "kubectl.kubernetes.io/last-applied-configuration");
    }
}

fn hide_in(container: &mut Container) {
    for variable in container.env.iter_mut().flatten() {
        if variable.value.is_some() {
            variable.value = Some("(hidden)".to_owned());
        }
    }
    let probes = [
        &mut container.liveness_probe,
        &mut container.readiness_probe,
        &mut container.startup_probe,
    ];
    let probes = probes.into_iter().flatten();
    let lifecycle = container.lifecycle.iter_mut();
    let hooks = lifecycle.flat_map(|hooks| [&mut hooks.post_start, &mut hooks.pre_stop]);
    let of_probes = probes.filter_map(|probe| probe.http_get.as_mut());
    let of_hooks = hooks.flatten().filter_map(|hook| hook.http_get.as_mut());
    for get in of_probes.chain(of_hooks) {
        for header in get.http_headers.iter_mut().flatten() {
            header.value = "(hidden)".to_owned();
        }
    }
}
