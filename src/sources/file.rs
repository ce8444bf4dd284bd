//! What is remembered of one manifest file, and what a new reading of it changes. Pure.

use std::rc::Rc;

use crate::pod::{Problem, ValidPod};
use crate::state::Source;
use crate::sys::{Mono, Wall};

use super::Message;
use super::dir::Tools;
use super::kept::Id;
use super::scan::Stamp;

/// One manifest file. Its bytes are not kept.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    /// Its path, as messages and the published state show it.
    pub(super) path: String,
    /// How it looked last.
    pub(super) stamp: Stamp,
    /// Since when it has looked like that.
    pub(super) since: Mono,
    /// How it looked when it was last judged; `None`: it has to be read, whatever it looks like.
    pub(super) judged: Option<Stamp>,
    /// Why it is not trusted, whatever is in it.
    pub(super) distrust: Option<String>,
    /// Since when it has been waiting for its judgement.
    pub(super) waiting: Option<Mono>,
    /// The last version that could be used. Stays when the file turns bad, ends with the file.
    pub(super) good: Option<Rc<ValidPod>>,
    /// When that version was first read, perhaps by an earlier agent.
    pub(super) good_read: Wall,
    /// What an earlier agent kept of it has been looked for.
    pub(super) looked_back: bool,
    /// Why the file as it is now cannot be used.
    pub(super) bad: Option<Bad>,
    /// What was said about the good version.
    warnings: Vec<String>,
    /// Which directory it was last seen in, counted from the first.
    pub(super) era: u64,
    /// Since when its name has been absent.
    pub(super) absent: Option<Mono>,
}

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bad {
    /// Everything that is wrong.
    pub(super) problems: Vec<Problem>,
    /// Since when.
    pub(super) since: Wall,
}

impl Manifest {
    /// A file that has just been seen for the first time.
    pub(super) fn new(path: String, stamp: Stamp, now: Mono) -> Manifest {
        Manifest {
            path,
            stamp,
            since: now,
            judged: None,
            distrust: None,
            waiting: None,
            good: None,
            good_read: Wall(0),
            looked_back: false,
            bad: None,
            warnings: Vec::new(),
            era: 0,
            absent: None,
        }
    }

    /// Nothing is known of it yet, neither good nor bad.
    pub(super) fn is_unread(&self) -> bool {
        self.good.is_none() && self.bad.is_none()
    }

    /// The file can be used.
    pub(super) fn accept(
        &mut self,
        pod: ValidPod,
        warnings: Vec<String>,
        read: Wall,
    ) -> Vec<Message> {
        let repaired = self.bad.take().is_some();
        let same =
            |old: &Rc<ValidPod>| old.key == pod.key && old.hash == pod.hash && old.uid == pod.uid;
        let event = match &self.good {
            None => Some("manifest read"),
            Some(old) if !same(old) => Some("manifest changed"),
            Some(_) => repaired.then_some("manifest repaired"),
        };
        let mut messages = Vec::new();
        if let Some(event) = event {
            messages.push(Message::info(event, &self.path).pod(&pod.key));
        }
        for warning in warnings
            .iter()
            .filter(|warning| !self.warnings.contains(warning))
        {
            messages.push(Message::warn("manifest warning", &self.path, warning).pod(&pod.key));
        }
        self.warnings = warnings;
        // The same pod stays the same object, so that an edited comment costs nothing further on.
        if !self.good.as_ref().is_some_and(same) {
            self.good = Some(Rc::new(pod));
        }
        self.good_read = read;
        messages
    }

    /// Takes up what an earlier agent kept, since the file as it is now cannot be used.
    pub(super) fn look_back(&mut self, tools: &Tools<'_>, out: &mut Vec<Message>) {
        if self.good.is_some() || std::mem::replace(&mut self.looked_back, true) {
            return;
        }
        let kept = match tools.cache.last(&self.id()) {
            None => return,
            Some(Ok(kept)) => kept,
            Some(Err(error)) => {
                let why = error.to_string();
                return out.push(Message::warn("kept manifest ignored", &self.path, &why));
            }
        };
        match (tools.reader)(kept.text.as_bytes()) {
            Ok(reading) => {
                let why = format!("of {}", kept.read);
                let message = Message::warn("last good manifest taken up", &self.path, &why);
                out.push(message.pod(&reading.pod.key));
                self.good = Some(Rc::new(reading.pod));
                self.good_read = kept.read;
            }
            Err(problems) => {
                let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let why = why.join("; ");
                out.push(Message::warn("kept manifest ignored", &self.path, &why));
            }
        }
    }

    /// The name under which it is kept.
    pub(super) fn id(&self) -> Id {
        Id::of_file(&self.path)
    }

    /// What it is to everybody else.
    pub(super) fn source(&self) -> Source {
        Source::File(self.path.clone())
    }

    /// The file cannot be used; the last good version stays.
    pub(super) fn refuse(&mut self, problems: Vec<Problem>, now: Wall) -> Vec<Message> {
        if self
            .bad
            .as_ref()
            .is_some_and(|bad| bad.problems == problems)
        {
            return Vec::new();
        }
        let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let mut why = why.join("; ");
        let key = self.good.as_ref().map(|pod| pod.key.clone());
        if key.is_some() {
            why.push_str(&format!("; running last good of {}", self.good_read));
        }
        self.bad = Some(Bad {
            problems,
            since: now,
        });
        let message = Message::warn("manifest refused", &self.path, &why);
        vec![match key {
            Some(key) => message.pod(&key),
            None => message,
        }]
    }
}
