//! The numbers behind quantities: `1500m`, `64Mi`, `1e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::pod::Problem;

/// One, in the smallest unit that a quantity can have.
pub(super) const NANO: i128 = 1_000_000_000;

/// One thousandth.
pub(super) const MILLI: i128 = 1_000_000;

/// The value in nano units.
pub(super) fn nano(quantity: &Quantity, place: &str) -> Result<i128, Problem> {
    read(&quantity.0).ok_or_else(|| {
        Problem::new(place, format!("{:?} is not a quantity", quantity.0))
            .hint("write a number with at most one suffix, such as 500m, 2, 64Mi or 1G")
    })
}

/// The quantity in whole units, rounded up as Kubernetes rounds.
pub(super) fn whole(quantity: &Quantity, place: &str) -> Result<u64, Problem> {
    let units = div_ceil(nano(quantity, place)?, NANO);
    u64::try_from(units)
        .map_err(|_| Problem::new(place, format!("{:?} is out of range", quantity.0)))
}

/// Division that rounds up; the divisor is positive.
pub(super) fn div_ceil(value: i128, divisor: i128) -> i128 {
    let quotient = value.div_euclid(divisor);
    quotient + i128::from(value.rem_euclid(divisor) > 0)
}

fn read(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || fraction.contains('.') {
        return None;
    }
    let (times, exponent) = scale(suffix)?;
    // The digits as one number, and then the power of ten that they are too large by.
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let exponent = exponent + 9 - i32::try_from(fraction.len()).ok()?;
    let digits = digits.checked_mul(times)?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs());
    let value = match (exponent >= 0, power) {
        (true, power) => digits.checked_mul(power?)?,
        (false, Some(power)) => div_ceil(digits, power),
        (false, None) => i128::from(digits > 0),
    };
    Some(if text.starts_with('-') { -value } else { value })
}

/// A suffix as a factor and a power of ten.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        other => {
            let power = other.strip_prefix(['e', 'E'])?.parse().ok()?;
            (1, (-40..=40).contains(&power).then_some(power)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_reads() {
        for (text, want) in [
            ("0", Some(0)),
            ("1", Some(NANO)),
            ("1500m", Some(1500 * MILLI)),
            ("1.5", Some(1500 * MILLI)),
            (".5", Some(500 * MILLI)),
            ("5.", Some(5 * NANO)),
            ("100u", Some(100_000)),
            ("1n", Some(1)),
            ("0.1n", Some(1)),
            ("1e3", Some(1000 * NANO)),
            ("1E-3", Some(MILLI)),
            ("1E", Some(NANO * 10_i128.pow(18))),
            ("1.5Gi", Some(NANO * 3 * (1 << 29))),
            ("12k", Some(12_000 * NANO)),
            ("-1", Some(-NANO)),
            ("+1", Some(NANO)),
            ("", None),
            ("Mi", None),
            ("1K", None),
            ("1mi", None),
            ("1 Mi", None),
            ("1.2.3", None),
            ("0x1", None),
            ("1e", None),
            ("99999999999999999999999999999999999999E", None),
        ] {
            assert_eq!(read(text), want, "{text:?}");
        }
    }

    #[test]
    fn rounds_up() {
        for (value, divisor, want) in [(0, 3, 0), (1, 3, 1), (3, 3, 1), (4, 3, 2), (-4, 3, -1)] {
            assert_eq!(div_ceil(value, divisor), want, "{value}/{divisor}");
        }
    }
}
