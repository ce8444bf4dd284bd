//! The calls.

use std::io::Read;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use base64::Engine as _;
use ureq::http::Method;

use super::call::{Call, Content, Link, escape};
use super::{deadlines as limit, stream, wire};
use crate::sys::{Error, Kind, Result};

/// The label that every container of a kubelet on Docker has.
const LABEL_KUBELET: &str = "io.kubernetes.docker.type";

/// One dockerd. Keeps one connection open between calls; opens another when that one is gone.
#[derive(Debug)]
pub struct Docker {
    pub(super) link: Link,
    label: String,
}

/// One pull.
#[derive(Clone, Debug)]
pub struct PullCall {
    /// The repository, normalised or not: `docker.io/library/nginx`.
    pub image: String,
    /// The tag, or a digest with its `sha256:`.
    pub tag: String,
    /// Credentials; `None` is anonymous.
    pub auth: Option<wire::RegistryAuth>,
}

/// One import of a root file system as an image.
#[derive(Clone, Debug)]
pub struct ImportCall {
    /// The repository to name it.
    pub repo: String,
    /// The tag to name it.
    pub tag: String,
    /// Dockerfile instructions, such as `ENTRYPOINT ["/pause"]`.
    pub changes: Vec<String>,
}

impl Docker {
    /// A dockerd behind this socket (a plain path). Touches nothing yet; without `api` the first call negotiates it.
    pub fn new(socket: &str, api: Option<(u32, u32)>) -> Docker {
        Docker {
            link: Link::new(socket, api, None),
            label: LABEL_KUBELET.to_owned(),
        }
    }

    /// The same for one whose answers are only passed on to `outlet`: a call ends when nobody reads that any more, also
    /// while dockerd has nothing to say.
    pub fn passing_on(socket: &str, api: (u32, u32), outlet: OwnedFd) -> Docker {
        Docker {
            link: Link::new(socket, Some(api), Some(Arc::new(outlet))),
            label: LABEL_KUBELET.to_owned(),
        }
    }

    /// The same, but [`Docker::list`] and [`Docker::events`] see only containers with this label, `key=value`: what
    /// other people do on this dockerd is none of our business, and would ring all day.
    #[must_use]
    pub fn only(self, label: String) -> Docker {
        Docker { label, ..self }
    }

    /// The API version in use, as major and minor.
    ///
    /// # Errors
    /// `Unavailable` without a dockerd, `Refused` when it is too old, `Garbled` when it is something else.
    pub fn api(&self) -> Result<(u32, u32)> {
        self.link.api()
    }

    /// What dockerd is.
    pub fn facts(&self) -> Result<(wire::Info, wire::Version)> {
        let info = Call::read("ask dockerd for its facts", "/info");
        let version = Call::read("ask dockerd for its version", "/version");
        Ok((self.link.object(info)?, self.link.object(version)?))
    }

    /// All containers, running or not, that a kubelet or one like it made (see [`Docker::only`]); in no order.
    pub fn list(&self) -> Result<Vec<wire::Summary>> {
        let mut call = Call::read("list containers", "/containers/json");
        call.query = vec![
            ("all", "1".into()),
            ("filters", filters(&[("label", &[&self.label])])),
        ];
        self.link.json(call, limit::LIST_BYTES_MAX)
    }

    /// One container.
    ///
    /// # Errors
    /// `Gone` when there is none of this id.
    pub fn inspect(&self, id: &str) -> Result<wire::Inspect> {
        let doing = format!("inspect container {}", short(id));
        self.link
            .object(Call::read(doing, format!("/containers/{}/json", part(id))))
    }

    /// Makes a container of this name.
    ///
    /// # Errors
    /// `Conflict` when the name is taken, `Gone` when the image is not there, `Refused` with dockerd's reason.
    pub fn create(&self, name: &str, body: &wire::CreateBody) -> Result<wire::Created> {
        let doing = format!("create container {name}");
        let body = serde_json::to_vec(body)
            .map_err(|err| Error::new(doing.as_str(), Kind::Refused, err))?;
        let mut call = Call::change(doing, Method::POST, "/containers/create");
        call.query = vec![("name", name.to_owned())];
        call.content = Content::Json(body);
        self.link.object(call)
    }

    /// Starts a container; one that runs already is fine.
    ///
    /// # Errors
    /// `Gone`, `Conflict` (being removed, or the container whose network it joins does not run), `Refused` otherwise.
    pub fn start(&self, id: &str) -> Result<()> {
        let doing = format!("start container {}", short(id));
        let path = format!("/containers/{}/start", part(id));
        self.link.done(Call::change(doing, Method::POST, path))
    }

