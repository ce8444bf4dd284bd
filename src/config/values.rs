//! The form of single values, each with the words for what is wrong.

use std::net::IpAddr;

pub(super) use crate::sys::duration;

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".to_owned())
}

/// How much is logged.
pub(super) fn level(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(level) if level <= 10 => Ok(level),
        Ok(_) | Err(_) => Err("must be a level from 0 to 10".to_owned()),
    }
}

/// A quantity of bytes: `10Mi`, `1000000`, `1M`, `1Gi`.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "is no size; write it as 10Mi".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let scale: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return Err(wrong()),
    };
    match number.checked_mul(scale) {
        Some(0) => Err("must be more than 0".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err(wrong()),
    }
}

/// A part of a whole.
pub(super) fn percent(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(percent) if percent <= 100 => Ok(percent),
        Ok(_) | Err(_) => Err("must be a number from 0 to 100".to_owned()),
    }
}

/// How many log files a container may have.
pub(super) fn log_files(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(files) if files >= 2 => Ok(files),
        Ok(_) | Err(_) => Err("must be a number, at least 2".to_owned()),
    }
}

/// How many processes a pod may have; -1, as in a kubelet, is any number.
pub(super) fn pids(text: &str) -> Result<Option<u64>, String> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(pids) if pids > 0 => Ok(u64::try_from(pids).ok()),
        Ok(_) | Err(_) => Err("must be a number above 0, or -1 for no limit".to_owned()),
    }
}

/// How long a Lease holds without being renewed; that is done at each quarter of it.
pub(super) fn lease_seconds(text: &str) -> Result<u32, String> {
    match text.parse() {
        // As in a kubelet.
        Ok(0) => Ok(40),
        Ok(seconds @ 1..=3600) => Ok(seconds),
        Ok(_) | Err(_) => Err("must be a number of seconds from 1 to 3600".to_owned()),
    }
}

/// The longest pause of a crash loop.
pub(super) fn crash_wait_seconds(text: &str) -> Result<u32, String> {
    let time = duration(text)?.as_secs();
    match u32::try_from(time) {
        Ok(seconds) if (1..=300).contains(&seconds) => Ok(seconds),
        Ok(_) | Err(_) => Err("must be from 1s to 300s".to_owned()),
    }
}

/// The node's address. Of two the first counts; one that only chooses a family is as good as none.
pub(super) fn ip(text: &str) -> Result<String, String> {
    let first = ips(text)?.into_iter().next().unwrap_or_default();
    let any = matches!(first.as_str(), "0.0.0.0" | "::");
    Ok(if any { String::new() } else { first })
}

/// Addresses with commas between.
pub(super) fn ips(text: &str) -> Result<Vec<String>, String> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| match part.parse::<IpAddr>() {
            Ok(ip) => Ok(ip.to_string()),
            Err(_) => Err(format!("{part:?} is no IP address")),
        })
        .collect()
}

/// A directory that means the same from everywhere.
pub(super) fn clean_path(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("must be an absolute path".to_owned());
    }
    if text.split('/').any(|part| part == "..") {
        return Err("must be a path without ..".to_owned());
    }
    let parts: Vec<&str> = text
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    match parts.as_slice() {
        [] => Err("may not be the root of the file system".to_owned()),
        parts => Ok(format!("/{}", parts.join("/"))),
    }
}

/// The path of `unix:///path`, or a plain path.
pub(super) fn unix_socket(url: &str) -> Result<String, String> {
    let path = url.strip_prefix("unix://").unwrap_or(url);
    let cri = ["containerd", "crio", "cri-dockerd", "dockershim"];
    if let Some(other) = cri.iter().find(|other| path.contains(*other)) {
        return Err(format!(
            "that is {other}, a CRI socket; staticlet talks to dockerd itself: unix:///var/run/docker.sock"
        ));
    }
    if path.starts_with('/') {
        Ok(path.to_owned())
    } else {
        Err("must be unix:///path of dockerd's socket".to_owned())
    }
}

/// A node's name, trimmed and in lower case: a DNS subdomain.
pub(super) fn node_name(text: &str) -> Result<String, String> {
    let name = text.trim().to_lowercase();
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label.chars().all(|c| alphanumeric(c) || c == '-')
    };
    if name.is_empty() {
        Err("it is empty".to_owned())
    } else if name.len() > 253 {
        Err("it is longer than 253 letters".to_owned())
    } else if name.split('.').all(is_label) {
        Ok(name)
    } else {
        Err("only letters, digits, '-' and '.' may be in it, and each part begins and ends with a letter or digit".to_owned())
    }
}
