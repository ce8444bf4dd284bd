//! How far a pull is, from the lines dockerd writes about its layers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::docker::wire::PullLine;
use crate::state::Progress;
use crate::sys::Mono;

/// Told at most this often.
const EVERY: Duration = Duration::from_secs(1);

/// An image has at most 127 layers; lines about more are not counted.
const LAYERS_MAX: usize = 256;

#[derive(Default)]
struct Layer {
    bytes: u64,
    bytes_total: u64,
    complete: bool,
}

/// The sum over the layers.
#[derive(Default)]
pub(super) struct Tally {
    layers: BTreeMap<String, Layer>,
    told: Progress,
    told_at: Option<Mono>,
}

impl Tally {
    /// Takes in a line; the progress when it changed and was not told just now.
    pub(super) fn take(&mut self, line: &PullLine, now: Mono) -> Option<Progress> {
        let is_layer = matches!(
            line.status.as_str(),
            "Pulling fs layer"
                | "Waiting"
                | "Downloading"
                | "Verifying Checksum"
                | "Download complete"
                | "Extracting"
                | "Pull complete"
                | "Already exists"
        );
        if !is_layer || (self.layers.len() >= LAYERS_MAX && !self.layers.contains_key(&line.id)) {
            return None;
        }
        let layer = self.layers.entry(line.id.clone()).or_default();
        match line.status.as_str() {
            "Downloading" => {
                layer.bytes = u64::try_from(line.progress_detail.current).unwrap_or(0);
                layer.bytes_total = u64::try_from(line.progress_detail.total)
                    .unwrap_or(0)
                    .max(layer.bytes);
            }
            "Download complete" | "Extracting" => layer.bytes = layer.bytes_total,
            "Pull complete" | "Already exists" => {
                layer.bytes = layer.bytes_total;
                layer.complete = true;
            }
            _ => {}
        }
        let progress = self.sum();
        let just_told = self.told_at.is_some_and(|at| now.since(at) < EVERY);
        if progress == self.told || just_told {
            return None;
        }
        self.told = progress.clone();
        self.told_at = Some(now);
        Some(progress)
    }

    fn sum(&self) -> Progress {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Progress {
            bytes: self.layers.values().map(|layer| layer.bytes).sum(),
            bytes_total: self.layers.values().map(|layer| layer.bytes_total).sum(),
            layers: count(self.layers.values().filter(|layer| layer.complete).count()),
            layers_total: count(self.layers.len()),
        }
    }
}
