//! The machine itself: clock, name servers, privileges, disks.

use std::net::IpAddr;
use std::path::Path;

use super::Finding;
use crate::agent;
use crate::jobs::node_resolver;
use crate::state::Node;
use crate::sys::{Wall, files};

/// When this program was built, in seconds since 1970, by the build script.
const BUILT: &str = env!("STATICLET_BUILT");

/// What containers are set up with (linux/capability.h), and what does not work without it.
const CAPABILITIES: [(u32, &str, &str); 3] = [
    (0, "CAP_CHOWN", "fsGroup and the owners of files"),
    (
        1,
        "CAP_DAC_OVERRIDE",
        "directories of pods that run as other users",
    ),
    (
        21,
        "CAP_SYS_ADMIN",
        "volumes in memory, subPath and propagation of mounts",
    ),
];

/// A kubelet evicts pods below these parts of the disk that are left (`nodefs.available`, `nodefs.inodesFree`).
const BYTES_LEFT_PERCENT: u64 = 10;
const FILES_LEFT_PERCENT: u64 = 5;

/// With less than this no pod can be started: images, logs and manifests need it.
const BYTES_LEFT_MIN: u64 = 64 << 20;

/// A clock that is before the program itself was never set.
pub(super) fn clock(now: Wall) -> Finding {
    let built = Wall(BUILT.parse::<i64>().unwrap_or(0).saturating_mul(1_000_000));
    let year = |at: Wall| {
        at.to_string()
            .split('-')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    if year(now) < year(built) {
        let year = year(built);
        return Finding::bad(
            "clock",
            format!(
                "it says {now}, and this program is of {year}: no certificate is valid; set it, or start NTP before the agent"
            ),
        );
    }
    Finding::ok("clock", now.to_string())
}

/// The resolver file that pods inherit.
pub(super) fn dns(node: &Node) -> Finding {
    let path = &node.resolv_conf;
    if path.is_empty() {
        return Finding::ok(
            "dns",
            "pods inherit no resolver file (--resolv-conf is empty)",
        );
    }
    let text = match node_resolver(node) {
        Ok(Some(text)) => text,
        Ok(None) => {
            return Finding::warn(
                "dns",
                format!(
                    "{path}: there is none: Docker chooses servers for pods, public ones if it knows no others; \
                     write it, or give --resolv-conf= for none"
                ),
            );
        }
        Err(error) => {
            return Finding::bad(
                "dns",
                format!(
                    "{path}: {}; make it, or give another one with --resolv-conf",
                    error.said()
                ),
            );
        }
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let servers: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("nameserver")?
                .split_whitespace()
                .next()
        })
        .collect();
    let wrong = servers.iter().find(|server| {
        // An address of one link has its name after it.
        let address = server.split('%').next().unwrap_or_default();
        address.parse::<IpAddr>().is_err()
    });
    let is_local = |server: &&str| server.starts_with("127.") || *server == "::1";
    if let Some(wrong) = wrong {
        Finding::warn(
            "dns",
            format!("{path}: nameserver {wrong} is no IP address; mend it"),
        )
    } else if servers.is_empty() {
        Finding::warn(
            "dns",
            format!("{path} names no server: no pod finds a name; add a line nameserver IP"),
        )
    } else if servers.iter().all(is_local) {
        Finding::warn(
            "dns",
            format!(
                "{path} names {} only, which is not reached from a pod's network: Docker's own choice of servers holds there; \
                 give --resolv-conf=/run/systemd/resolve/resolv.conf with systemd-resolved",
                servers.join(" ")
            ),
        )
    } else {
        Finding::ok("dns", format!("{path}: {}", servers.join(" ")))
    }
}

/// What this user may do. The agent needs root for the directories of pods.
pub(super) fn privileges() -> Vec<Finding> {
    let user = nix::unistd::geteuid();
    if !user.is_root() {
        let said = format!(
            "this is user {user}; the agent needs root, and what follows is as this user sees it"
        );
        return vec![Finding::warn("privileges", said)];
    }
    let status = files::read_bounded(Path::new("/proc/self/status"), 1 << 16).unwrap_or_default();
    let status = String::from_utf8_lossy(&status).into_owned();
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    let Some(set) = set else {
        return vec![Finding::warn(
            "privileges",
            "/proc/self/status does not tell the capabilities",
        )];
    };
    let lacks = CAPABILITIES.iter().filter(|(bit, ..)| set >> bit & 1 == 0);
    let lacks: Vec<Finding> = lacks
        .map(|(_, name, what)| {
            let said =
                format!("root without {name}: {what} do not work; give the agent this capability");
            Finding::warn("privileges", said)
        })
        .collect();
    if lacks.is_empty() {
        return vec![Finding::ok("privileges", "root")];
    }
    lacks
}

/// Whether an agent has the root directory.
pub(super) fn agent(node: &Node) -> Option<Finding> {
    let root = &node.root_dir;
    Some(match agent::holder(root) {
        Some(holder) => Finding::ok("agent", format!("{holder} has {root}")),
        None => Finding::warn(
            "agent",
            format!("none runs on {root}: nothing restarts its pods; start it"),
        ),
    })
}

/// The room on the disk of a directory, or of the one that it will be made in.
pub(super) fn disk(what: &'static str, dir: &str) -> Finding {
    let there = Path::new(dir).ancestors().find(|path| path.exists());
    let there = there
        .unwrap_or(Path::new("/"))
        .to_string_lossy()
        .into_owned();
    let Some((bytes, left)) = files::disk_room(&there) else {
        return Finding::warn(what, format!("the room at {dir} cannot be told"));
    };
    let share = |all: u64, left: u64| left.saturating_mul(100).checked_div(all).unwrap_or(100);
    let text = format!("{dir}: {} of {} MiB are left", left >> 20, bytes >> 20);
    let few =
        files::disk_files(&there).filter(|(all, left)| share(*all, *left) < FILES_LEFT_PERCENT);
    if left < BYTES_LEFT_MIN {
        Finding::bad(what, format!("{text}: no pod can start; make room"))
    } else if let Some((all, left)) = few {
        Finding::warn(
            what,
            format!("{dir}: {left} of {all} files are left; remove some"),
        )
    } else if share(bytes, left) < BYTES_LEFT_PERCENT {
        Finding::warn(
            what,
            format!("{text}, less than {BYTES_LEFT_PERCENT} %; make room"),
        )
    } else {
        Finding::ok(what, text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_clock_before_the_program_was_built_is_bad() {
        let built = BUILT.parse::<i64>().unwrap_or(0) * 1_000_000;
        let year = 365 * 24 * 3600 * 1_000_000;
        for (now, level) in [
            (Wall(0), Level::Bad),
            (Wall(built - 2 * year), Level::Bad),
            (Wall(built), Level::Ok),
            (Wall(built + 20 * year), Level::Ok),
        ] {
            let found = clock(now);
            assert_eq!(found.level, level, "{found}");
        }
        assert!(
            clock(Wall(0))
                .said
                .starts_with("it says 1970-01-01T00:00:00Z, and this program is of 2")
        );
    }
}
