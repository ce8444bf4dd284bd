//! SIGHUP: everything is read again, the configuration as well.

use log::{LevelFilter, info, warn};

use super::{Agent, DOCKER_CHECK_MAX, images, tell};
use crate::config::Settings;

/// Reads the configuration once more, as it would be read now.
pub type Reread<'a> = dyn Fn() -> Result<Settings, Vec<String>> + 'a;

/// How much is logged at a klog level.
pub fn log_level(verbosity: u8) -> LevelFilter {
    match verbosity {
        0..=2 => LevelFilter::Info,
        3..=4 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    }
}

impl Agent {
    /// Reads everything again. A configuration with a fault changes nothing.
    pub(super) fn reload(&mut self, reread: &Reread<'_>) {
        info!("reading everything again");
        self.notify.reloading();
        match reread() {
            Ok(then) => self.set(then),
            Err(problems) => {
                for why in problems {
                    warn!(why; "configuration refused, the settings of before hold");
                }
            }
        }
        self.notify.ready();
        self.sources.rescan();
        if let Some(preload) = &mut self.preload {
            preload.rescan();
            preload.doubt_all();
        }
        self.reclaim.ring();
        self.observer.stale(None);
        self.pace.ring();
    }

    /// Takes what can change while the agent runs.
    fn set(&mut self, then: Settings) {
        tell::changes(&self.settings, &then);
        let then = self.settings.reloaded(then);
        log::set_max_level(log_level(then.verbosity));
        self.pace.set(then.file_check.min(DOCKER_CHECK_MAX));
        self.sources.set(then.sources());
        if images::differ(&self.settings, &then) {
            self.preload = images::preload(&then);
        }
        if then.doors != self.settings.doors {
            self.doors.set(then.doors.clone());
        }
        tell::settings(&then);
        self.settings = then;
        self.is_stale = true;
    }
}
