//! What this machine is, read for its Node object.

use std::collections::BTreeMap;
use std::path::Path;

use super::hugepages;
use crate::state::Node;
use crate::status::node::Machine;
use crate::sys::{Gather, files};

/// None of these files has more.
const FILE_BYTES_MAX: usize = 1 << 16;

/// What cannot be read stays empty: the Node is told all the same.
pub(super) fn machine(node: &Node) -> Machine {
    let machine_id = text("/etc/machine-id");
    let system_uuid = text("/sys/class/dmi/id/product_uuid");
    Machine {
        name: node.name.clone(),
        ip: node.ip.clone(),
        cpus: cpus(&text("/sys/devices/system/cpu/online")),
        memory_kib: field(&text("/proc/meminfo"), "MemTotal:"),
        disk_kib: disk_kib(&node.root_dir),
        hugepages: huge_pages(),
        system_uuid: if system_uuid.is_empty() {
            machine_id.clone()
        } else {
            system_uuid.to_lowercase()
        },
        machine_id,
        boot_id: text("/proc/sys/kernel/random/boot_id"),
        kernel: text("/proc/sys/kernel/osrelease"),
        os_image: os_image(&text("/etc/os-release")),
        architecture: match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        }
        .to_owned(),
        docker_version: String::new(),
        trouble: None,
    }
}

fn text(path: &str) -> String {
    let bytes = files::read_bounded(Path::new(path), FILE_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// How many there are in a list such as `0-3,6`; one when it cannot be read.
fn cpus(list: &str) -> u64 {
    let count = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.split(',').filter_map(count).sum::<u64>().max(1)
}

fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn disk_kib(root_dir: &str) -> u64 {
    nix::sys::statvfs::statvfs(root_dir).map_or(0, |fs| {
        #[allow(clippy::useless_conversion)] // narrower on 32-bit machines
        let (blocks, size) = (u64::from(fs.blocks()), u64::from(fs.fragment_size()));
        blocks.saturating_mul(size) / 1024
    })
}

fn huge_pages() -> BTreeMap<String, u64> {
    let named = |(page, bytes)| (hugepages::size_name(page), bytes);
    hugepages::set_aside().into_iter().map(named).gather()
}

fn os_image(text: &str) -> String {
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{cpus, field, os_image};

    #[test]
    fn files_are_read_as_the_kernel_writes_them() {
        assert_eq!(cpus("0-3,6"), 5);
        assert_eq!(cpus("0"), 1);
        assert_eq!(cpus(""), 1);
        assert_eq!(cpus("9-0,x"), 1);
        assert_eq!(field("MemTotal:   24683656 kB\n", "MemTotal:"), 24_683_656);
        assert_eq!(os_image("ID=x\nPRETTY_NAME=\"Debian 12\"\n"), "Debian 12");
    }
}
