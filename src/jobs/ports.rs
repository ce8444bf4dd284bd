//! Who has the port that a pod wants.

use std::collections::BTreeMap;
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
    let owner = owner(port, protocol).map(|(program, pid)| match behind(docker, pid, &program) {
        Some(container) => format!(" by {container}"),
        None => format!(" by {program} (pid {pid})"),
    });
    format!(
        "port {port}/{} is taken{}: {said}",
        protocol.to_uppercase(),
        owner.unwrap_or_default()
    )
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
fn owner(port: u16, protocol: &str) -> Option<(String, u32)> {
    let inodes: Vec<u64> = [
        format!("/proc/net/{protocol}"),
        format!("/proc/net/{protocol}6"),
    ]
    .iter()
    .filter_map(|path| std::fs::read(path).ok())
    .filter(|bytes| bytes.len() <= TABLE_BYTES_MAX)
    .flat_map(|bytes| listeners(&String::from_utf8_lossy(&bytes), port))
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

/// The inodes of the sockets that wait on a port, from a table of /proc/net. State 0A listens; UDP has 07 only.
pub(super) fn listeners(table: &str, port: u16) -> Vec<u64> {
    let mark = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next()?, words.nth(1)?);
            let waits = local.ends_with(&mark) && matches!(state, "0A" | "07");
            waits.then(|| words.nth(5)?.parse().ok()).flatten()
        })
        .collect()
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
        assert_eq!(listeners(table, 80), [4711]);
        assert!(listeners(table, 81).is_empty());
    }
}