    /// Sends the stop signal, waits, kills. One that does not run, or is not there, is fine.
    pub fn stop(&self, id: &str, grace_seconds: u32) -> Result<()> {
        let doing = format!("stop container {}", short(id));
        let path = format!("/containers/{}/stop", part(id));
        let mut call = Call::change(doing, Method::POST, path);
        call.query = vec![("t", grace_seconds.to_string())];
        call.deadline = limit::stop(grace_seconds);
        gone_is_fine(self.link.done(call))
    }

    /// Sends a signal, by name or number.
    ///
    /// # Errors
    /// `Gone`, and `Conflict` when it does not run.
    pub fn kill(&self, id: &str, signal: &str) -> Result<()> {
        let doing = format!("send {signal} to container {}", short(id));
        let path = format!("/containers/{}/kill", part(id));
        let mut call = Call::change(doing, Method::POST, path);
        call.query = vec![("signal", signal.to_owned())];
        self.link.done(call)
    }

    /// Removes a container with its anonymous volumes, running or not. One that is not there is fine.
    ///
    /// # Errors
    /// `Conflict` while another removal is under way.
    pub fn remove(&self, id: &str) -> Result<()> {
        let doing = format!("remove container {}", short(id));
        let mut call = Call::change(doing, Method::DELETE, format!("/containers/{}", part(id)));
        call.query = vec![("force", "1".into()), ("v", "1".into())];
        gone_is_fine(self.link.done(call))
    }

    /// The images of a repository.
    ///
    /// # Errors
    /// Those of any read.
    pub fn images(&self, repo: &str) -> Result<Vec<wire::ImageSummary>> {
        let mut call = Call::read(format!("list images of {repo}"), "/images/json");
        let filters = serde_json::json!({ "reference": [repo] });
        call.query = vec![("filters", filters.to_string())];
        self.link.object(call)
    }

    /// Takes a name from an image, and removes the image with its last one. One that is not there is fine.
    ///
    /// # Errors
    /// `Conflict` while a container uses it.
    pub fn remove_image(&self, name: &str) -> Result<()> {
        let doing = format!("remove image {name}");
        let path = format!("/images/{}", part(name));
        gone_is_fine(self.link.done(Call::change(doing, Method::DELETE, path)))
    }

    /// One image by id, tag or digest.
    ///
    /// # Errors
    /// `Gone` when it is not on this machine.
    pub fn inspect_image(&self, reference: &str) -> Result<wire::Image> {
        let doing = format!("inspect image {reference}");
        self.link.object(Call::read(
            doing,
            format!("/images/{}/json", part(reference)),
        ))
    }

    /// Pulls an image, handing each line of progress to `each`, which may break off the pull.
    ///
    /// # Errors
    /// The registry's own words: `Gone` for an image that is not there, `Unavailable` for a registry that cannot be
    /// reached or stalls, `Refused` otherwise.
    pub fn pull(
        &self,
        pull: &PullCall,
        each: &mut dyn FnMut(wire::PullLine) -> ControlFlow<()>,
    ) -> Result<()> {
        let digest = pull.tag.contains(':');
        let mark = if digest { '@' } else { ':' };
        let doing = format!("pull {}{mark}{}", pull.image, pull.tag);
        let mut call = Call::change(doing.as_str(), Method::POST, "/images/create");
        call.query = vec![("fromImage", pull.image.clone()), ("tag", pull.tag.clone())];
        call.deadline = limit::PULL;
        call.auth = Some(auth_header(pull.auth.as_ref()));
        self.pull_lines(&doing, call, each)
    }

    /// Makes an image of a tar stream.
    pub fn import_image(&self, import: &ImportCall, mut tar: impl Read) -> Result<()> {
        let doing = format!("import image {}:{}", import.repo, import.tag);
        let mut call = Call::change(doing.as_str(), Method::POST, "/images/create");
        call.query = vec![
            ("fromSrc", "-".into()),
            ("repo", import.repo.clone()),
            ("tag", import.tag.clone()),
        ];
        let changes = import.changes.iter();
        call.query
            .extend(changes.map(|line| ("changes", line.clone())));
        call.content = Content::Stream(&mut tar);
        self.pull_lines(&doing, call, &mut |_| ControlFlow::Continue(()))
    }

    /// Gives an image one more name.
    pub fn tag(&self, id: &str, repo: &str, tag: &str) -> Result<()> {
        let doing = format!("tag image {id} as {repo}:{tag}");
        let mut call = Call::change(doing, Method::POST, format!("/images/{}/tag", part(id)));
        call.query = vec![("repo", repo.to_owned()), ("tag", tag.to_owned())];
        self.link.done(call)
    }

