//! TLS against a server of the test: who is trusted, who is shown, and what is said when it does not work.

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use serde_json::json;
use staticlet::sys::Kind;
use staticlet::sys::tls::{Identity, Tls, Trust, agent};

use crate::probe::probe;
use crate::support::tls::{Wants, fixture, server};

fn get(tls: &Tls, url: &str) -> Result<String, String> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .proxy(None)
        .build();
    let agent = agent(config, tls).map_err(|error| error.to_string())?;
    let response = agent.get(url).call().map_err(|error| error.to_string())?;
    let mut body = String::new();
    let mut reader = response.into_body().into_reader();
    reader.read_to_string(&mut body).unwrap();
    Ok(body)
}

fn trusting() -> Tls {
    Tls {
        trust: Trust::Roots(fixture("ca.pem")),
        identity: None,
        server_name: None,
    }
}

fn as_client(certificates: &str, key: &str) -> Tls {
    let identity = Identity {
        certificates: fixture(certificates),
        key: fixture(key),
    };
    Tls {
        identity: Some(identity),
        ..trusting()
    }
}

#[test]
fn a_server_of_the_ca_is_trusted_under_its_names_only() {
    let port = server(Wants::Nothing);
    for host in ["127.0.0.1", "localhost"] {
        let said = get(&trusting(), &format!("https://{host}:{port}/"));
        assert_eq!(said.as_deref(), Ok("hello"), "{host}");
    }
    let url = format!("https://127.0.0.1:{port}/");
    let named = |name: &str| Tls {
        server_name: Some(name.to_owned()),
        ..trusting()
    };
    assert_eq!(get(&named("kubernetes"), &url).as_deref(), Ok("hello"));
    let error = get(&named("elsewhere"), &url).unwrap_err();
    assert!(error.contains("not valid for name"), "{error}");
}

#[test]
fn a_server_of_another_ca_is_trusted_by_anybody_only() {
    let url = format!("https://127.0.0.1:{}/", server(Wants::Nothing));
    let other = Tls {
        trust: Trust::Roots(fixture("client-ed25519.pem")),
        ..trusting()
    };
    assert!(get(&other, &url).is_err());
    assert_eq!(get(&Tls::unverified(), &url).as_deref(), Ok("hello"));
}

#[test]
fn every_kind_of_key_is_shown() {
    let url = format!("https://127.0.0.1:{}/", server(Wants::Client));
    for client in [
        "client-rsa-pkcs1",
        "client-rsa-pkcs8",
        "client-ec-sec1",
        "client-ed25519",
    ] {
        let tls = as_client(&format!("{client}.pem"), &format!("{client}.key"));
        assert_eq!(get(&tls, &url).as_deref(), Ok("hello"), "{client}");
    }
    assert!(get(&trusting(), &url).is_err());
}

#[test]
fn a_key_that_does_not_belong_is_told_and_is_no_panic() {
    let config = || ureq::Agent::config_builder().build();
    let wrong = as_client("client-ed25519.pem", "client-ec-sec1.key");
    let error = agent(config(), &wrong).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused, "{error}");
    assert!(error.to_string().contains("client certificate"), "{error}");
    let none = as_client("client-ed25519.pem", "ca.pem");
    let error = agent(config(), &none).unwrap_err();
    assert_eq!(error.kind(), Kind::Garbled, "{error}");
    let empty = Tls {
        trust: Trust::Roots(b"no PEM".to_vec()),
        ..trusting()
    };
    let error = agent(config(), &empty).unwrap_err();
    assert!(
        error.to_string().contains("no certificate in it"),
        "{error}"
    );
}

#[test]
fn a_server_that_never_ends_its_handshake_is_left() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let keeps = thread::spawn(move || listener.accept().map(|(socket, _)| socket));
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(1)))
        .build();
    let agent = agent(config, &Tls::unverified()).unwrap();
    let error = agent.get(format!("https://127.0.0.1:{port}/")).call();
    assert!(error.is_err());
    drop(keeps.join());
}

#[test]
fn an_https_probe_takes_any_certificate() {
    let port = server(Wants::Nothing);
    let (found, said) = probe(json!({"timeoutSeconds": 20,
        "httpGet": {"scheme": "HTTPS", "port": port, "path": "/livez"}}));
    assert_eq!(found, "success", "{said}");
}
