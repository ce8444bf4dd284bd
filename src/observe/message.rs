//! What a container leaves to say why it ended.

use std::io::{Read as _, Seek, SeekFrom};
use std::path::Path;

use nix::fcntl::OFlag;

use crate::docker::Docker;
use crate::state::{ContainerId, Exit, Node};
use crate::sys::{Error, Kind, Result, files};
use crate::translate::{Identity, Role, paths};

/// Kubelet `container/runtime.go`: the end of the file, or else the end of the log.
const FILE_BYTES_MAX: u64 = 4096;
const LOG_BYTES_MAX: usize = 2048;
const LOG_LINES_MAX: u32 = 80;

/// Whose message is read, and with what.
pub(super) struct Read<'a> {
    pub(super) docker: &'a Docker,
    pub(super) node: &'a Node,
    pub(super) id: &'a ContainerId,
    pub(super) identity: &'a Identity,
}

impl Read<'_> {
    /// The message; empty when there is none. A file that cannot be read is told in its place, as a kubelet does.
    ///
    /// # Errors
    /// dockerd does not give the end of the log now.
    pub(super) fn message(&self, exit: &Exit) -> Result<String> {
        let Role::Container {
            name,
            message_path,
            message_from_log,
            ..
        } = &self.identity.role
        else {
            return Ok(String::new());
        };
        let attempt = self.identity.attempt;
        let path = paths::termination_log(self.node, &self.identity.uid, name, attempt);
        let text = if message_path.is_empty() {
            String::new()
        } else {
            match end_of_file(Path::new(&path)) {
                Ok(text) => text,
                Err(error) if error.kind() == Kind::Gone => String::new(),
                Err(error) => format!("Error on reading termination log {path}: {}", error.said()),
            }
        };
        let from_log = *message_from_log && exit.code != 0 && exit.reason != "ContainerCannotRun";
        if text.is_empty() && from_log {
            let log = self.docker.logs_tail(&self.id.0, LOG_LINES_MAX)?;
            return Ok(end(&log, LOG_BYTES_MAX).to_owned());
        }
        Ok(text)
    }
}

/// The end of a file that a container could write to. It may be anything by now: no link is followed, no FIFO waited for.
fn end_of_file(path: &Path) -> Result<String> {
    let io = |error: std::io::Error| Error::io(format!("read {}", path.display()), &error);
    let mut file = files::open_regular(path, OFlag::O_NOFOLLOW)?;
    let length = file.metadata().map_err(io)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(FILE_BYTES_MAX)))
        .map_err(io)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last `max` bytes of a text, or a little less so that no character is cut.
fn end(text: &str, max: usize) -> &str {
    let from = text.len().saturating_sub(max);
    (from..=text.len())
        .find_map(|from| text.get(from..))
        .unwrap_or_default()
}
