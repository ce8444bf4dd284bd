//! What is wrong with the manifest path as a whole. Pure.

use crate::pod::Problem;
use crate::state::{Refusal, Source};
use crate::sys::Wall;

use super::Message;

/// Everything that is wrong with one path, each told when it begins, when its reason changes, and when it ends.
pub(super) struct Troubles {
    path: String,
    known: Vec<Trouble>,
}

struct Trouble {
    event: &'static str,
    why: String,
    since: Wall,
}

impl Troubles {
    pub(super) fn new(path: String) -> Troubles {
        Troubles {
            path,
            known: Vec::new(),
        }
    }

    /// Notes the reason of one kind of trouble, or that there is none any more.
    pub(super) fn note(
        &mut self,
        event: &'static str,
        why: Option<String>,
        now: Wall,
    ) -> Option<Message> {
        let at = self.known.iter().position(|known| known.event == event);
        let Some(why) = why else {
            self.known.remove(at?);
            return Some(Message::info("manifest path recovered", &self.path));
        };
        let message = Message::warn(event, &self.path, &why);
        match at.and_then(|at| self.known.get_mut(at)) {
            Some(known) if known.why == why => return None,
            Some(known) => known.why = why,
            None => self.known.push(Trouble {
                event,
                why,
                since: now,
            }),
        }
        Some(message)
    }

    /// The same for the published state.
    pub(super) fn refusals(&self) -> impl Iterator<Item = Refusal> {
        self.known.iter().map(|trouble| Refusal {
            source: Source::File(self.path.clone()),
            problems: vec![Problem::new("", trouble.why.clone())],
            keeps: None,
            good: None,
            since: trouble.since,
        })
    }
}
