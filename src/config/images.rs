//! When images are removed.

use std::time::Duration;

use super::given::Given;
use super::values;
use crate::decide::ReclaimLimits;

/// What a zero stands for, as in the kubelet.
const AGE_MIN: Duration = Duration::from_secs(120);

impl Given<'_> {
    /// The limits, which have to fit each other.
    ///
    /// Source: kubelet 1.36 `pkg/kubelet/apis/config/validation`.
    pub(super) fn reclaim(&mut self) -> ReclaimLimits {
        let high_percent = self.checked("image-gc-high-threshold", values::percent);
        let low_percent = self.checked("image-gc-low-threshold", values::percent);
        let age_min = self.checked("minimum-image-ttl-duration", values::duration);
        let age_max = self.checked("imageMaximumGCAge", values::duration);
        let age_min = if age_min.is_zero() { AGE_MIN } else { age_min };
        // One that is wrong itself has been told.
        if self.problems.is_empty() && low_percent >= high_percent {
            self.problems.push(format!(
                "--image-gc-low-threshold={low_percent}: must be less than --image-gc-high-threshold={high_percent}"
            ));
        }
        if !age_max.is_zero() && age_max <= age_min {
            let problem = "imageMaximumGCAge: must be more than imageMinimumGCAge (--minimum-image-ttl-duration), or 0s";
            self.problems.push(problem.to_owned());
        }
        ReclaimLimits {
            high_percent,
            low_percent,
            age_min,
            age_max,
        }
    }
}
