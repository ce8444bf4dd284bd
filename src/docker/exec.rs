//! The calls for a command inside a container.

use std::ops::ControlFlow;
use std::time::Duration;

use ureq::http::Method;

use super::call::{Call, Content};
use super::client::{part, short};
use super::deadlines::Deadline;
use super::{Docker, wire};
use crate::sys::{Error, Kind, Result};

impl Docker {
    /// Prepares a command in a running container; gives the id of it.
    ///
    /// # Errors
    /// `Gone`, and `Conflict` when the container does not run or is paused.
    pub fn exec_create(&self, container: &str, cmd: &[String]) -> Result<String> {
        let doing = format!("prepare a command in container {}", short(container));
        let body = wire::ExecBody {
            attach_stdout: true,
            attach_stderr: true,
            cmd: cmd.to_vec(),
        };
        let path = format!("/containers/{}/exec", part(container));
        let created: wire::Created = self.link.object(post(doing, path, &body)?)?;
        Ok(created.id)
    }

    /// Runs it, handing its framed output to `each`; comes back at its end, or after `within`.
    ///
    /// # Errors
    /// `Unavailable` when the time is over or dockerd went away: [`Docker::exec_inspect`] tells which.
    pub fn exec_start(
        &self,
        exec: &str,
        within: Duration,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let doing = format!("run command {}", short(exec));
        let path = format!("/exec/{}/start", part(exec));
        let mut call = post(doing, path, &wire::ExecStart { detach: false })?;
        call.deadline = Deadline::Whole(within);
        self.link.raw(call, &mut |piece| {
            each(piece);
            ControlFlow::Continue(())
        })
    }

    /// What became of it.
    ///
    /// # Errors
    /// `Gone` when its container is.
    pub fn exec_inspect(&self, exec: &str) -> Result<wire::ExecInspect> {
        let doing = format!("inspect command {}", short(exec));
        self.link
            .object(Call::read(doing, format!("/exec/{}/json", part(exec))))
    }
}

fn post(doing: String, path: String, body: &impl serde::Serialize) -> Result<Call<'static>> {
    let body =
        serde_json::to_vec(body).map_err(|err| Error::new(doing.as_str(), Kind::Refused, err))?;
    let mut call = Call::change(doing, Method::POST, path);
    call.content = Content::Json(body);
    Ok(call)
}
