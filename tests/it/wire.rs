//! The Docker client against a dockerd that misbehaves.

use std::ops::ControlFlow;

use staticlet::docker::{Docker, ImportCall, PullCall, wire};
use staticlet::sys::{Error, Kind, now};

use crate::support::listener::{Answer, Listener, chunks, reply, socket_path};

fn client(listener: &Listener) -> Docker {
    Docker::new(listener.socket(), Some((1, 41)))
}

fn ping(version: &str) -> Answer {
    let head = format!("HTTP/1.1 200 OK\r\nApi-Version: {version}\r\nContent-Length: 2\r\n\r\nOK");
    Answer::Bytes(head.into_bytes())
}

/// What a list gives when it is answered so.
fn list_error(answer: Answer) -> Error {
    let listener = Listener::start(vec![answer]);
    client(&listener).list().unwrap_err()
}

fn is_told(err: &Error, kind: Kind, words: &str) {
    let text = err.to_string();
    assert!(err.kind() == kind && text.contains(words), "{err:?}");
}

#[test]
fn socket_that_is_not_there_is_named() {
    let path = socket_path();
    let path = path.to_str().unwrap();
    let err = Docker::new(path, None).list().unwrap_err();
    is_told(&err, Kind::Unavailable, &format!("{path} does not exist"));
    let err = Docker::new(path, Some((1, 41))).remove("a").unwrap_err();
    is_told(&err, Kind::Unavailable, "does not exist");
}

