//! Watches: what is there, what happens to it, and bookmarks.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http::send;
use super::select::Query;
use super::store::{Store, is_below, status};
use super::{Fault, Shared};

/// Between two bookmarks, where they are asked for.
const BOOKMARK_EVERY: Duration = Duration::from_secs(5);

/// What is watched.
pub struct Watch<'a> {
    /// Without the query.
    pub path: &'a str,
    pub query: &'a Query,
    /// The request as faults know it.
    pub asked: &'a str,
}

impl Watch<'_> {
    pub fn serve(&self, to: &mut impl Write, shared: &Shared) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        if send(to, head.as_bytes()).is_err() {
            return;
        }
        let store = shared.store.lock().unwrap();
        let (mut seen, life) = (store.log.len(), store.lives);
        let mut lines = self.first(&store);
        drop(store);
        let end = self.query.get("timeoutSeconds").parse().unwrap_or(300);
        let end = Instant::now() + Duration::from_secs(end);
        let mut marked = Instant::now();
        loop {
            shared.thaw();
            let is_over = lines.iter().any(|line| line["type"] == "ERROR");
            for line in lines.drain(..) {
                let text = line.to_string() + "\n";
                let chunk = format!("{:x}\r\n{text}\r\n", text.len());
                if send(to, chunk.as_bytes()).is_err() {
                    return;
                }
            }
            match shared.fault(self.asked) {
                // The connection stays, and says nothing.
                Some(Fault::Hang) => std::thread::sleep(Duration::from_millis(50)),
                Some(_) => return,
                None => {}
            }
            if is_over || end <= Instant::now() {
                let _ = send(to, b"0\r\n\r\n");
                return;
            }
            let mut store = shared.store.lock().unwrap();
            if store.log.len() == seen {
                let wait = Duration::from_millis(200);
                store = shared.changed.wait_timeout(store, wait).unwrap().0;
            }
            if store.lives != life {
                return;
            }
            lines = self.since(&store, seen);
            seen = store.log.len();
            if self.query.is("allowWatchBookmarks") && marked.elapsed() >= BOOKMARK_EVERY {
                marked = Instant::now();
                let meta = json!({"resourceVersion": store.version.to_string(), "creationTimestamp": null});
                let kind = if self.path.ends_with("/nodes") {
                    "Node"
                } else {
                    "Pod"
                };
                let object = json!({"kind": kind, "apiVersion": "v1", "metadata": meta});
                lines.push(json!({"type": "BOOKMARK", "object": object}));
            }
        }
    }

    /// What comes before anything happens.
    fn first(&self, store: &Store) -> Vec<Value> {
        let from = self
            .query
            .get("resourceVersion")
            .parse::<u64>()
            .unwrap_or(0);
        if from == 0 {
            let all = store
                .objects
                .iter()
                .filter(|(at, object)| self.is_meant(at, object));
            return all
                .map(|(_, object)| json!({"type": "ADDED", "object": object}))
                .collect();
        }
        if from < store.forgotten || from > store.version {
            let (_, said) = status(
                410,
                &format!("too old resource version: {from} ({})", store.version),
            );
            return vec![json!({"type": "ERROR", "object": said})];
        }
        let at = store.log.partition_point(|change| change.version <= from);
        self.since(store, at)
    }

    fn since(&self, store: &Store, seen: usize) -> Vec<Value> {
        let new = store.log.get(seen..).unwrap_or_default().iter();
        let meant = new.filter(|change| self.is_meant(&change.path, &change.object));
        meant
            .map(|change| json!({"type": change.kind, "object": change.object}))
            .collect()
    }

    fn is_meant(&self, at: &str, object: &Value) -> bool {
        is_below(at, self.path) && self.query.selects(object).unwrap_or(false)
    }
}
