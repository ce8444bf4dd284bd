//! TLS for HTTP clients: whom a connection trusts, as whom it speaks, and a `ureq` agent over it.
//!
//! rustls with ring. IO: [`Tls::config`] reads the machine's CA bundle. Deliberately absent: built-in roots (they would
//! grow old on a box that nobody updates; a bundle or a CA file is asked for instead), and servers.

mod connector;
mod trust;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub use connector::agent;

use super::{Error, Kind, Result};

/// Whose certificate a server may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's (`insecure-skip-tls-verify`, and HTTPS probes).
    Anybody,
    /// One signed by these: certificates in PEM.
    Roots(Vec<u8>),
    /// One signed by a CA of the machine's bundle.
    Machine,
}

/// The certificate that a client shows, and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate and those between it and its CA, in PEM; anything else in it is passed over.
    pub certificates: Vec<u8>,
    /// The key in PEM: PKCS#1, PKCS#8 or SEC1; RSA, ECDSA or Ed25519. The first one is taken.
    pub key: Vec<u8>,
}

// The key is for no log.
impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// How to speak TLS with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Whose certificate is taken.
    pub trust: Trust,
    /// The client's own; `None`: it shows none.
    pub identity: Option<Identity>,
    /// The name that the server's certificate must have, and that it is asked for; `None`: the URL's host.
    pub server_name: Option<String>,
}

impl Tls {
    /// Takes any certificate, shows none.
    pub fn unverified() -> Tls {
        Tls {
            trust: Trust::Anybody,
            identity: None,
            server_name: None,
        }
    }

    /// Checks what was given, and reads the machine's CA bundle if it is trusted.
    ///
    /// # Errors
    /// `Gone`: there is no bundle. `Garbled`: PEM without a certificate or without a key. `Refused`: a key that does not
    /// belong to its certificate, or is of an unknown kind.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::new("set up TLS", Kind::Refused, e))?;
        let builder = match &self.trust {
            Trust::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(trust::Anybody::new(&provider))),
            Trust::Roots(pem) => builder.with_root_certificates(trust::roots(pem)?),
            Trust::Machine => builder.with_root_certificates(trust::machine()?),
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (certificates, key) = identity.read(&provider)?;
                builder
                    .with_client_auth_cert(certificates, key)
                    .map_err(|e| Error::new("use the client certificate", Kind::Refused, e))?
            }
        };
        Ok(Arc::new(config))
    }
}

impl Identity {
    fn read(
        &self,
        provider: &CryptoProvider,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let doing = "read the client certificate";
        let certificates = certificates(&self.certificates, doing)?;
        let doing = "read the client key";
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|e| Error::new(doing, Kind::Garbled, pem_fault(&e, "key")))?;
        // Said here in words about the key; later it would be about the certificate.
        provider
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|e| Error::new(doing, Kind::Refused, e))?;
        Ok((certificates, key))
    }
}

/// All certificates of a PEM text; at least one.
fn certificates(pem: &[u8], doing: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem).collect();
    let certificates =
        certificates.map_err(|e| Error::new(doing, Kind::Garbled, pem_fault(&e, "certificate")))?;
    if certificates.is_empty() {
        return Err(Error::new(doing, Kind::Garbled, "no certificate in it"));
    }
    Ok(certificates)
}

/// What is wrong with a PEM text. The reader's own words may quote a line of it, and so a key.
fn pem_fault(error: &pem::Error, wanted: &str) -> String {
    #[allow(clippy::wildcard_enum_match_arm)] // the reader's enum is open
    match error {
        pem::Error::NoItemsFound => format!("no {wanted} in it"),
        pem::Error::MissingSectionEnd { .. } => "a -----BEGIN has no -----END in it".to_owned(),
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins with -----BEGIN goes on after it".to_owned()
        }
        pem::Error::Base64Decode(_) => {
            "it is not base64 between -----BEGIN and -----END".to_owned()
        }
        _ => "it is no PEM".to_owned(),
    }
}
