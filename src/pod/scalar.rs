//! What a YAML scalar without quotes means to Kubernetes.
//!
//! Kubernetes turns YAML into JSON with a fork of go-yaml v2, which reads a mixture of YAML 1.1 and 1.2: `yes` and `off`
//! are booleans, `0644` is octal, `1_000` is a number, `1:30` and dates are text. The reader used here knows only YAML
//! 1.2, so it is asked for the bare text, and this file decides.

use serde_json::Value;

/// The value of a plain scalar.
///
/// # Errors
/// It is a number that JSON has no word for.
pub(super) fn plain(text: &str) -> Result<Value, &'static str> {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Value::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => return Err("a number that is not finite"),
        _ => number(text).unwrap_or_else(|| Value::from(text)),
    };
    Ok(value)
}

fn number(text: &str) -> Option<Value> {
    match text.bytes().next()? {
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let bare = text.replace('_', "");
            integer(&bare).or_else(|| float(&bare))
        }
        _ => None,
    }
}

/// With a sign and a base: `0x1F`, `0o17`, `017`, `0b11`.
fn integer(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefix = unsigned.get(..2).map(str::to_ascii_lowercase);
    let (digits, base) = match prefix.as_deref() {
        Some("0x") => (unsigned.get(2..)?, 16),
        Some("0o") => (unsigned.get(2..)?, 8),
        Some("0b") => (unsigned.get(2..)?, 2),
        Some(_) if unsigned.starts_with('0') => (unsigned.get(1..)?, 8),
        Some(_) | None => (unsigned, 10),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let amount = u64::from_str_radix(digits, base).ok()?;
    if text.starts_with('-') {
        0_i64.checked_sub_unsigned(amount).map(Value::from)
    } else {
        Some(Value::from(amount))
    }
}

/// Digits with a point or an exponent. `08` is one as well: it is not octal.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let exponent = exponent.map(|part| part.strip_prefix(['+', '-']).unwrap_or(part));
    let is_float = has_digits
        && all_digits(whole)
        && all_digits(fraction)
        && exponent.is_none_or(|part| !part.is_empty() && all_digits(part));
    if !is_float {
        return None;
    }
    let amount: f64 = text.parse().ok()?;
    amount.is_finite().then(|| shortest(amount))
}

/// Kubernetes writes a whole number without a point when it turns YAML into JSON, so `1e3` fits where an integer is wanted.
fn shortest(amount: f64) -> Value {
    let whole = (amount.fract() == 0.0).then(|| format!("{amount:.0}"));
    match whole.and_then(|text| text.parse::<i64>().ok()) {
        Some(whole) => Value::from(whole),
        None => Value::from(amount),
    }
}

/// Bytes before a scalar in which its tag is looked for. All that stands there would be looked at again for each of the
/// scalars of a line, and for each alias of one; a megabyte of them held the agent up for minutes.
const TAG_BYTES_MAX: usize = 256;

/// The tag that stands before a scalar: `!!str` in `!!str yes`. The reader does not tell it where it means nothing to it.
pub(super) fn tag_before(before: &str) -> Option<&str> {
    let from = before.len().saturating_sub(TAG_BYTES_MAX);
    let near = (from..before.len()).find_map(|from| before.get(from..))?;
    let mut rest = near.strip_suffix(['"', '\'']).unwrap_or(near);
    // An anchor may stand between.
    for _ in 0..2 {
        rest = rest.trim_end_matches([' ', '\t']);
        let from = rest
            .rfind([' ', '\t', '\n', '[', '{', ','])
            .map_or(0, |at| at + 1);
        let word = rest.get(from..)?;
        if word.starts_with("!") {
            return Some(word);
        }
        if !word.starts_with('&') {
            return None;
        }
        rest = rest.get(..from)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubernetes() {
        for (text, wanted) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("nULL", json!("nULL")),
            ("yes", json!(true)),
            ("y", json!(true)),
            ("On", json!(true)),
            ("TRUE", json!(true)),
            ("tRUE", json!("tRUE")),
            ("off", json!(false)),
            ("N", json!(false)),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("+12", json!(12)),
            ("0644", json!(420)),
            ("-0644", json!(-420)),
            ("0o17", json!(15)),
            ("0O17", json!(15)),
            ("0x1F", json!(31)),
            ("0X1f", json!(31)),
            ("0b101", json!(5)),
            ("-0b1", json!(-1)),
            ("00", json!(0)),
            ("08", json!(8)),
            ("0xg", json!("0xg")),
            ("0x", json!("0x")),
            ("1_000", json!(1000)),
            ("_1", json!("_1")),
            ("1e3", json!(1000)),
            ("1E-2", json!(0.01)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("-.5", json!(-0.5)),
            (".", json!(".")),
            ("1.5", json!(1.5)),
            ("1.2.3", json!("1.2.3")),
            ("1e", json!("1e")),
            ("1e400", json!("1e400")),
            ("9223372036854775807", json!(i64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18446744073709551616.0)),
            ("1:30", json!("1:30")),
            ("2001-01-01", json!("2001-01-01")),
            ("2001-01-01T00:00:00Z", json!("2001-01-01T00:00:00Z")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("100m", json!("100m")),
            ("+", json!("+")),
            ("-", json!("-")),
            ("é", json!("é")),
            ("0é", json!("0é")),
            ("infinity", json!("infinity")),
        ] {
            assert_eq!(plain(text), Ok(wanted), "{text}");
        }
        for text in [".inf", "-.Inf", ".NaN"] {
            assert!(plain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_is_found_before_its_scalar() {
        for (before, wanted) in [
            ("a: !!str ", Some("!!str")),
            ("a: !!str \"", Some("!!str")),
            ("[!!int ", Some("!!int")),
            ("a: !!str &b ", Some("!!str")),
            ("a: &b !!str ", Some("!!str")),
            ("a: ", None),
            ("!!str a: ", None),
            ("# !!str\n", None),
            ("!!str\n  ", None),
            ("a: !!str &b\n  ", None),
            ("", None),
        ] {
            assert_eq!(tag_before(before), wanted, "{before:?}");
        }
    }
}
