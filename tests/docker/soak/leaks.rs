//! What a process holds, and the line through its memory.

use std::fmt;
use std::fs;
use std::time::Instant;

/// Files, jobs and zombies of a process.
#[derive(Debug)]
pub(super) struct Open {
    files: usize,
    jobs: usize,
    zombies: usize,
}

/// Connections that come and go: a list under way, a log line being written.
const FILES_MORE: usize = 4;

impl Open {
    pub(super) fn of(pid: u32) -> Open {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let children: Vec<&str> = children.split_whitespace().collect();
        let is_zombie = |pid: &&&str| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('Z'))
        };
        Open {
            files,
            jobs: children.len(),
            zombies: children.iter().filter(is_zombie).count(),
        }
    }

    pub(super) fn is_within(&self, before: &Open) -> bool {
        self.zombies == 0 && self.jobs <= before.jobs && self.files <= before.files + FILES_MORE
    }
}

/// Anonymous memory over time: what the program's file maps does not count.
#[derive(Default)]
pub(super) struct Watch {
    begin: Option<Instant>,
    /// Minutes, and KiB.
    samples: Vec<(f64, f64)>,
}

impl Watch {
    pub(super) fn sample(&mut self, pid: u32) {
        let begin = *self.begin.get_or_insert_with(Instant::now);
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        let kib: f64 = kib
            .and_then(|kib| kib.parse().ok())
            .expect("RssAnon in /proc");
        self.samples
            .push((begin.elapsed().as_secs_f64() / 60.0, kib));
    }

    /// KiB a minute, by least squares.
    pub(super) fn slope(&self) -> f64 {
        let count = self.samples.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.samples.iter().map(of).sum::<f64>() / count;
        let (at, kib) = (mean(|one| one.0), mean(|one| one.1));
        let with = |one: &(f64, f64)| (one.0 - at) * (one.1 - kib);
        let spread: f64 = self.samples.iter().map(|one| (one.0 - at).powi(2)).sum();
        self.samples.iter().map(with).sum::<f64>() / spread.max(f64::MIN_POSITIVE)
    }

    /// KiB between the means of the first and the last tenth.
    pub(super) fn growth(&self) -> f64 {
        let tenth = (self.samples.len() / 10).max(1);
        let mean = |of: &[(f64, f64)]| of.iter().map(|one| one.1).sum::<f64>() / of.len() as f64;
        mean(&self.samples[self.samples.len() - tenth..]) - mean(&self.samples[..tenth])
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kib = |better: fn(f64, f64) -> f64, from| {
            self.samples.iter().map(|one| one.1).fold(from, better)
        };
        write!(
            to,
            "memory: {} samples over {:.1} min, {:.0} to {:.0} KiB, {:+.2} KiB a minute, {:+.0} KiB from first to last tenth",
            self.samples.len(),
            self.samples.last().map_or(0.0, |one| one.0),
            kib(f64::min, f64::MAX),
            kib(f64::max, 0.0),
            self.slope(),
            self.growth(),
        )
    }
}
