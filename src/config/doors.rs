//! The ports that are listened on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Given;
use crate::serve::{Door, What};

/// As in the kubelet.
const HEALTHZ_PORT: u16 = 10248;

impl Given<'_> {
    /// Every port that is not 0.
    pub(super) fn doors(&mut self) -> Vec<Door> {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = |text: &str| text.parse().map_err(|_| "must be a port, or 0".to_owned());
        let ip = |text: &str| {
            let text = text.trim_matches(['[', ']']);
            text.parse::<IpAddr>()
                .map_err(|_| "is no IP address".to_owned())
        };
        let health = SocketAddr::new(
            self.checked(("healthz-bind-address", "healthzBindAddress"), here, ip),
            self.checked(("healthz-port", "healthzPort"), HEALTHZ_PORT, port),
        );
        let read_only = SocketAddr::new(
            self.checked(("address", "address"), any, ip),
            self.checked(("read-only-port", "readOnlyPort"), 0, port),
        );
        let doors = [(health, What::Health), (read_only, What::ReadOnly)];
        let doors = doors.into_iter().filter(|(at, _)| at.port() != 0);
        doors.map(|(at, what)| Door { at, what }).collect()
    }
}
