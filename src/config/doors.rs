//! The ports that are listened on.

use std::net::{IpAddr, SocketAddr};

use super::Given;
use crate::serve::{Door, What};

impl Given<'_> {
    /// Every port that is not 0.
    pub(super) fn doors(&mut self) -> Vec<Door> {
        let health = self.address("healthz-bind-address", "healthz-port");
        let read_only = self.address("address", "read-only-port");
        let doors = [(health, What::Health), (read_only, What::ReadOnly)];
        let doors = doors.into_iter().filter_map(|(at, what)| Some((at?, what)));
        doors.map(|(at, what)| Door { at, what }).collect()
    }

    /// An address and a port; `None` when the port is 0, or either is wrong.
    fn address(&mut self, ip: &str, port: &str) -> Option<SocketAddr> {
        let ip = self.checked(ip, |text| {
            let text = text.trim_matches(['[', ']']);
            let ip = text.parse::<IpAddr>();
            ip.map(Some).map_err(|_| "is no IP address".to_owned())
        });
        let port = self.checked(port, |text| {
            text.parse().map_err(|_| "must be a port, or 0".to_owned())
        });
        ip.filter(|_| port != 0).map(|ip| SocketAddr::new(ip, port))
    }
}
