//! A container's log, whole or as it grows.

use std::ops::ControlFlow;

use super::call::Call;
use super::client::{part, short};
use super::stream::{Frames, STREAM_SYSTEM};
use super::{Docker, deadlines as limit};
use crate::sys::{Error, Kind, Result, Wall};

/// What is wanted of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsCall {
    /// The container has a terminal: its log has no frames.
    pub tty: bool,
    /// Go on until the container ends.
    pub follow: bool,
    /// The last lines only; `None`: all.
    pub tail: Option<u64>,
    /// Only what was said from then on.
    pub since: Option<Wall>,
    /// Begin each line with its time.
    pub timestamps: bool,
}

impl Docker {
    /// Hands the log of a container to `each`, standard output and standard error as they came, until that breaks off.
    ///
    /// # Errors
    /// `Gone`, `Refused` where the log driver keeps nothing to read, and `Garbled` with dockerd's words when it finds in
    /// the middle that it cannot go on.
    pub fn logs(
        &self,
        id: &str,
        wanted: &LogsCall,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let doing = format!("read the log of container {}", short(id));
        let path = format!("/containers/{}/logs", part(id));
        let mut call = Call::read(doing.as_str(), path);
        call.query = vec![("stdout", "1".into()), ("stderr", "1".into())];
        if wanted.follow {
            call.query.push(("follow", "1".into()));
        }
        if wanted.timestamps {
            call.query.push(("timestamps", "1".into()));
        }
        if let Some(lines) = wanted.tail {
            call.query.push(("tail", lines.to_string()));
        }
        if let Some(Wall(micros)) = wanted.since {
            let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
            call.query
                .push(("since", format!("{seconds}.{rest:06}000")));
        }
        call.deadline = if wanted.follow {
            limit::FOLLOW
        } else {
            limit::LOG
        };
        if wanted.tty {
            return self.link.raw(call, each);
        }
        let mut frames = Frames::default();
        let mut garbled = None;
        let mut trouble = Vec::new();
        self.link.raw(call, &mut |piece| {
            let fed = frames.feed(piece, &mut |stream, bytes| {
                if stream != STREAM_SYSTEM {
                    return each(bytes);
                }
                let room = limit::ERROR_BYTES_MAX.saturating_sub(trouble.len());
                trouble.extend(bytes.iter().take(room));
                ControlFlow::Continue(())
            });
            fed.unwrap_or_else(|found| {
                garbled = Some(format!(
                    "it is not framed: it has {found} where a frame begins"
                ));
                ControlFlow::Break(())
            })
        })?;
        if let Some(said) = garbled {
            return Err(Error::new(doing, Kind::Garbled, said));
        }
        if !trouble.is_empty() {
            let said = String::from_utf8_lossy(&trouble);
            return Err(Error::new(doing, Kind::Garbled, said.trim()));
        }
        Ok(())
    }
}
