//! Names for calls, that are the same for every pod.

use std::collections::BTreeMap;

/// The first line of a request.
pub struct Call {
    pub method: String,
    pub path: String,
}

impl Call {
    pub fn of(head: &[u8]) -> Call {
        let text = String::from_utf8_lossy(head);
        let mut words = text.split(' ').map(str::to_owned);
        Call {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
        }
    }

    pub fn is_stream(&self) -> bool {
        self.path.contains("/events")
    }
}

/// What containers are called here.
#[derive(Default)]
pub struct Names {
    pub by_id: BTreeMap<String, String>,
    /// The versions of the pod, in the order in which they came.
    pub uids: Vec<String>,
}

impl Names {
    /// The path with names in place of ids; a container that nobody has named yet stays `?`.
    pub fn pattern(&mut self, path: &str) -> String {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = match path.strip_prefix("/v1.") {
            Some(rest) => &rest[rest.find('/').unwrap_or(0)..],
            None => path,
        };
        if path == "/containers/create" {
            let name = query.split('&').find_map(|part| part.strip_prefix("name="));
            return format!("{path} {}", self.called(name.unwrap_or_default()));
        }
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["", "containers", "json"] => path.to_owned(),
            ["", "containers", id, rest @ ..] => {
                let name = match self.by_id.get(*id) {
                    Some(name) => name.clone(),
                    None if id.starts_with("k8s_") => self.called(id),
                    None => "?".to_owned(),
                };
                [&["/containers", name.as_str()], rest].concat().join("/")
            }
            ["", "images", ..] if path.contains("sha256") => "/images/ID/json".to_owned(),
            _ => path.to_owned(),
        }
    }

    /// `k8s_a_pod-node_default_UID_0` is `a.0`, with a mark for each version of the pod after the first.
    fn called(&mut self, name: &str) -> String {
        let parts: Vec<&str> = name.trim_start_matches('/').split('_').collect();
        let [_, container, _, _, uid, attempt] = parts[..] else {
            return "?".to_owned();
        };
        if !self.uids.iter().any(|known| known == uid) {
            self.uids.push(uid.to_owned());
        }
        let version = self.uids.iter().position(|known| known == uid).unwrap();
        format!("{container}.{attempt}{}", "'".repeat(version))
    }
}
