//! What a process and its children use.

use std::time::Duration;

/// A line of `/proc/<pid>/status` in KiB, such as `VmRSS`.
pub fn memory_kib(pid: u32, field: &str) -> u64 {
    status(pid, field).parse().unwrap_or(0)
}

/// KiB of memory in which a page that several processes share counts for each with its part.
pub fn shared_kib(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    number_of(&text, "Pss").parse().unwrap_or(0)
}

/// How many threads the process has.
pub fn threads(pid: u32) -> u64 {
    status(pid, "Threads").parse().unwrap_or(0)
}

fn status(pid: u32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    number_of(&text, field)
}

fn number_of(text: &str, field: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.unwrap_or("0").to_owned()
}

/// CPU time so far of the process, of the children that it has reaped, and of those that live.
pub fn cpu(pid: u32) -> Duration {
    let children: u64 = children(pid).into_iter().map(|child| ticks(child, 2)).sum();
    // Ticks are 10 ms on every Linux.
    Duration::from_millis((ticks(pid, 4) + children) * 10)
}

/// The children that live.
pub fn children(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let list = list.unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// The sum of the first of `utime stime cutime cstime`.
fn ticks(pid: u32, count: usize) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times = after_name.split_whitespace().skip(11).take(count);
    times.filter_map(|time| time.parse::<u64>().ok()).sum()
}
