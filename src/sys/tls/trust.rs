//! Whose certificate is taken.

use std::path::Path;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::super::{Error, Kind, Result, files};
use super::certificates;

/// Where distributions keep the bundle: Debian, Alpine and Arch; Fedora; openSUSE; old Fedora; Alpine's other name.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A bundle is some 250 kB.
const BUNDLE_BYTES_MAX: usize = 4 << 20;

/// The certificates of a PEM text as roots.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let doing = "read the CA certificates";
    let (added, _) = store.add_parsable_certificates(certificates(pem, doing)?);
    if added == 0 {
        return Err(Error::new(doing, Kind::Garbled, "none of them can be used"));
    }
    Ok(store)
}

/// The machine's bundle: the first that is there. One that is elsewhere is named by a flag, not by the environment.
pub(super) fn machine() -> Result<RootCertStore> {
    let path = BUNDLES.map(Path::new).into_iter().find(|p| p.exists());
    let path = path.ok_or_else(|| {
        let said = format!("none of these is there: {}", BUNDLES.join(" "));
        Error::new("find the CA certificates of this machine", Kind::Gone, said)
    })?;
    let pem = files::read_bounded(path, BUNDLE_BYTES_MAX)?;
    roots(&pem).map_err(|error| error.while_doing(path.display()))
}

/// Takes every certificate, and still holds the server to the key that is in it.
#[derive(Debug)]
pub(super) struct Anybody(WebPkiSupportedAlgorithms);

impl Anybody {
    pub(super) fn new(provider: &CryptoProvider) -> Anybody {
        Anybody(provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
