//! When the watches of the API server are opened: the pods of this node, and the Node.

use std::time::Duration;

use crate::state::Watched;
use crate::sys::Mono;

/// What a watch must live for its end to be no failure.
const WATCH_GOOD: Duration = Duration::from_secs(5);

/// After a watch has ended; doubles with each that lived a short time. The longest is for a server that answers and does
/// not allow this watch: a list every minute does what it would.
const WAIT_MIN: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Both of them.
#[derive(Debug)]
pub(super) struct Watches([(Watched, Watch); 2]);

#[derive(Clone, Debug)]
struct Watch {
    /// Since when it is open.
    since: Option<Mono>,
    /// When it is opened next.
    due: Mono,
    wait: Duration,
}

impl Default for Watches {
    fn default() -> Watches {
        let new = Watch {
            since: None,
            due: Mono(0),
            wait: WAIT_MIN,
        };
        Watches([(Watched::Pods, new.clone()), (Watched::Node, new)])
    }
}

impl Watches {
    /// When the next is to be opened; `None` while both are open.
    pub(super) fn due(&self) -> Option<Mono> {
        let closed = self.0.iter().filter(|(_, watch)| watch.since.is_none());
        closed.map(|(_, watch)| watch.due).min()
    }

    /// One that is to be opened now; it counts as open from here on.
    pub(super) fn open(&mut self, now: Mono) -> Option<Watched> {
        let is_due = |watch: &Watch| watch.since.is_none() && watch.due <= now;
        let (watched, watch) = self.0.iter_mut().find(|(_, watch)| is_due(watch))?;
        watch.since = Some(now);
        Some(*watched)
    }

    /// The server answers again.
    pub(super) fn hurry(&mut self) {
        for (_, watch) in &mut self.0 {
            watch.due = Mono(0);
            watch.wait = WAIT_MIN;
        }
    }

    /// One has ended. Says whether it had been of use.
    pub(super) fn ended(&mut self, watched: Watched, now: Mono) -> bool {
        let all = self.0.iter_mut();
        let Some((_, watch)) = all.into_iter().find(|(which, _)| *which == watched) else {
            return false;
        };
        let since = watch.since.take();
        let is_good = since.is_some_and(|since| now.since(since) >= WATCH_GOOD);
        if is_good {
            watch.wait = WAIT_MIN;
        }
        watch.due = now.after(watch.wait);
        watch.wait = (watch.wait * 2).min(WAIT_MAX);
        is_good
    }
}
