//! TLS between `ureq` and its TCP connection.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::config::Config;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    TcpConnector, Transport, TransportAdapter,
};
use ureq::{Agent, Error};

use super::{Tls, Trust};

/// An HTTP client for `http` and `https`; the proxy of `config`, if any, is asked by CONNECT.
///
/// # Errors
/// As [`Tls::config`].
pub fn agent(config: Config, tls: &Tls) -> super::Result<Agent> {
    let connector = TlsConnector {
        config: tls.config()?,
        server_name: tls.server_name.clone(),
        verifies: tls.trust != Trust::Anybody,
    };
    let chain = ().chain(ConnectProxyConnector::default());
    let chain = chain.chain(TcpConnector::default()).chain(connector);
    Ok(Agent::with_parts(config, chain, DefaultResolver::default()))
}

#[derive(Debug)]
struct TlsConnector {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
    verifies: bool,
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name = self.server_name.as_deref().unwrap_or(host);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(name.to_owned())
            .map_err(|e| Error::Io(std::io::Error::other(format!("{name:?}: {e}"))))?;
        let conn = ClientConnection::new(self.config.clone(), name)
            .map_err(|e| Error::Io(std::io::Error::other(e)))?;
        let mut sock = TransportAdapter::new(transport, details.current_time.clone());
        sock.set_timeout(details.timeout);
        let mut stream = StreamOwned { conn, sock };
        stream.conn.complete_io(&mut stream.sock)?;
        let input = details.config.input_buffer_size();
        let buffers = LazyBuffers::new(input, details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport {
            stream,
            buffers,
            verifies: self.verifies,
        })))
    }
}

struct TlsTransport<In: Transport> {
    stream: StreamOwned<ClientConnection, TransportAdapter<In>>,
    buffers: LazyBuffers,
    verifies: bool,
}

impl<In: Transport> std::fmt::Debug for TlsTransport<In> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsTransport")
    }
}

impl<In: Transport> Transport for TlsTransport<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        self.stream.write_all(output)?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let input = self.buffers.input_append_buf();
        let amount = match self.stream.read(input) {
            // Closed without the word that TLS has for it: many servers do. Where the server is verified it counts as
            // cut off, since somebody in between may have done it to shorten a body that has no length.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof && !self.verifies => 0,
            other => other?,
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
