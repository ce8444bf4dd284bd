//! One hook of a container: run once, to its end or its deadline.
//!
//! Source: kubelet 1.36 `lifecycle/handlers.go`. What differs: a hook that takes too long is ended.

use std::time::Duration;

use super::probe::port;
use super::probe_exec::{self, Ended};
use super::probe_http::{self, Answer};
use super::report::note;
use super::run::Outcome;
use super::{HookRequest, Request};
use crate::docker::Docker;
use crate::state::Report;
use crate::sys::{self, Child, Error, Kind, Mono};

/// What servers know a kubelet's hooks by.
const USER_AGENT: &str = "kube-lifecycle/1.36";

/// A hook in a process of its own needs this long to end its command when it is late.
const OWN_END: Duration = Duration::from_millis(200);

/// Carries out a request; what went wrong is said as a note.
pub(super) fn run(request: &HookRequest) -> Outcome {
    match carry_out(request) {
        Ok(()) => Outcome::Done,
        Err(why) => {
            note(format!("{}: {}", words(request), why));
            Outcome::Failed
        }
    }
}

/// Carries out a hook; the error is why it failed, in the kubelet's words.
pub(super) fn carry_out(request: &HookRequest) -> Result<(), String> {
    let within = Duration::from_millis(request.within_ms);
    let handler = &request.handler;
    if let Some(exec) = &handler.exec {
        let docker = Docker::new(&request.docker_socket, Some(request.api));
        let command = exec.command.as_deref().unwrap_or_default();
        let words = command.join(" ");
        match probe_exec::run(&docker, &request.id, command, within)? {
            (Ended::Code(0), _) => Ok(()),
            (Ended::Code(code), said) => Err(format!(
                "command '{words}' exited with {code}: , message: {said:?}"
            )),
            (Ended::Late, _) => Err(format!("command '{words}' did not end within {within:?}")),
        }
    } else if let Some(get) = &handler.http_get {
        let given = get.host.as_deref().filter(|host| !host.is_empty());
        let host = given.unwrap_or(&request.ip);
        if host.is_empty() {
            return Err("the pod has no address".to_owned());
        }
        let port = port(&request.ports, &get.port)?;
        match probe_http::ask(get, (host, port), within, USER_AGENT)? {
            // Any answer will do.
            Answer::Status(..) | Answer::Elsewhere(_) => Ok(()),
            Answer::None(why) => Err(why),
        }
    } else if let Some(sleep) = &handler.sleep {
        let wanted = Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0));
        sys::pause(wanted.min(within));
        Ok(())
    } else {
        Err("this kind of hook is not known".to_owned())
    }
}

/// What kind of hook it is, and what it does.
pub(super) fn words(request: &HookRequest) -> String {
    let handler = &request.handler;
    if let Some(exec) = &handler.exec {
        let command = exec.command.as_deref().unwrap_or_default();
        format!("Exec lifecycle hook ([{}])", command.join(" "))
    } else if let Some(get) = &handler.http_get {
        format!(
            "HTTP lifecycle hook ({})",
            get.path.as_deref().unwrap_or_default()
        )
    } else {
        "lifecycle hook".to_owned()
    }
}

/// A hook that is under way in a process of its own.
pub(super) struct Running {
    child: Child,
    until: Mono,
    /// What is said of it where it cannot say so itself in time.
    late: String,
}

impl Running {
    /// Starts it, for `within` at most. It ends itself a little earlier, and what it has begun.
    pub(super) fn start(mut request: HookRequest, within: Duration) -> sys::Result<Running> {
        let doing = "start a preStop hook";
        let until = sys::now().mono.after(within);
        let own = within.saturating_sub(OWN_END);
        let late = format!("{}: it did not end within {within:?}", words(&request));
        request.within_ms = u64::try_from(own.as_millis()).unwrap_or(u64::MAX);
        let request = serde_json::to_vec(&Request::Hook(Box::new(request)))
            .map_err(|e| Error::new(doing, Kind::Garbled, e))?;
        let child = Child::start(&["job"], &request).map_err(|e| e.while_doing(doing))?;
        Ok(Running { child, until, late })
    }

    /// When it is ended at the latest.
    pub(super) fn until(&self) -> Mono {
        self.until
    }

    /// What came of it, with the words of a failure; `None` while it goes on. It does so until its deadline at most.
    pub(super) fn ended(&mut self) -> Option<Result<(), String>> {
        let exit = self.child.try_wait();
        let is_late = sys::now().mono >= self.until;
        if exit.is_none() && !is_late {
            return None;
        }
        if exit.is_none() {
            self.child.kill();
        }
        let said = self.child.read_lines();
        let note = said.iter().find_map(|line| {
            let report = serde_json::from_str(line).ok()?;
            if let Report::Note { text } = report {
                Some(text)
            } else {
                None
            }
        });
        match (note, exit) {
            (Some(note), _) => Some(Err(note)),
            (None, None) => Some(Err(self.late.clone())),
            (None, Some(Ok(status))) if status.success() => Some(Ok(())),
            (None, Some(Ok(status))) => Some(Err(format!("its job ended with {status}"))),
            (None, Some(Err(error))) => Some(Err(error.to_string())),
        }
    }
}

impl Drop for Running {
    /// Whoever does not need it any more leaves nothing running.
    fn drop(&mut self) {
        self.child.kill();
    }
}
