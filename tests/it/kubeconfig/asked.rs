//! What a server and a proxy see of a request by a kubeconfig.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::{Value, json};
use staticlet::apiserver::{Answer, Api, read as kubeconfig};

use super::{SECRET, dir};
use crate::support::apiserver::ApiServer;
use crate::support::tls::{Wants, certificate, fixture};
use crate::support::web::Server;

/// Asks a server for something by a kubeconfig.
fn ask(dir: &Path, text: &str) -> Result<(), String> {
    let file = dir.join("config");
    std::fs::write(&file, text).unwrap();
    let said = kubeconfig(&file)
        .and_then(Api::new)
        .and_then(|api| api.get("/api/v1/nodes"));
    match said {
        Ok(Answer::Done(_)) => Ok(()),
        Ok(other) => Err(format!("{other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

/// As the kubelet keeps its own: `kubelet-client-current.pem` is named twice.
#[test]
fn one_file_may_hold_certificate_and_key() {
    let dir = dir("combined");
    let server = ApiServer::start_tls(Wants::Client);
    let user = json!({"client-certificate": "current.pem", "client-key": "current.pem"});
    let text = server.kubeconfig_of(&user);
    let [pem, key] = ["client-ec-sec1.pem", "client-ec-sec1.key"].map(fixture);
    for parts in [[&pem, &key], [&key, &pem]] {
        std::fs::write(
            dir.join("current.pem"),
            parts.map(|p| p.as_slice()).concat(),
        )
        .unwrap();
        ask(&dir, &text).unwrap();
        let callers = server.callers();
        assert_eq!(callers[0].certificate, certificate("client-ec-sec1.pem"));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_server_is_held_to_tls_server_name() {
    let dir = dir("name");
    let server = ApiServer::start_tls(Wants::Nothing);
    let named = |name: &str| {
        let mut text: Value = serde_json::from_str(&server.kubeconfig()).unwrap();
        text["clusters"][0]["cluster"]["tls-server-name"] = json!(name);
        ask(&dir, &text.to_string())
    };
    named("kubernetes").unwrap();
    let error = named("elsewhere").unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_proxy_is_asked_and_hears_no_token() {
    let dir = dir("proxy");
    let server = ApiServer::start_tls(Wants::Nothing);
    let (proxy, at) = (Server::start(), server.at);
    proxy.will(move |client| {
        let server = TcpStream::connect(at).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (up, down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || pass(up, down));
        let client = client.try_clone().unwrap();
        std::thread::spawn(move || pass(server, client));
    });
    let mut text: Value =
        serde_json::from_str(&server.kubeconfig_of(&json!({"token": SECRET}))).unwrap();
    text["clusters"][0]["cluster"]["proxy-url"] = json!(format!("http://me:pw@{}", proxy.at));
    ask(&dir, &text.to_string()).unwrap();
    let head = proxy.last_request();
    assert!(head.starts_with(&format!("CONNECT {at} ")), "{head}");
    assert!(
        head.contains("Proxy-Authorization: Basic bWU6cHc="),
        "{head}"
    );
    assert!(!head.contains(SECRET), "{head}");
    assert_eq!(server.callers()[0].authorization, "Bearer s3cr3t");
    std::fs::remove_dir_all(&dir).unwrap();
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}
