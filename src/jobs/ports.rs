//! Who has the port that a pod wants.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use crate::docker::{Docker, wire};

/// The ports of the machine that a pod asks for, by its own.
type Bindings = BTreeMap<String, Vec<wire::PortBinding>>;

/// The tables of sockets in /proc; a busy machine has 100 bytes for each of some 10,000.
const TABLE_BYTES_MAX: usize = 16 << 20;

/// dockerd's words, with the port and its owner before them when they tell of a port that is taken.
pub(super) fn explain(docker: &Docker, bindings: &Bindings, said: &str) -> String {
    let taken = ["port is already allocated", "address already in use"];
    let Some(port) = taken_port(said).filter(|_| taken.iter().any(|words| said.contains(words)))
    else {
        return said.to_owned();
    };
    let protocol = protocol(bindings, port);
    let owner = port_owner(docker, (port, protocol, None));
    format!(
        "port {port}/{} is taken{}: {said}",
        protocol.to_uppercase(),
        owner.map_or(String::new(), |owner| format!(" by {owner}"))
    )
}

/// Who listens on a port of the machine: a container or a program. The port, `tcp` or `udp`, and the address that
/// somebody else wants to listen on, where only who is in its way is of interest. `None`: nobody, or it cannot be told.
pub fn port_owner(
    docker: &Docker,
    (port, protocol, ip): (u16, &str, Option<IpAddr>),
) -> Option<String> {
    let (program, pid) = owner(port, protocol, ip)?;
    Some(match behind(docker, pid, &program) {
        Some(container) => container,
        None => format!("{program} (pid {pid})"),
    })
}

/// The port in dockerd's words: `Bind for 0.0.0.0:80 failed: ...`, `listen tcp4 0.0.0.0:80: bind: ...`.
pub(super) fn taken_port(said: &str) -> Option<u16> {
    let end = [
        " failed: port is already allocated",
        ": bind: address already in use",
    ]
    .iter()
    .find_map(|words| said.find(words))?;
    let (_, port) = said.get(..end)?.rsplit_once(':')?;
    port.parse().ok()
}

/// The protocol under which the pod asks for this port of the machine.
fn protocol(bindings: &Bindings, port: u16) -> &str {
    let port = port.to_string();
    bindings
        .iter()
        .find(|(_, asked)| asked.iter().any(|binding| binding.host_port == port))
        .and_then(|(inside, _)| Some(inside.rsplit_once('/')?.1))
        .unwrap_or("tcp")
}

/// The program that listens on a port, with its process id.
fn owner(port: u16, protocol: &str, ip: Option<IpAddr>) -> Option<(String, u32)> {
    let inodes: Vec<u64> = [
        format!("/proc/net/{protocol}"),
        format!("/proc/net/{protocol}6"),
    ]
    .iter()
    .filter_map(|path| std::fs::read(path).ok())
    .filter(|bytes| bytes.len() <= TABLE_BYTES_MAX)
    .flat_map(|bytes| listeners(&String::from_utf8_lossy(&bytes), port, ip))
    .collect();
    let targets: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if targets.is_empty() {
        return None;
    }
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|s| s.parse().ok()) else {
            continue;
        };
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let has = fds.flatten().any(|fd| {
            std::fs::read_link(fd.path())
                .is_ok_and(|link| targets.iter().any(|target| link == Path::new(target)))
        });
        if has {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((name.trim().to_owned(), pid));
        }
    }
    None
}

/// The inodes of the sockets that wait on a port, from a table of /proc/net. State 0A listens; UDP has 07 only. With an
/// address only those that are in the way of it.
fn listeners(table: &str, port: u16, ip: Option<IpAddr>) -> Vec<u64> {
    let mark = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next()?, words.nth(1)?);
            let waits = local.ends_with(&mark) && matches!(state, "0A" | "07");
            let waits = waits && is_in_way(local.strip_suffix(&mark)?, ip);
            waits.then(|| words.nth(5)?.parse().ok()).flatten()
        })
        .collect()
}

/// Whether a socket at this address, in the kernel's hex, takes a port away from another one. One of them for all
/// addresses does; of two families none is known to.
fn is_in_way(hex: &str, ip: Option<IpAddr>) -> bool {
    let word = |at: usize| {
        Some(
            u32::from_str_radix(hex.get(at..at + 8)?, 16)
                .ok()?
                .to_le_bytes(),
        )
    };
    let local: Option<IpAddr> = match hex.len() {
        8 => word(0).map(IpAddr::from),
        32 => {
            let words: Option<Vec<[u8; 4]>> = [0, 8, 16, 24].into_iter().map(word).collect();
            let bytes: Option<[u8; 16]> = words.and_then(|words| words.concat().try_into().ok());
            bytes.map(|bytes| IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    };
    match (local, ip) {
        (Some(local), Some(ip)) => local == ip || local.is_unspecified() || ip.is_unspecified(),
        (None, _) | (_, None) => true,
    }
}

/// When the program is dockerd's proxy: the container behind it, by name as far as it has our labels.
fn behind(docker: &Docker, pid: u32, program: &str) -> Option<String> {
    if program != "docker-proxy" {
        return None;
    }
    let path = format!("/proc/{pid}/cmdline");
    let line = std::fs::read(path).ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    let mut words = line.split('\0').skip_while(|word| *word != "-container-ip");
    let ip = words.nth(1)?;
    let at = |summary: &wire::Summary| {
        let mut networks = summary.network_settings.networks.values();
        networks.any(|network| network.ip_address == ip || network.global_ipv6_address == ip)
    };
    let list = docker.list().ok()?;
    let found = list.iter().find(|summary| at(summary));
    Some(match found.and_then(|summary| summary.names.first()) {
        Some(name) => format!("container {}", name.trim_start_matches('/')),
        None => format!("a container at {ip}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_in_dockerd_words() {
        let cases = [
            (
                "x: Bind for 0.0.0.0:80 failed: port is already allocated",
                Some(80),
            ),
            (
                "x: listen tcp4 0.0.0.0:8080: bind: address already in use",
                Some(8080),
            ),
            (
                "x: listen tcp [::1]:53: bind: address already in use",
                Some(53),
            ),
            ("no such image", None),
        ];
        for (said, port) in cases {
            assert_eq!(taken_port(said), port, "{said}");
        }
    }

    #[test]
    fn listeners_of_a_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n\
             1: 0100007F:0050 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0\n";
        assert_eq!(listeners(table, 80, None), [4711]);
        assert!(listeners(table, 81, None).is_empty());
    }

    #[test]
    fn addresses_in_the_way() {
        let rows = [
            ("00000000", "127.0.0.1", true),
            ("0100007F", "127.0.0.1", true),
            ("0100007F", "127.0.0.2", false),
            ("0100007F", "0.0.0.0", true),
            ("00000000000000000000000000000000", "10.0.0.1", true),
            ("0000000000000000FFFF00000100007F", "127.0.0.1", true),
            ("00000000000000000000000001000000", "::1", true),
            ("00000000000000000000000001000000", "10.0.0.1", false),
        ];
        for (hex, ip, wanted) in rows {
            assert_eq!(is_in_way(hex, ip.parse().ok()), wanted, "{hex} {ip}");
        }
    }
}
