//! Resource quantities: `500m`, `1.5Gi`, `1e3`.

/// Thousandths: Kubernetes rounds every quantity of a pod up to these.
const MILLI: i128 = 1000;
const DECIMAL: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// A quantity in thousandths and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) milli: i128,
    binary: bool,
}

const NOTHING: Amount = Amount {
    milli: 0,
    binary: false,
};

/// A quantity in thousandths, rounded up; `None` when it is none, or beyond what a machine can have.
pub fn milli(text: &str) -> Option<i128> {
    Some(parse(text)?.milli)
}

/// Reads a quantity; `None` as [`milli`].
pub(super) fn parse(text: &str) -> Option<Amount> {
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || number.len() > 30 || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (times, mut over) = scale(suffix)?;
    over = over.checked_mul(10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let up = digits.checked_mul(times)?.checked_mul(MILLI)?;
    // Rounded away from zero, as Kubernetes does.
    let milli = div_ceil(up, over);
    if milli / MILLI > i128::from(i64::MAX) {
        return None;
    }
    Some(Amount {
        milli: if negative { -milli } else { milli },
        binary: suffix.ends_with('i'),
    })
}

/// Division that rounds up; the divisor is positive.
pub fn div_ceil(value: i128, divisor: i128) -> i128 {
    let quotient = value.div_euclid(divisor);
    quotient + i128::from(value.rem_euclid(divisor) > 0)
}

/// What a suffix multiplies by and divides by.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let power = |list: &[&str], base: i128| {
        let at = list.iter().position(|s| *s == suffix)?;
        base.checked_pow(u32::try_from(at).ok()?)
    };
    if let Some(times) = power(&DECIMAL, 1000).or_else(|| power(&BINARY, 1024)) {
        return Some((times, 1));
    }
    match suffix {
        "m" => return Some((1, 1000)),
        "u" => return Some((1, 1_000_000)),
        "n" => return Some((1, 1_000_000_000)),
        _ => {}
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

/// The shortest exact way to write it, as Kubernetes does: `1.5Gi` is `1536Mi`, `1000m` is `1`.
pub(super) fn canonical(amount: Amount) -> String {
    if amount.milli % MILLI != 0 {
        return format!("{}m", amount.milli);
    }
    let mut whole = amount.milli / MILLI;
    let (names, base) = if amount.binary && whole.abs() >= 1024 {
        (BINARY, 1024)
    } else {
        (DECIMAL, 1000)
    };
    let mut at = 0;
    while whole != 0 && whole % base == 0 && at + 1 < names.len() {
        whole /= base;
        at += 1;
    }
    format!("{whole}{}", names.get(at).copied().unwrap_or_default())
}

/// Two quantities together, written like the first unless that is zero. One that is none counts as nothing.
pub(super) fn sum(first: &str, second: &str) -> String {
    let [first, second] = [first, second].map(|text| parse(text).unwrap_or(NOTHING));
    let binary = if first.milli == 0 {
        second.binary
    } else {
        first.binary
    };
    canonical(Amount {
        milli: first.milli.saturating_add(second.milli),
        binary,
    })
}

/// The larger of two quantities, the first if they are equal.
pub(super) fn larger<'a>(first: &'a str, second: &'a str) -> &'a str {
    let [a, b] = [first, second].map(|text| parse(text).unwrap_or(NOTHING));
    if b.milli > a.milli { second } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_up() {
        for (value, divisor, want) in [(0, 3, 0), (1, 3, 1), (3, 3, 1), (4, 3, 2), (-4, 3, -1)] {
            assert_eq!(div_ceil(value, divisor), want, "{value}/{divisor}");
        }
    }

    #[test]
    fn quantities_are_written_as_kubernetes_writes_them() {
        for (given, wanted) in [
            ("1.5Gi", "1536Mi"),
            ("0.0001", "1m"),
            ("1000m", "1"),
            ("0", "0"),
            ("1000", "1k"),
            ("1e3", "1k"),
            ("64Mi", "64Mi"),
            ("0.5", "500m"),
            ("100Ki", "100Ki"),
            ("-1", "-1"),
            ("1E", "1E"),
            ("5.", "5"),
            (".5", "500m"),
            ("1E-3", "1m"),
            ("1n", "1m"),
        ] {
            assert_eq!(canonical(parse(given).unwrap()), wanted, "{given}");
        }
        assert_eq!(sum("64Mi", "123456789"), "190565653");
        assert_eq!(sum("123456789", "64Mi"), "190565653");
        assert_eq!(sum("0", "64Mi"), "64Mi");
        assert_eq!(sum("300Mi", "74Mi"), "374Mi");
        assert_eq!(larger("1Gi", "1G"), "1Gi");
        for bad in [
            "", "m", "1.2.3", "1 Gi", "1GB", "9999E", "1e99", "abc", "1e-99", "0x10", "+", "é",
            "1K", "1mi", "1e",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
