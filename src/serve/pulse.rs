//! How the agent is, at one instant: all that a page needs beside the published state.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long dockerd may fail before the agent counts as sick: one that is being restarted is back before.
const DOCKER_GRACE: Duration = Duration::from_secs(5);

/// The upper bounds of the buckets of [`Histogram`], in seconds; those of the kubelet, those between left out.
const BOUNDS: [u64; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 60, 180, 600, 3600];

/// Numbers and states.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pulse {
    /// Where the published state is.
    pub run_dir: String,
    /// The node's name.
    pub node: String,
    /// Why dockerd cannot be read, and for how long.
    pub docker_error: Option<(String, Duration)>,
    /// Every source has been read once.
    pub complete: bool,
    /// Pods that are wanted.
    pub desired_pods: usize,
    /// Pods with a sandbox that runs.
    pub running_pods: usize,
    /// Containers that run, have exited, were made and never run, are in no state of ours.
    pub containers: [usize; 4],
    /// Manifests that are not followed.
    pub refused: usize,
    /// Those of them whose pod runs in its last good version.
    pub last_good: usize,
    /// Image archives that wait, are being loaded, are loaded, cannot be loaded.
    pub archives: [usize; 4],
    /// Images removed since the start, for their age and for room.
    pub reclaimed: [u64; 2],
    /// How full Docker's disk is, in percent; not known before the first look at it.
    pub disk_percent: Option<u64>,
    /// Jobs at work.
    pub jobs: usize,
    /// Looks at dockerd since the start, and those of them that failed.
    pub looks: (u64, u64),
    /// When the agent started, in seconds since 1970.
    pub started: i64,
    /// From seeing a pod for the first time to its containers running.
    pub pod_starts: Histogram,
}

impl Pulse {
    /// One line for a person.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{} pods wanted, {} running",
            self.desired_pods, self.running_pods
        );
        if self.refused > 0 {
            line.push_str(&format!(", {} manifests refused", self.refused));
        }
        if let Some((error, _)) = &self.docker_error {
            line.push_str(&format!("; dockerd: {error}"));
        }
        line
    }

    /// Why the agent is not well; `None`: it is.
    pub fn sickness(&self) -> Option<&str> {
        let (error, since) = self.docker_error.as_ref()?;
        (*since >= DOCKER_GRACE).then_some(error.as_str())
    }
}

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum_ms: u64,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&mut self, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(ms <= bound * 1000);
        }
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Every bucket with its bound, then the count and the sum in seconds.
    pub(super) fn parts(&self) -> (impl Iterator<Item = (u64, u64)>, u64, f64) {
        let buckets = BOUNDS.into_iter().zip(self.buckets);
        (buckets, self.count, self.sum_ms as f64 / 1000.0)
    }
}
