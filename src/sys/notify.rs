//! Tells the service manager (systemd, `Type=notify`) that the agent is ready, how it is, and that its loop turns.
//!
//! Source: sd_notify(3). A datagram that cannot be sent is dropped: nobody waits for a service manager.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::Mono;

/// Of one status text; systemd shows one line.
const STATUS_BYTES_MAX: usize = 300;

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notify {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    next: Mono,
    status: String,
}

impl Notify {
    /// From the values of `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    pub fn new(socket: Option<&OsStr>, watchdog_usec: Option<&str>) -> Notify {
        let address = socket.and_then(|socket| {
            let bytes = socket.as_bytes();
            match bytes.strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name).ok(),
                None => SocketAddr::from_pathname(socket).ok(),
            }
        });
        let to = address.and_then(|address| {
            let socket = UnixDatagram::unbound().ok()?;
            socket.set_nonblocking(true).ok()?;
            Some((socket, address))
        });
        let usec = watchdog_usec.and_then(|text| text.parse().ok());
        let watchdog = usec
            .filter(|usec| *usec > 0)
            // Half of it, as sd_watchdog_enabled(3) advises.
            .map(|usec: u64| Duration::from_micros(usec) / 2);
        Notify {
            watchdog: watchdog.filter(|_| to.is_some()),
            to,
            ..Notify::default()
        }
    }

    fn say(&self, text: &str) {
        if let Some((socket, address)) = &self.to {
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }

    /// The agent does its work.
    pub fn ready(&self) {
        self.say("READY=1\n");
    }

    /// Everything is read again; [`Notify::ready`] ends it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_or(0, |t| t.tv_sec() * 1_000_000 + t.tv_nsec() / 1000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={now}\n"));
    }

    /// The agent ends.
    pub fn stopping(&self) {
        self.say("STOPPING=1\n");
    }

    /// One line for `systemctl status`; sent when it is another one than before.
    pub fn status(&mut self, text: &str) {
        if self.to.is_none() || self.status == text {
            return;
        }
        text.clone_into(&mut self.status);
        let line: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(STATUS_BYTES_MAX)
            .collect();
        self.say(&format!("STATUS={line}\n"));
    }

    /// The loop turns: feeds the watchdog when it is time to.
    pub fn alive(&mut self, now: Mono) {
        if let Some(every) = self.watchdog
            && now >= self.next
        {
            self.next = now.after(every);
            self.say("WATCHDOG=1\n");
        }
    }

    /// When the watchdog is to be fed.
    pub fn due(&self) -> Option<Mono> {
        self.watchdog.map(|_| self.next)
    }
}
