//! What happens to containers, with the time at which this process heard of it.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use staticlet::docker::Docker;

/// One event.
#[derive(Clone)]
pub struct Seen {
    pub at: Instant,
    pub action: String,
    pub name: String,
}

/// All events so far, kept by a thread of its own.
#[derive(Clone, Default)]
pub struct Events {
    seen: Arc<(Mutex<Vec<Seen>>, Condvar)>,
}

impl Events {
    /// Follows the event stream for as long as this process lives. Returns once it is open.
    pub fn follow(socket: &str) -> Events {
        let events = Events::default();
        let (open, is_open) = std::sync::mpsc::channel();
        let (docker, to) = (Docker::new(socket, None), events.clone());
        std::thread::spawn(move || {
            let _ = docker.events(&mut |line| {
                match line {
                    None => drop(open.send(())),
                    Some(line) => to.add(&line.action, line.actor.attributes.get("name")),
                }
                ControlFlow::Continue(())
            });
        });
        is_open.recv().expect("dockerd gives no events");
        events
    }

    fn add(&self, action: &str, name: Option<&String>) {
        let seen = Seen {
            at: Instant::now(),
            action: action.to_owned(),
            name: name.cloned().unwrap_or_default(),
        };
        self.seen.0.lock().unwrap().push(seen);
        self.seen.1.notify_all();
    }

    /// Forgets what was, so that waiting is for what comes.
    pub fn clear(&self) {
        self.seen.0.lock().unwrap().clear();
    }

    /// Waits for `count` events `action` of containers whose names `of` likes; the time of the last of them.
    ///
    /// # Errors
    /// A minute without them, and a second more for each.
    pub fn wait(
        &self,
        action: &str,
        count: usize,
        of: impl Fn(&str) -> bool,
    ) -> Result<Instant, String> {
        let wait = Duration::from_secs(60 + count as u64);
        let until = Instant::now() + wait;
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            let mut hits = seen
                .iter()
                .filter(|one| one.action == action && of(&one.name));
            if let Some(last) = count.checked_sub(1).and_then(|last| hits.nth(last)) {
                return Ok(last.at);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let there = seen.iter().filter(|one| one.action == action).count();
                return Err(format!(
                    "no {count} events {action} within {wait:?}, {there} of any container"
                ));
            }
            seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
        }
    }
}
