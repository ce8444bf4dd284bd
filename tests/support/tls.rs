//! A server that speaks TLS, with certificates of the fixtures.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A file of the fixtures: a CA, a server of the names localhost, kubernetes and 127.0.0.1, and clients.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

/// Where it is.
pub fn path(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls");
    dir.join(name)
}

/// Whether the server wants to see a certificate.
#[derive(Clone, Copy, PartialEq)]
pub enum Wants {
    Nothing,
    Client,
}

/// A server that says hello; its port.
pub fn server(wants: Wants) -> u16 {
    saying(wants, "hello")
}

/// A server that says this.
pub fn saying(wants: Wants, body: &str) -> u16 {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let config = config(wants);
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let conn = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(conn, socket.unwrap());
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok() {
                let _ = stream.write_all(answer.as_bytes());
                let _ = stream.flush();
            }
        }
    });
    port
}

/// The first certificate of a file of the fixtures, as a connection shows it.
pub fn certificate(name: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(&fixture(name))
        .unwrap()
        .to_vec()
}

/// What such a server is.
pub fn config(wants: Wants) -> Arc<ServerConfig> {
    config_of(&path(""), ("server.pem", "server.key"), wants)
}

/// The same with the CA and the server of another directory.
pub fn config_of(dir: &Path, (chain, key): (&str, &str), wants: Wants) -> Arc<ServerConfig> {
    let file = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(&file("ca.pem")).unwrap();
    roots.add(ca).unwrap();
    let builder = match wants {
        Wants::Nothing => builder.with_no_client_auth(),
        Wants::Client => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .unwrap(),
        ),
    };
    let chain = vec![CertificateDer::from_pem_slice(&file(chain)).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&file(key)).unwrap();
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}
