//! The agent's side: listens, and hands each connection to a process of its own.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::Pulse;
use crate::sys::{Error, Guest, Kind, Mono, Result};

/// Connections at a time; more of them wait in the kernel.
const GUESTS_MAX: usize = 16;

/// For one connection, from its first byte to its last. Longer: sixteen clients that say nothing keep a watchdog from
/// its answer for longer.
const GUEST_DEADLINE: Duration = Duration::from_secs(5);

/// A port that somebody else has is tried again this often.
const RETRY: Duration = Duration::from_secs(30);

/// The pause after a connection that could not be taken, as when no descriptor is left.
const REST: Duration = Duration::from_secs(1);

/// What is served at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Health and numbers; pods without the values of their variables.
    Health,
    /// The kubelet's read-only port: the pods whole.
    ReadOnly,
}

/// One port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Door {
    /// Where.
    pub at: SocketAddr,
    /// What for.
    pub what: What,
}

/// The ports, and who is being answered.
#[derive(Default)]
pub struct Doors {
    doors: Vec<(Door, Option<TcpListener>)>,
    retry: Mono,
    guests: Vec<(Guest, Mono)>,
    /// Until then nobody is let in: the last attempt failed, and the same client would ring for ever.
    rest: Option<Mono>,
}

impl Doors {
    /// Ports that are not open yet.
    pub fn new(doors: Vec<Door>) -> Doors {
        Doors {
            doors: doors.into_iter().map(|door| (door, None)).collect(),
            ..Doors::default()
        }
    }

    /// Has these ports from now on; those that were open before stay so.
    pub fn set(&mut self, doors: Vec<Door>) {
        let mut before = std::mem::take(&mut self.doors);
        let open = |door: Door| {
            let known = before.iter_mut().find(|(known, _)| *known == door);
            (door, known.and_then(|(_, open)| open.take()))
        };
        self.doors = doors.into_iter().map(open).collect();
        self.retry = Mono(0);
    }

    /// Opens those that are not, if it is time to try. Gives what could not be opened.
    pub fn open(&mut self, now: Mono) -> Vec<Error> {
        if now < self.retry {
            return Vec::new();
        }
        self.retry = now.after(RETRY);
        let mut errors = Vec::new();
        for (door, listener) in self.doors.iter_mut().filter(|(_, open)| open.is_none()) {
            match listen(door.at) {
                Ok(open) => *listener = Some(open),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// When something has to be done that nothing rings for.
    pub fn due(&self) -> Option<Mono> {
        let closed = self.doors.iter().any(|(_, open)| open.is_none());
        let guests = self.guests.iter().map(|(_, deadline)| *deadline);
        let due = guests.chain(closed.then_some(self.retry)).chain(self.rest);
        due.min()
    }

    /// What to poll: somebody is at a door. Nothing while the house is full.
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        if self.guests.len() >= GUESTS_MAX || self.rest.is_some() {
            return Vec::new();
        }
        let open = self.doors.iter().filter_map(|(_, open)| open.as_ref());
        open.map(AsFd::as_fd).collect()
    }

    /// Lets in whoever is there, and sees off those who are done or too slow. Never waits.
    ///
    /// # Errors
    /// The last process that could not be started; its client is turned away.
    pub fn attend(&mut self, now: Mono, pulse: &dyn Fn() -> Pulse) -> Result<()> {
        self.guests.retain_mut(|(guest, deadline)| {
            if *deadline <= now {
                guest.kill();
            }
            !guest.is_gone()
        });
        self.rest = self.rest.filter(|rest| *rest > now);
        let mut result = Ok(());
        for (door, open) in &self.doors {
            let Some(open) = open else { continue };
            while self.guests.len() < GUESTS_MAX && self.rest.is_none() {
                let stream = match open.accept() {
                    Ok((stream, _)) => stream,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => {
                        self.rest = Some(now.after(REST));
                        result = Err(Error::io(format!("accept at {}", door.at), &error));
                        break;
                    }
                };
                let page = match door.what {
                    What::Health => "health",
                    What::ReadOnly => "read-only",
                };
                let text = serde_json::to_string(&pulse()).unwrap_or_default();
                match Guest::start(&["serve", page], &text, stream) {
                    Ok(guest) => self.guests.push((guest, now.after(GUEST_DEADLINE))),
                    Err(error) => result = Err(error),
                }
            }
        }
        result
    }
}

fn listen(at: SocketAddr) -> Result<TcpListener> {
    let doing = || format!("listen on {at}");
    let listener = TcpListener::bind(at).map_err(|e| Error::io(doing(), &e))?;
    listener
        .set_nonblocking(true)
        .map_err(|e| Error::new(doing(), Kind::Refused, e))?;
    Ok(listener)
}