    /// Hands every event of containers of ours to `each`, until that breaks off or dockerd ends the stream. The first
    /// call, with `None`, says that the stream is open: nothing that happens from then on is missed. There is no sign of
    /// life between two events.
    ///
    /// # Errors
    /// `Unavailable` when dockerd goes away in the middle; one that shuts down properly ends the stream.
    pub fn events(
        &self,
        each: &mut dyn FnMut(Option<wire::EventLine>) -> ControlFlow<()>,
    ) -> Result<()> {
        let doing = "follow the events of dockerd";
        let mut call = Call::read(doing, "/events");
        // An event of every probe (`exec_create`, ...) would ring all day; `died` and `remove` are Podman's words.
        let actions = [
            "create", "start", "restart", "die", "died", "oom", "pause", "unpause", "rename",
            "destroy", "remove",
        ];
        call.query = vec![(
            "filters",
            filters(&[
                ("type", &["container"]),
                ("label", &[&self.label]),
                ("event", &actions),
            ]),
        )];
        call.deadline = limit::EVENTS;
        self.link.opened_lines(call, each)
    }

    /// The last lines of a container's log, standard output and standard error as they came.
    pub fn logs_tail(&self, id: &str, lines: u32) -> Result<String> {
        let doing = format!("read the log of container {}", short(id));
        let path = format!("/containers/{}/logs", part(id));
        let mut call = Call::read(doing.as_str(), path);
        call.query = vec![
            ("stdout", "1".into()),
            ("stderr", "1".into()),
            ("tail", lines.to_string()),
        ];
        let bytes = self.link.bytes(call, limit::LOG_BYTES_MAX)?;
        Ok(stream::log_text(&bytes))
    }
    /// A pull or an import: dockerd says 200 as soon as it begins, and the reason of a failure in the last line.
    fn pull_lines(
        &self,
        doing: &str,
        call: Call<'_>,
        each: &mut dyn FnMut(wire::PullLine) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut failed = String::new();
        let ended = self.link.lines(call, &mut |line: wire::PullLine| {
            if !line.error.is_empty() {
                failed.clone_from(&line.error);
            }
            each(line)
        });
        let failed = match ended {
            Ok(()) if failed.is_empty() => return Ok(()),
            Ok(()) => failed,
            Err(err) if err.kind() == Kind::Refused => err.said().to_owned(),
            Err(err) => return Err(err),
        };
        Err(Error::new(doing, registry_kind(&failed), failed))
    }
}

/// What kind of failure the registry's words mean. dockerd passes them on as text only, with the status 500 or, once
/// the stream runs, with none.
fn registry_kind(said: &str) -> Kind {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["manifest unknown", "not found", "does not exist"]) {
        Kind::Gone
    } else if has(&[
        "connection refused",
        "connection reset",
        "no such host",
        "network is unreachable",
        "no route to host",
        "timeout",
        "Timeout",
        "deadline exceeded",
        "server misbehaving",
        "EOF",
    ]) {
        Kind::Unavailable
    } else {
        Kind::Refused
    }
}

/// The `X-Registry-Auth` header; dockerd wants the padding.
fn auth_header(auth: Option<&wire::RegistryAuth>) -> String {
    let json = auth.and_then(|auth| serde_json::to_vec(auth).ok());
    base64::engine::general_purpose::URL_SAFE.encode(json.unwrap_or_else(|| b"{}".to_vec()))
}

/// The `filters` parameter: any of the values, for each of the names.
fn filters(by: &[(&str, &[&str])]) -> String {
    let map: serde_json::Map<String, serde_json::Value> = by
        .iter()
        .map(|(name, values)| ((*name).to_owned(), (*values).into()))
        .collect();
    serde_json::Value::Object(map).to_string()
}

fn gone_is_fine(done: Result<()>) -> Result<()> {
    match done {
        Err(err) if err.kind() == Kind::Gone => Ok(()),
        done => done,
    }
}

/// An id or an image's name as part of a path; dockerd takes the slashes of a name as they are.
pub(super) fn part(name: &str) -> String {
    escape(name, b"/:@")
}

/// An id as logs and `docker ps` show it.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_words() {
        let cases = [
            (
                "manifest for x:1 not found: manifest unknown: manifest unknown",
                Kind::Gone,
            ),
            (
                "dial tcp 127.0.0.1:5000: connect: connection refused",
                Kind::Unavailable,
            ),
            ("unauthorized: authentication required", Kind::Refused),
        ];
        for (said, kind) in cases {
            assert_eq!(registry_kind(said), kind, "{said}");
        }
    }

    #[test]
    fn auth_keeps_its_padding_and_prints_no_secret() {
        assert_eq!(auth_header(None), "e30=");
        let auth = wire::RegistryAuth {
            username: "u".into(),
            password: "hush".into(),
            ..wire::RegistryAuth::default()
        };
        assert!(!format!("{auth:?}").contains("hush"));
    }

    #[test]
    fn image_names_keep_their_slashes() {
        assert_eq!(part("r:5000/a/b@sha256:1"), "r:5000/a/b@sha256:1");
        assert_eq!(filters(&[("label", &["a"])]), r#"{"label":["a"]}"#);
    }
}
