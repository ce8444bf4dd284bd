//! The numbers behind quantities: `1500m`, `64Mi`, `1e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::pod::{self, Problem, div_ceil};

/// One, in thousandths.
pub(super) const UNIT: i128 = 1000;

/// The quantity in thousandths.
pub(super) fn milli(quantity: &Quantity, place: &str) -> Result<i128, Problem> {
    pod::milli(&quantity.0).ok_or_else(|| {
        Problem::new(place, format!("{:?} is not a quantity", quantity.0))
            .hint("write a number with at most one suffix, such as 500m, 2, 64Mi or 1G")
    })
}

/// The quantity in whole units, rounded up as Kubernetes rounds.
pub(super) fn whole(quantity: &Quantity, place: &str) -> Result<u64, Problem> {
    let units = div_ceil(milli(quantity, place)?, UNIT);
    u64::try_from(units)
        .map_err(|_| Problem::new(place, format!("{:?} is out of range", quantity.0)))
}
