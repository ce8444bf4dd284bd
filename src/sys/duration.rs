//! Spans of time as people type them. Pure.

use std::time::Duration;

/// Reads a Go duration: `20s`, `1m30s`, `500ms`, `1.5h`, `0`.
///
/// # Errors
/// A clause on what is wrong, for the one who typed it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "is no time; write it as 20s, 1m30s or 500ms".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let units = [
            ("ms", 1e-3),
            ("us", 1e-6),
            ("µs", 1e-6),
            ("ns", 1e-9),
            ("h", 3600.0),
            ("m", 60.0),
            ("s", 1.0),
        ];
        let (name, scale) = units
            .into_iter()
            .find(|(name, _)| unit.starts_with(name))
            .ok_or_else(wrong)?;
        seconds += number * scale;
        rest = unit.get(name.len()..).unwrap_or_default();
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}
