//! The gRPC probe against servers that follow a script, down to the frames of HTTP/2.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use serde_json::json;

use crate::manifests::{good, refused};
use crate::probe::probe;

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const HEADERS: u8 = 1;
const DATA: u8 = 0;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = length[1..].to_vec();
    out.extend([kind, flags, 0, 0, 0, stream]);
    out.extend(payload);
    out
}

/// A server that reads the request, answers with these bytes, and then with the last of them for ever or not at all.
fn server(answer: Vec<u8>, endless: bool) -> (u16, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).unwrap();
        request.truncate(length);
        let _ = stream.write_all(&answer);
        while endless && stream.write_all(&answer).is_ok() {}
        // Until the client has gone.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        request.extend(rest);
        request
    });
    (port, heard)
}

fn ask(port: u16, service: &str) -> (String, String) {
    probe(json!({"timeoutSeconds": 1, "grpc": {"port": port, "service": service}}))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_verdict_in_pieces_and_padding_is_read() {
    for (status, found, words) in [
        (1, "success", ""),
        (
            2,
            "failure",
            "service unhealthy (responded with \"NOT_SERVING\")",
        ),
    ] {
        let answer = [
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
            frame(PING, 0, 0, b"12345678"),
            frame(HEADERS, 4, 1, &[0x88]),
            frame(DATA, 0, 1, &[0, 0, 0]),
            frame(DATA, 8, 1, &[3, 0, 2, 8, status, 0, 0, 0]),
        ];
        let (port, heard) = server(answer.concat(), false);
        assert_eq!(ask(port, "liveness"), (found.into(), words.into()));
        let request = heard.join().unwrap();
        assert!(request.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert!(contains(&request, b"/grpc.health.v1.Health/Check"));
        assert!(contains(&request, b"\x0a\x08liveness"));
        assert!(contains(&request, &frame(PING, 1, 0, b"12345678")));
        assert!(contains(&request, &frame(SETTINGS, 1, 0, &[])));
    }
}

#[test]
fn whatever_a_server_says_the_probe_ends_in_time_and_fails() {
    let trailers_only = frame(HEADERS, 5, 1, &[0x88]);
    let reset = frame(3, 0, 1, &[0, 0, 0, 7]);
    let compressed = frame(DATA, 1, 1, &[1, 0, 0, 0, 2, 8, 1]);
    let padding = frame(DATA, 9, 1, &[200, 0, 0]);
    let settings = frame(SETTINGS, 1, 0, &[]);
    let many = frame(DATA, 0, 1, &[255; 16384]);
    for (answer, endless, words) in [
        (trailers_only, false, "no verdict"),
        (reset, false, "refused"),
        (compressed, false, "no verdict"),
        (padding, false, "padding"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            false,
            "not an answer by HTTP/2",
        ),
        (Vec::new(), false, "did not complete within 1s"),
        (settings, true, "bytes of answer"),
        (many, true, "bytes of answer"),
    ] {
        let (port, _heard) = server(answer, endless);
        let began = Instant::now();
        let (found, said) = ask(port, "");
        assert_eq!(found, "failure", "{said}");
        assert!(said.contains(words), "{said}, not {words}");
        assert!(began.elapsed().as_secs() < 10, "{words}");
    }
}

#[test]
fn random_frames_are_no_panic() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..12 {
        let mut bytes = Vec::new();
        for _ in 0..400 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let kind = (seed >> 8) as u8 % 10;
            let payload: Vec<u8> = seed.to_le_bytes()[..(seed >> 16) as usize % 8].to_vec();
            bytes.extend(frame(
                kind,
                (seed >> 24) as u8,
                (seed >> 32) as u8 % 2,
                &payload,
            ));
        }
        let (port, _heard) = server(bytes, false);
        let (found, said) = ask(port, "");
        assert!(
            ["failure", "success"].contains(&found.as_str()),
            "round {round}: {found} {said}"
        );
    }
}

#[test]
fn a_port_beyond_the_last_is_refused() {
    let pod = |port: u32| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [
            {"name": "c", "image": "i", "livenessProbe": {"grpc": {"port": port}}}]}})
    };
    good(&pod(50051).to_string());
    let said = refused(&pod(70000).to_string());
    assert!(said.contains("livenessProbe.grpc.port"), "{said}");
}
