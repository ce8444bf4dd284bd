//! Rules about names and addresses: DNS, `/etc/hosts`, the host name.

use std::net::IpAddr;

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{Out, invalid, list, required, subdomain, text};

pub(super) fn check(spec: &Value, out: Out) {
    let servers = list(&spec["dnsConfig"], "nameservers");
    if text(spec, "dnsPolicy") == "None" && spec["dnsConfig"].is_null() {
        let text = "Required value: must provide `dnsConfig` when `dnsPolicy` is None";
        out.push(Problem::new("spec.dnsConfig", text));
    } else if text(spec, "dnsPolicy") == "None" && servers.is_empty() {
        let text =
            "Required value: must provide at least one DNS nameserver when `dnsPolicy` is None";
        out.push(Problem::new("spec.dnsConfig.nameservers", text));
    }
    for (at, server) in servers.iter().enumerate() {
        address(server, &format!("spec.dnsConfig.nameservers[{at}]"), out);
    }
    if servers.len() > 3 {
        let text = "Invalid value: must not have more than 3 nameservers";
        out.push(Problem::new("spec.dnsConfig.nameservers", text));
    }
    searches(&spec["dnsConfig"], out);
    for (at, option) in list(&spec["dnsConfig"], "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            required(format!("spec.dnsConfig.options[{at}].name"), out);
        }
    }
    hostname_override(spec, out);
    for (at, alias) in list(spec, "hostAliases").iter().enumerate() {
        let path = format!("spec.hostAliases[{at}]");
        address(&alias["ip"], &format!("{path}.ip"), out);
        for (at, name) in list(alias, "hostnames").iter().enumerate() {
            subdomain(
                name.as_str().unwrap_or_default(),
                &format!("{path}.hostnames[{at}]"),
                out,
            );
        }
    }
}

fn address(value: &Value, path: &str, out: Out) {
    let value = value.as_str().unwrap_or_default();
    match value.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => {}
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {}
        Ok(IpAddr::V6(_)) => invalid(path, value, "must not be an IPv4-mapped IPv6 address", out),
        Err(_) => {
            let why = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            invalid(path, value, why, out);
        }
    }
}

/// As many search domains, and as many characters in them all, as Kubernetes takes.
const SEARCHES_MAX: (usize, usize) = (32, 2048);

fn searches(config: &Value, out: Out) {
    let path = "spec.dnsConfig.searches";
    let searches = list(config, "searches");
    let (count, chars) = SEARCHES_MAX;
    if searches.len() > count {
        let text = format!("Invalid value: must not have more than {count} search paths");
        out.push(Problem::new(path, text));
    }
    let names = searches.iter().filter_map(Value::as_str);
    if names.clone().map(str::len).sum::<usize>() + searches.len().saturating_sub(1) > chars {
        let text = format!(
            "Invalid value: must not have more than {chars} characters (including spaces) in the search list"
        );
        out.push(Problem::new(path, text));
    }
    for (at, name) in names.enumerate() {
        // An underscore may stand anywhere in a label, one dot at the end, and a dot alone is the root.
        let plain = name.strip_suffix('.').unwrap_or(name);
        let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fine = plain.split('.').all(|part| {
            part.starts_with(is_end)
                && part.ends_with(is_end)
                && part.chars().all(|c| is_end(c) || c == '-')
        });
        if name != "." && !fine {
            subdomain(name, &format!("{path}[{at}]"), out);
        }
    }
}

fn hostname_override(spec: &Value, out: Out) {
    let (name, path) = (text(spec, "hostnameOverride"), "spec.hostnameOverride");
    if name.is_empty() {
        return;
    }
    subdomain(name, path, out);
    if name.len() > 64 {
        invalid(path, name, "must be no more than 64 characters", out);
    }
    for other in ["hostNetwork", "setHostnameAsFQDN"] {
        if spec[other] == true {
            let text = format!("Forbidden: may not be set when `{other}` is true");
            out.push(Problem::new(path, text));
        }
    }
}
