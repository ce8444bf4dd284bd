//! Rules about ports.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::pod::Problem;
use crate::pod::rules::{Out, invalid, is_label, list, one_of, range, required, text};

pub(super) fn check(
    container: &Value,
    path: &str,
    (host_network, taken): (bool, &mut BTreeSet<String>),
    out: Out,
) {
    let mut names = BTreeSet::new();
    for (at, port) in list(container, "ports").iter().enumerate() {
        let path = format!("{path}.ports[{at}]");
        let name = text(port, "name");
        if !name.is_empty() {
            if name.len() > 15
                || !is_label(name)
                || name.contains("--")
                || !name.bytes().any(|b| b.is_ascii_lowercase())
            {
                invalid(
                    &format!("{path}.name"),
                    name,
                    "must be at most 15 lower-case letters, digits and single '-', with at least one letter",
                    out,
                );
            }
            if !names.insert(name) {
                out.push(Problem::new(
                    format!("{path}.name"),
                    format!("Duplicate value: {name:?}"),
                ));
            }
        }
        if port["containerPort"].as_i64().unwrap_or(0) == 0 {
            required(format!("{path}.containerPort"), out);
        }
        range(port, "containerPort", &path, (1, 65535), out);
        range(port, "hostPort", &path, (0, 65535), out);
        one_of(port, "protocol", &path, &["SCTP", "TCP", "UDP"], out);
        let host = port["hostPort"].as_i64().unwrap_or(0);
        if host_network && host != port["containerPort"].as_i64().unwrap_or(0) {
            invalid(
                &format!("{path}.hostPort"),
                &host.to_string(),
                "must match `containerPort` when `hostNetwork` is true",
                out,
            );
        }
        let key = format!("{}/{}/{host}", text(port, "protocol"), text(port, "hostIP"));
        if host != 0 && !taken.insert(key.clone()) {
            out.push(Problem::new(
                format!("{path}.hostPort"),
                format!("Duplicate value: {key:?}"),
            ));
        }
    }
}
