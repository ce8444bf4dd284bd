//! `staticlet restart` and `staticlet stop`; what they do is for a real dockerd.

use serde_json::json;

use super::{Site, listed, ping, told};
use crate::support::listener::{Listener, reply};

#[test]
fn nothing_is_restarted_that_nobody_would_start_again() {
    let site = Site::new("restart");
    let ask = |line: &str| {
        let docker = Listener::start(vec![ping(), reply("200 OK", &listed(&site))]);
        let at = format!("--container-runtime-endpoint={}", docker.socket());
        let answer = site.typed(&format!("restart {line} {at}"));
        assert_eq!(docker.requests().len(), 2, "nothing but a look");
        answer
    };
    let said = |text: &str| (format!("staticlet: restart: {text}\n"), 1);
    site.publish(json!({"items": [told("web-n", "Running", true)]}));
    assert_eq!(
        ask("web"),
        said(
            "pod default/web-n: the agent is not running, and nobody else would start it again; start it first"
        )
    );
    let _agent = site.agent();
    assert_eq!(
        ask("web"),
        said("pod default/web-n: no manifest names it any more, it is on its way out")
    );
    assert_eq!(
        ask("other"),
        said("there is no pod other; there are default/web-n")
    );
}

#[test]
fn all_is_not_stopped_where_that_cannot_last() {
    let site = Site::new("stop");
    let ask = |line: &str| {
        let at = "--container-runtime-endpoint=/nosuch/docker.sock";
        site.typed(&format!("stop {line} --root-dir={} {at}", site.root()))
    };
    let (text, code) = ask("");
    assert!(text.contains("wants --all") && code == 100, "{text}");
    let (text, code) = ask("--all --timeout soon");
    assert!(
        text.contains("--timeout soon: is no time") && code == 100,
        "{text}"
    );
    let (text, code) = ask("--all");
    let said = "staticlet: stop: stop all pods: ask dockerd for its API version: /nosuch/docker.sock does not exist (is dockerd running?)\n";
    assert!(text.ends_with(said) && code == 111, "{text}");
    let _agent = site.agent();
    let said = format!(
        "staticlet: stop: the agent runs as process {} and would start the pods again; stop it first (systemctl stop staticlet)\n",
        std::process::id()
    );
    assert_eq!(ask("--all"), (said, 1));
}
