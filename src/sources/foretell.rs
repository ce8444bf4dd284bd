//! What would be wanted, told at once.

use std::time::Duration;

use super::{Message, SourceSettings, Sources};
use crate::pod::{PodKey, PodUid};
use crate::state::{Desired, JobEnd};
use crate::sys::{Now, Wall};

/// How far the clocks are put forward each time: longer than any pause before something is believed.
const STEP: Duration = Duration::from_secs(30);

/// How often: to read, to judge what has to be quiet first, to give up what is not there.
const TIMES: u32 = 4;

/// What sources with these settings would want as soon as everything has been quiet for a while: the clocks are put
/// forward, nothing is waited for. Nothing is written, and no URL is asked: of one the last good answer counts that was
/// kept, as when it does not answer.
pub fn foretell(
    settings: SourceSettings,
    now: Now,
    running: &dyn Fn(&PodKey) -> Option<PodUid>,
) -> (Desired, Vec<Message>) {
    let mut sources = Sources::new(settings);
    let mut desired = Desired::default();
    for times in 0..TIMES {
        let ahead = STEP * times;
        let micros = i64::try_from(ahead.as_micros()).unwrap_or(0);
        let then = Now {
            wall: Wall(now.wall.0.saturating_add(micros)),
            mono: now.mono.after(ahead),
        };
        sources.rescan();
        if sources.fetch(then).is_some() {
            sources.fetch_ended(&JobEnd::Died("it is not asked for a plan".to_owned()));
        }
        desired = sources.look(then, running);
    }
    (desired, sources.messages())
}
