//! `staticlet logs`.

use std::process::Stdio;

use serde_json::json;

use super::{Site, listed, ping, pod};
use crate::support::listener::{Answer, Listener, chunks, reply};

/// A dockerd that is asked for the log of that container, and answers like this.
fn dockerd(site: &Site, log: Answer) -> Listener {
    Listener::start(vec![
        ping(),
        reply("200 OK", &listed(site)),
        Answer::Cut(
            match reply("200 OK", r#"{"Id": "c1", "Config": {"Tty": false}}"#) {
                Answer::Bytes(bytes) => bytes,
                _ => unreachable!(),
            },
        ),
        log,
    ])
}

fn logs(site: &Site, log: Answer, flags: &str) -> (String, i32, Vec<String>) {
    let docker = dockerd(site, log);
    let socket = docker.socket();
    let line = format!(
        "logs web --hostname-override=n --root-dir={} --container-runtime-endpoint=unix://{socket} {flags}",
        site.root()
    );
    let (text, code) = site.typed(&line);
    (text, code, docker.requests())
}

#[test]
fn a_log_is_passed_on_without_its_frames() {
    let site = Site::new("frames");
    // Frames that do not end where the chunks do.
    let mut answer = chunks(&[
        "\u{1}\0\0\0\0\0\0\u{6}one",
        "\ntw\u{2}\0\0",
        "\0\0\0\0\u{4}two\n",
    ]);
    answer.extend(b"0\r\n\r\n");
    let (text, code, requests) = logs(&site, Answer::Cut(answer), "--tail 5 --since 0 -f");
    assert_eq!((text.as_str(), code), ("one\ntwtwo\n", 0));
    let asked = requests[3].lines().next().unwrap();
    let wanted = "GET /v1.41/containers/c1/logs?stdout=1&stderr=1&follow=1&tail=5&since=";
    assert!(asked.starts_with(wanted), "{asked}");
}

#[test]
fn what_goes_wrong_in_the_middle_of_a_log_is_told() {
    let site = Site::new("wrong");
    let ok = "\u{1}\0\0\0\0\0\0\u{4}one\n";
    let said = "\u{3}\0\0\0\0\0\0\u{9}no more!\n";
    let cut = |parts: &[&str], end: &[u8]| {
        let mut bytes = chunks(parts);
        bytes.extend(end);
        Answer::Cut(bytes)
    };
    for (answer, wanted) in [
        (
            cut(&[ok, said], b"0\r\n\r\n"),
            "one\nstaticlet: logs: read the log of container c1: no more!\n",
        ),
        (
            cut(&[ok], b""),
            "one\nstaticlet: logs: read the log of container c1: dockerd closed the connection in the middle\n",
        ),
        (
            cut(&["no frame at all"], b"0\r\n\r\n"),
            "staticlet: logs: read the log of container c1: it is not framed: it has \"no frame\" where a frame begins\n",
        ),
        (
            reply(
                "500 X",
                r#"{"message": "configured logging driver does not support reading"}"#,
            ),
            "staticlet: logs: read the log of container c1: dockerd 500: configured logging driver does not support reading\n",
        ),
    ] {
        let (text, code, _) = logs(&site, answer, "");
        assert_eq!((text.as_str(), code), (wanted, 111));
    }
}

#[test]
fn logs_end_with_their_reader_though_nothing_comes() {
    let site = Site::new("silent");
    let docker = dockerd(
        &site,
        Answer::Stall(chunks(&["\u{1}\0\0\0\0\0\0\u{4}one\n"])),
    );
    let line = format!(
        "logs web -f --hostname-override=n --root-dir={} --container-runtime-endpoint=unix://{}",
        site.root(),
        docker.socket()
    );
    let mut child = site
        .typing(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    std::io::BufRead::read_line(&mut out, &mut text).unwrap();
    assert_eq!(text, "one\n");
    drop(out);
    let out = child.wait_with_output().unwrap();
    assert_eq!(
        (out.status.code(), out.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

#[test]
fn a_wrong_pod_or_container_is_answered_with_those_that_are_there() {
    let site = Site::new("which");
    site.publish(json!({
        "items": [pod("web-n", &["c", "d"]), pod("waits-n", &["c"])],
        "pods": {"default/waits-n": {"reasons": [
            {"container": "c", "reason": "ErrImagePull", "message": "no such\nhost"}]}},
    }));
    for (line, wanted) in [
        (
            "web",
            "pod default/web-n has several containers, choose one with -c: c, d\n",
        ),
        (
            "web -c e",
            "pod default/web-n has no container e; it has c, d\n",
        ),
        (
            "web -c d",
            "container d of pod default/web-n: it has not been started yet\n",
        ),
        (
            "web -c c -p",
            "container c of pod default/web-n: no instance of it has ended, or none is kept\n",
        ),
        (
            "waits",
            "container c of pod default/waits-n: it has not been started yet: ErrImagePull: no such host\n",
        ),
        (
            "other",
            "there is no pod other; there are default/waits-n, default/web-n\n",
        ),
    ] {
        let docker = Listener::start(vec![ping(), reply("200 OK", &listed(&site))]);
        let at = format!("--container-runtime-endpoint={}", docker.socket());
        let (text, code) = site.typed(&format!("logs {line} {at}"));
        assert_eq!(
            (text, code),
            (format!("staticlet: logs: {wanted}"), 1),
            "{line}"
        );
    }
}
