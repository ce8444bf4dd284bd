//! The agent: settings, log, and then the loop.

use std::io::Write;

use log::{LevelFilter, warn};

use super::{Outcome, docker_host, misuse};
use crate::cli::RunFlags;
use crate::sys::Notify;
use crate::{agent, config};

/// Runs the agent until it is told to end.
#[allow(clippy::disallowed_methods)] // the one place that may read the environment
pub fn run(flags: &RunFlags) -> Outcome {
    let docker_host = docker_host();
    let settings = match config::settings(flags, docker_host.as_deref()) {
        Ok(settings) => settings,
        Err(problems) => return misuse(&problems),
    };
    log_to_stderr(agent::log_level(settings.verbosity));
    for warning in &settings.warnings {
        warn!(why:% = warning; "setting without effect");
    }
    if settings.manifest_path.is_none() && settings.manifest_url.is_none() {
        warn!("neither a manifest path nor a URL is given: there is nothing to run");
    }
    let socket = std::env::var_os("NOTIFY_SOCKET");
    let watchdog = std::env::var("WATCHDOG_USEC").ok();
    let notify = Notify::new(socket.as_deref(), watchdog.as_deref());
    let reread = || config::settings(flags, docker_host.as_deref());
    agent::run(settings, notify, &reread).into()
}

/// One line per event: time (the journal has its own), level, phrase, fields.
#[allow(clippy::disallowed_methods)] // asked for once, at the start
pub(super) fn log_to_stderr(level: LevelFilter) {
    let to_journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let mut log = env_logger::Builder::new();
    // The HTTP client's own chatter would hide ours. Of ours the level is set apart, since it may change.
    log.filter_level(LevelFilter::Warn)
        .filter_module("staticlet", LevelFilter::Trace)
        .format(move |out, record| {
            if !to_journal {
                write!(out, "{} ", crate::sys::now().wall)?;
            }
            write!(out, "{:<5} {}", record.level(), record.args())?;
            let _ = record.key_values().visit(&mut Fields(out));
            writeln!(out)
        });
    if log::set_boxed_logger(Box::new(log.build())).is_ok() {
        log::set_max_level(level);
    }
}

/// Prints ` key=value` for each field that has a value; one with blanks is quoted.
struct Fields<'a>(&'a mut dyn Write);

impl<'k> log::kv::VisitSource<'k> for Fields<'_> {
    fn visit_pair(
        &mut self,
        key: log::kv::Key<'k>,
        value: log::kv::Value<'k>,
    ) -> Result<(), log::kv::Error> {
        let text = value.to_string();
        let plain = !text.contains(|c: char| c.is_whitespace() || c == '"' || c.is_control());
        if text.is_empty() {
            Ok(())
        } else if plain {
            Ok(write!(self.0, " {key}={text}")?)
        } else {
            Ok(write!(self.0, " {key}={text:?}")?)
        }
    }
}
