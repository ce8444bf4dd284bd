//! Whom the job trusts that asks the manifest URL, whom it shows itself to, and an answer that is pinned.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{World, list};
use crate::support::tls::{Wants, saying};
use crate::support::web::Server;

const BODY: &str = "apiVersion: v1\nkind: PodList\nitems: []\n";

fn path(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    dir.join(name).display().to_string()
}

/// The last line of the job.
fn fetch(url: &str, trust: &Value) -> Value {
    let request = json!({"fetch": {"url": url, "headers": [], "trust": trust,
        "tags": {"etag": null, "lastModified": null}}});
    let mut job = Command::new(env!("CARGO_BIN_EXE_staticlet"))
        .arg("job")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = job.stdin.take().unwrap();
    input.write_all(request.to_string().as_bytes()).unwrap();
    drop(input);
    let out = job.wait_with_output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

fn why(answer: &Value) -> &str {
    answer["failed"]["message"].as_str().unwrap_or("no failure")
}

#[test]
fn only_a_trusted_server_of_the_right_name_is_heard() {
    let port = saying(Wants::Nothing, BODY);
    let ca = json!({"caFile": path("ca.pem")});
    let good = fetch(&format!("https://localhost:{port}/"), &ca);
    assert!(good["fetched"]["all"].is_object(), "{good}");
    let other = fetch(&format!("https://127.0.0.2:{port}/"), &ca);
    assert!(why(&other).contains("not valid for name"), "{other}");
    let stranger = fetch(&format!("https://localhost:{port}/"), &json!({}));
    let why_not = why(&stranger);
    assert!(
        why_not.contains("certificate") || why_not.contains("CA"),
        "{stranger}"
    );
    let nowhere = json!({"caFile": "/nowhere.pem"});
    let gone = fetch(&format!("https://localhost:{port}/"), &nowhere);
    assert!(why(&gone).contains("/nowhere.pem"), "{gone}");
}

#[test]
fn a_client_certificate_is_shown() {
    let port = saying(Wants::Client, BODY);
    let url = format!("https://localhost:{port}/");
    let identity = [path("client-ed25519.pem"), path("client-ed25519.key")];
    let trust = json!({"caFile": path("ca.pem"), "identity": identity});
    let good = fetch(&url, &trust);
    assert!(good["fetched"]["all"].is_object(), "{good}");
    let none = fetch(&url, &json!({"caFile": path("ca.pem")}));
    assert!(none["failed"].is_object(), "{none}");
}

#[test]
fn nothing_but_the_pinned_answer_is_taken() {
    let port = saying(Wants::Nothing, BODY);
    let url = format!("https://localhost:{port}/");
    let digest = staticlet::sys::files::sha256(BODY.as_bytes());
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(staticlet::sys::files::sha256(b""), empty);
    let good = fetch(&url, &json!({"caFile": path("ca.pem"), "sha256": digest}));
    assert!(good["fetched"]["all"].is_object(), "{good}");
    let other = fetch(&url, &json!({"caFile": path("ca.pem"), "sha256": empty}));
    assert!(why(&other).contains(&digest), "{other}");
}

#[test]
fn a_redirect_loop_ends_and_headers_stay_at_home() {
    let mut world = World::with_pods();
    world.server.says("302 Found\r\nLocation: /pods", "");
    world.keeps_its_pods("stopped after 10 redirects");

    let other = Server::start();
    other.says("200 OK", &list(&["c:1"]));
    let head = format!("307 Moved\r\nLocation: http://{}/x", other.at);
    world.server.says(&head, "");
    world.ask();
    assert_eq!(world.pods(), ["c:1"]);
    assert!(world.server.last_request().contains("secret"));
    let asked = other.last_request();
    assert!(asked.starts_with("GET /x "), "{asked}");
    assert!(
        !asked.contains("secret") && !asked.to_lowercase().contains("authorization"),
        "{asked}"
    );
}
