//! Requests to the health and read-only ports.

use std::fs::File;

use staticlet::serve::{Pulse, What, respond};

use super::scratch;

/// A request, whatever it is, has a whole answer of HTTP.
pub(super) fn serve(data: &[u8]) {
    let published = scratch().join("pods.json");
    if !published.exists() {
        let pods = r#"{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": "hush"}]}]}}]}"#;
        std::fs::write(&published, pods).unwrap();
    }
    for what in [What::Health, What::ReadOnly] {
        let file = File::open(&published).ok();
        let answer =
            respond(data, (what, &Pulse::default(), file)).expect("a text is read to its end");
        let text = String::from_utf8(answer).expect("all pages are text");
        assert!(text.starts_with("HTTP/1.1 "));
        let (head, body) = text.split_once("\r\n\r\n").expect("the head ends");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length
            .and_then(|text| text.parse().ok())
            .expect("its length");
        let is_head = data.starts_with(b"HEAD ") || body.is_empty();
        assert!(
            is_head || body.len() == length,
            "{} of {length} bytes",
            body.len()
        );
        assert_eq!(head.lines().count(), 6, "{head}");
        assert!(
            what == What::ReadOnly || !text.contains("hush"),
            "a secret is shown"
        );
    }
}
