//! What this machine is called, and where it can be reached.

use std::path::Path;

use crate::sys::files;

/// The kernel's table of routes has a line of 128 bytes for each.
const ROUTES_BYTES_MAX: usize = 1 << 20;

/// The host's name; empty when it has none.
pub(super) fn name() -> String {
    nix::unistd::gethostname()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// The first IPv4 address of the default route's interface; empty when there is none.
pub(super) fn address() -> String {
    let table = files::read_bounded(Path::new("/proc/net/route"), ROUTES_BYTES_MAX);
    let table = table.unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let Some(interface) = default_interface(&table) else {
        return String::new();
    };
    let addresses = nix::ifaddrs::getifaddrs().into_iter().flatten();
    addresses
        .filter(|address| address.interface_name == interface)
        .filter_map(|address| Some(address.address?.as_sockaddr_in()?.ip()))
        .find(|ip| !ip.is_loopback())
        .map(|ip| ip.to_string())
        .unwrap_or_default()
}

/// The interface of the default route with the smallest metric, from the kernel's table.
fn default_interface(table: &str) -> Option<String> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let metric: u32 = fields.get(6)?.parse().ok()?;
        let is_default = *fields.get(1)? == "00000000" && *fields.get(7)? == "00000000";
        is_default.then(|| (metric, (*fields.first().unwrap_or(&"")).to_owned()))
    });
    routes.min().map(|(_, interface)| interface)
}