#[test]
fn socket_without_a_listener_is_told_from_one_that_is_missing() {
    let path = socket_path();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let docker = Docker::new(path.to_str().unwrap(), None);
    let err = docker.api().unwrap_err();
    is_told(&err, Kind::Unavailable, "nobody listens on");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn version_is_negotiated_once_and_never_above_ours() {
    for (theirs, ours) in [("1.41", (1, 41)), ("1.52", (1, 44)), ("1.40", (1, 40))] {
        let listener = Listener::start(vec![ping(theirs), reply("200 OK", "[]")]);
        let docker = Docker::new(listener.socket(), None);
        assert_eq!(docker.list().unwrap().len(), 0);
        assert_eq!(docker.api().unwrap(), ours);
        let requests = listener.requests();
        let path = format!("GET /v{}.{}/containers/json?all=1&", ours.0, ours.1);
        assert!(requests[1].starts_with(&path), "{requests:?}");
        assert_eq!(listener.connections(), 1, "the connection is kept");
    }
}

#[test]
fn too_old_a_daemon_and_something_else_are_refused() {
    let listener = Listener::start(vec![ping("1.39"), reply("200 OK", "OK")]);
    let docker = Docker::new(listener.socket(), None);
    is_told(&docker.api().unwrap_err(), Kind::Refused, "1.39");
    let err = docker.api().unwrap_err();
    is_told(&err, Kind::Garbled, "is it dockerd?");
}

#[test]
fn replaced_daemon_is_asked_anew() {
    let too_old = r#"{"message":"client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version"}"#;
    let listener = Listener::start(vec![
        reply("400 Bad Request", too_old),
        ping("1.52"),
        reply("200 OK", "[]"),
    ]);
    let docker = client(&listener);
    is_told(&docker.list().unwrap_err(), Kind::Refused, "too old");
    docker.list().unwrap();
    assert_eq!(docker.api().unwrap(), (1, 44));
}

#[test]
fn statuses_become_kinds_with_the_words_of_dockerd() {
    let cases = [
        ("404 Not Found", Kind::Gone, "dockerd 404: no"),
        ("409 Conflict", Kind::Conflict, "dockerd 409: no"),
        ("400 Bad Request", Kind::Refused, "dockerd 400: no"),
        ("500 Internal", Kind::Refused, "dockerd 500: no"),
        ("503 Unavailable", Kind::Unavailable, "dockerd 503: no"),
        ("301 Moved", Kind::Garbled, "dockerd 301: no"),
    ];
    for (status, kind, words) in cases {
        is_told(
            &list_error(reply(status, r#"{"message":"no"}"#)),
            kind,
            words,
        );
    }
    let err = list_error(reply("500 Internal", "plain words\n"));
    is_told(
        &err,
        Kind::Refused,
        "list containers: dockerd 500: plain words",
    );
    is_told(&list_error(reply("500 Internal", "")), Kind::Refused, "500");
}

#[test]
fn what_is_as_wanted_already_is_no_error() {
    let not_modified = || Answer::Bytes(b"HTTP/1.1 304 Not Modified\r\n\r\n".to_vec());
    let gone = || reply("404 Not Found", r#"{"message":"No such container: a"}"#);
    let listener = Listener::start(vec![
        not_modified(),
        not_modified(),
        gone(),
        gone(),
        gone(),
        gone(),
    ]);
    let docker = client(&listener);
    docker.start("a").unwrap();
    docker.stop("a", 7).unwrap();
    docker.stop("a", 7).unwrap();
    docker.remove("a").unwrap();
    is_told(&docker.start("a").unwrap_err(), Kind::Gone, "404");
    is_told(&docker.kill("a", "TERM").unwrap_err(), Kind::Gone, "404");
    let requests = listener.requests();
    assert!(
        requests[0].contains("content-length: 0\r\n"),
        "{requests:?}"
    );
    assert!(requests[2].starts_with("POST /v1.41/containers/a/stop?t=7 "));
    assert!(requests[3].starts_with("DELETE /v1.41/containers/a?force=1&v=1 "));
    assert_eq!(listener.connections(), 1, "the connection is kept");
}

#[test]
fn hung_daemon_is_given_up_after_five_seconds() {
    for bytes in [
        Vec::new(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[".to_vec(),
    ] {
        let began = now().mono;
        let err = list_error(Answer::Stall(bytes));
        is_told(&err, Kind::Unavailable, "no answer from dockerd within 5 s");
        let took = now().mono.since(began).as_millis();
        assert!((4900..7000).contains(&took), "{took}");
    }
}

#[test]
fn full_queue_of_connections_is_not_waited_for() {
    let path = socket_path();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _waits = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let docker = Docker::new(path.to_str().unwrap(), None);
    let err = docker.api().unwrap_err();
    is_told(&err, Kind::Unavailable, "no longer accepts connections");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn cut_answers_are_no_answers() {
    for bytes in [
        b"".to_vec(),
        b"HTTP/1.1 200".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]".to_vec(),
        chunks(&["[", "]"]),
    ] {
        let err = list_error(Answer::Cut(bytes));
        is_told(&err, Kind::Unavailable, "dockerd closed the connection");
    }
}

#[test]
fn garbage_is_told_as_such() {
    is_told(&list_error(reply("200 OK", "[{]")), Kind::Garbled, "parse");
    is_told(&list_error(reply("200 OK", "{}")), Kind::Garbled, "parse");
    let err = list_error(Answer::Cut(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec()));
    is_told(&err, Kind::Garbled, "not an HTTP answer");
    let bad_chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec();
    let err = list_error(Answer::Cut(bad_chunk));
    is_told(&err, Kind::Garbled, "not an HTTP answer");
}

#[test]
fn endless_answers_end() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let err = list_error(Answer::Endless(head.clone(), b"x: y\r\n".repeat(1000)));
    assert!(matches!(err.kind(), Kind::TooBig | Kind::Garbled), "{err}");
    let body = [head, b"\r\n[".to_vec()].concat();
    let err = list_error(Answer::Endless(body, b" ".repeat(1 << 20)));
    is_told(&err, Kind::TooBig, "longer than 33554432 bytes");
}

fn pull_call() -> PullCall {
    PullCall {
        image: "r:5000/a/b".into(),
        tag: "1".into(),
        auth: None,
    }
}

/// The end of a pull that is answered so, and its lines.
fn pull(answer: Answer) -> (Result<(), Error>, Vec<wire::PullLine>) {
    let listener = Listener::start(vec![answer]);
    let mut lines = Vec::new();
    let end = client(&listener).pull(&pull_call(), &mut |line| {
        lines.push(line);
        ControlFlow::Continue(())
    });
    let request = &listener.requests()[0];
    let line = "POST /v1.41/images/create?fromImage=r%3A5000%2Fa%2Fb&tag=1 ";
    assert!(request.starts_with(line), "{request}");
    assert!(request.contains("x-registry-auth: e30=\r\n"), "{request}");
    (end, lines)
}

#[test]
fn pull_ends_well_only_with_its_stream() {
    let lines = [
        "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"a\"}\r\n",
        "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":9},\"id\":\"a\"}\r\n",
    ];
    let (end, got) = pull(Answer::Cut(
        [chunks(&lines), b"0\r\n\r\n".to_vec()].concat(),
    ));
    end.unwrap();
    assert_eq!((got.len(), got[1].progress_detail.total), (2, 9));
    let (end, got) = pull(Answer::Cut(chunks(&lines)));
    is_told(
        &end.unwrap_err(),
        Kind::Unavailable,
        "closed the connection",
    );
    assert_eq!(got.len(), 2);
}

#[test]
fn pull_fails_by_its_last_line_although_the_status_was_200() {
    let line = "{\"errorDetail\":{\"message\":\"x\"},\"error\":\"unauthorized: no\"}\r\n";
    let (end, _) = pull(Answer::Cut(
        [chunks(&[line]), b"0\r\n\r\n".to_vec()].concat(),
    ));
    is_told(
        &end.unwrap_err(),
        Kind::Refused,
        "pull r:5000/a/b:1: unauthorized: no",
    );
    let refused = r#"{"message":"Get \"http://r:5000/v2/\": dial tcp: connection refused"}"#;
    let (end, _) = pull(reply("500 Internal", refused));
    is_told(&end.unwrap_err(), Kind::Unavailable, "connection refused");
}

#[test]
fn pull_that_is_broken_off_closes_the_connection() {
    let listener = Listener::start(vec![
        Answer::Endless(chunks(&[]), b"d\r\n{\"status\":0}\n\r\n".to_vec()),
        Answer::Endless(chunks(&[]), b"f\r\n{\"status\":\"a\"}\n\r\n".to_vec()),
        reply("200 OK", "[]"),
    ]);
    let docker = client(&listener);
    let end = docker.pull(&pull_call(), &mut |_| ControlFlow::Continue(()));
    assert_eq!(end.unwrap_err().kind(), Kind::Garbled);
    let end = docker.pull(&pull_call(), &mut |_| ControlFlow::Break(()));
    end.unwrap();
    docker.list().unwrap();
    assert_eq!(listener.connections(), 3);
}

#[test]
fn line_without_end_is_refused() {
    let (end, _) = pull(Answer::Endless(
        b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
        b"x".repeat(4096),
    ));
    is_told(&end.unwrap_err(), Kind::TooBig, "a line of more than");
}

#[test]
fn import_streams_its_tar() {
    let listener = Listener::start(vec![reply("200 OK", "{\"status\":\"sha256:a\"}\r\n")]);
    let import = ImportCall {
        repo: "r".into(),
        tag: "t".into(),
        changes: vec!["CMD [\"a b\"]".into()],
    };
    let tar = "t".repeat(100_000);
    client(&listener)
        .import_image(&import, tar.as_bytes())
        .unwrap();
    let request = &listener.requests()[0];
    let line = "POST /v1.41/images/create?fromSrc=-&repo=r&tag=t&changes=CMD%20%5B%22a%20b%22%5D ";
    assert!(request.starts_with(line) && request.ends_with(&tar));
}

#[test]
fn load_streams_its_archive_and_gives_the_names() {
    let lines = [
        "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1},\"id\":\"a\"}\r\n",
        "{\"stream\":\"Loaded image: web:1\\n\"}\r\n{\"stream\":\"Loaded image ID: sha256:b\\n\"}\r\n",
    ];
    let failed = "{\"errorDetail\":{\"message\":\"unexpected EOF\"},\"error\":\"unexpected EOF\"}";
    let end = b"0\r\n\r\n".to_vec();
    let listener = Listener::start(vec![
        Answer::Bytes([chunks(&lines), end].concat()),
        reply("200 OK", failed),
    ]);
    let docker = client(&listener);
    let archive = "t".repeat(100_000);
    let names = docker.load("/d/a.tar", archive.as_bytes()).unwrap();
    assert_eq!(names, ["web:1", "sha256:b"]);
    let err = docker.load("/d/a.tar", archive.as_bytes()).unwrap_err();
    is_told(
        &err,
        Kind::Refused,
        "load images of /d/a.tar: unexpected EOF",
    );
    let request = &listener.requests()[0];
    assert!(request.starts_with("POST /v1.41/images/load?quiet=0 "));
    assert!(request.ends_with(&archive));
}

#[test]
fn an_answer_that_comes_before_the_end_of_the_body_is_not_lost() {
    use std::io::{Read, Write};
    let path = socket_path();
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        stream.read_exact(&mut [0; 4096]).unwrap();
        let body = r#"{"message":"invalid tar header"}"#;
        let head = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
    });
    let docker = Docker::new(path.to_str().unwrap(), Some((1, 41)));
    let mut body = std::io::repeat(b'x').take(1 << 40);
    let err = docker.load("/d/a.tar", &mut body).unwrap_err();
    is_told(&err, Kind::Refused, "dockerd 400: invalid tar header");
    assert!(body.limit() > 1 << 39, "the rest of a terabyte is not read");
    served.join().unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn events_end_with_the_daemon() {
    let line = include_str!("../wire/event-20.10.24.json");
    let listener = Listener::start(vec![
        Answer::Cut([chunks(&[line]), b"0\r\n\r\n".to_vec()].concat()),
        Answer::Cut(chunks(&[line])),
        Answer::Stall(Vec::new()),
    ]);
    let docker = client(&listener);
    let mut ids = Vec::new();
    let mut follow = || {
        docker.events(&mut |event| {
            ids.extend(event.map(|event| event.actor.id));
            ControlFlow::Continue(())
        })
    };
    follow().unwrap();
    assert_eq!(follow().unwrap_err().kind(), Kind::Unavailable);
    is_told(&follow().unwrap_err(), Kind::Unavailable, "within 5 s");
    assert_eq!((ids.len(), ids[0].len()), (2, 64));
}
