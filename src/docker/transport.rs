//! HTTP over a Unix socket, for `ureq`.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Error};

use super::deadlines::Deadline;
use crate::sys::{self, Kind, Mono};

/// Bytes of each buffer of a connection; ureq's own 128 KiB would be a twentieth of the agent's memory.
const BUFFER_BYTES: usize = 16 << 10;

/// Set when dockerd has closed its side while a body was being sent: it has its answer ready, and that is the reason.
pub(super) type Shut = Arc<AtomicBool>;

/// A body that ends early when nobody takes it any more, so that the answer is read instead of lost.
pub(super) struct UntilShut<'a> {
    pub(super) body: &'a mut dyn Read,
    pub(super) shut: Shut,
}

impl Read for UntilShut<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.shut.load(Ordering::Relaxed) {
            return Ok(0);
        }
        self.body.read(into)
    }
}

fn is_shut(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// Where the answers go: a pipe, say. When nobody reads it any more, no answer is waited for.
pub(super) type Outlet = Arc<OwnedFd>;

/// An HTTP client whose every connection goes to this socket.
pub(super) fn agent(socket: &str, shut: Shut, outlet: Option<Outlet>) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // HTTP_PROXY in the environment is not for a Unix socket.
        .proxy(None)
        .user_agent("staticlet")
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .max_idle_connections(1)
        .build();
    let connector = SocketConnector {
        path: PathBuf::from(socket),
        shut,
        outlet,
    };
    Agent::with_parts(config, connector, NoNames)
}

/// What a fault below HTTP means. Never `Gone`: a socket that is not there says nothing about containers.
pub(super) fn error(doing: impl Into<String>, deadline: Deadline, err: ureq::Error) -> sys::Error {
    use io::ErrorKind as E;
    let doing = doing.into();
    #[allow(clippy::wildcard_enum_match_arm)] // ureq's enum is open
    match err {
        ureq::Error::Timeout(_) => sys::Error::new(doing, Kind::Unavailable, deadline.missed()),
        ureq::Error::Io(err) if err.kind() == E::PermissionDenied => {
            sys::Error::new(doing, Kind::Refused, err)
        }
        ureq::Error::Io(err)
            if matches!(
                err.kind(),
                E::UnexpectedEof | E::ConnectionReset | E::BrokenPipe
            ) =>
        {
            let said = "dockerd closed the connection in the middle";
            sys::Error::new(doing, Kind::Unavailable, said)
        }
        // Also what the connector says; and a chunk that is none is a read error to ureq.
        ureq::Error::Io(err) => sys::Error::new(doing, Kind::Unavailable, err),
        ureq::Error::LargeResponseHeader(_, max) => {
            let said = format!("the head of dockerd's answer is longer than {max} bytes");
            sys::Error::new(doing, Kind::TooBig, said)
        }
        err => sys::Error::new(doing, Kind::Garbled, format!("not an HTTP answer: {err}")),
    }
}

/// Resolves every name to nothing: the address is the socket's path.
#[derive(Debug)]
struct NoNames;

impl Resolver for NoNames {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

#[derive(Debug)]
struct SocketConnector {
    path: PathBuf,
    shut: Shut,
    outlet: Option<Outlet>,
}

impl Connector for SocketConnector {
    type Out = SocketTransport;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<SocketTransport>, Error> {
        let stream = self.open().map_err(|errno| {
            let path = self.path.display();
            #[allow(clippy::wildcard_enum_match_arm)] // not our enum
            let said = match errno {
                Errno::ENOENT => format!("{path} does not exist (is dockerd running?)"),
                Errno::ECONNREFUSED => format!("nobody listens on {path} (is dockerd running?)"),
                Errno::EACCES => format!("no permission to open {path}"),
                // Only non-blocking sockets say this: the queue of connections is full.
                Errno::EAGAIN => format!("dockerd no longer accepts connections on {path}"),
                other => format!("cannot connect to {path}: {}", other.desc()),
            };
            Error::Io(io::Error::new(io::Error::from(errno).kind(), said))
        })?;
        self.shut.store(false, Ordering::Relaxed);
        Ok(Some(SocketTransport {
            stream,
            shut: Arc::clone(&self.shut),
            outlet: self.outlet.clone(),
            buffers: LazyBuffers::new(BUFFER_BYTES, BUFFER_BYTES),
        }))
    }
}

impl SocketConnector {
    /// Connects without ever waiting: the `connect` of std blocks for ever once a hung dockerd's queue is full.
    fn open(&self) -> Result<UnixStream, Errno> {
        let fd = socket::socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )?;
        let address = UnixAddr::new(&self.path)?;
        socket::connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &address)?;
        let stream = UnixStream::from(fd);
        let blocking = stream.set_nonblocking(false);
        blocking.map_err(|err| Errno::try_from(err).unwrap_or(Errno::EIO))?;
        Ok(stream)
    }
}

/// One connection.
#[derive(Debug)]
struct SocketTransport {
    stream: UnixStream,
    shut: Shut,
    outlet: Option<Outlet>,
    buffers: LazyBuffers,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let limit = Limit::of(timeout.for_write());
        let mut rest = self.buffers.output().get(..amount).unwrap_or_default();
        while !rest.is_empty() && !self.shut.load(Ordering::Relaxed) {
            self.stream.set_write_timeout(limit.left()?)?;
            match (&self.stream).write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                // Whatever it has answered can still be read; if it has not, that read says so.
                Err(err) if is_shut(&err) => {
                    self.shut.store(true, Ordering::Relaxed);
                }
                Err(err) => limit.judge(err)?,
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let limit = Limit::of(timeout.for_read());
        loop {
            if let Some(outlet) = &self.outlet
                && !sys::poll_while_read(self.stream.as_fd(), outlet.as_fd(), limit.at)
            {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
            }
            self.stream.set_read_timeout(limit.left()?)?;
            match (&self.stream).read(self.buffers.input_append_buf()) {
                Ok(got) => {
                    self.buffers.input_appended(got);
                    return Ok(got > 0);
                }
                Err(err) => limit.judge(err)?,
            }
        }
    }

    /// An idle connection is good when there is nothing to read: neither an end nor bytes nobody asked for.
    fn is_open(&mut self) -> bool {
        let idle = |stream: &UnixStream| {
            stream.set_nonblocking(true)?;
            let got = (&mut &*stream).read(&mut [0]);
            stream.set_nonblocking(false)?;
            got
        };
        matches!(idle(&self.stream), Err(err) if err.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The deadline of one read or write, kept through interruptions.
struct Limit {
    at: Option<Mono>,
    timeout: NextTimeout,
}

impl Limit {
    fn of(timeout: NextTimeout) -> Limit {
        let at = timeout
            .not_zero()
            .map(|_| sys::now().mono.after(*timeout.after));
        Limit { at, timeout }
    }

    /// What is left, for the socket; `None` is for ever.
    fn left(&self) -> Result<Option<Duration>, Error> {
        let Some(at) = self.at else { return Ok(None) };
        let left = at.since(sys::now().mono);
        if left.is_zero() {
            return Err(Error::Timeout(self.timeout.reason));
        }
        Ok(Some(left))
    }

    /// Whether to go on after an error: a stop and continue of this process interrupts a socket call with a timeout.
    fn judge(&self, err: io::Error) -> Result<(), Error> {
        #[allow(clippy::wildcard_enum_match_arm)] // std's enum is open
        match err.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                Err(Error::Timeout(self.timeout.reason))
            }
            _ => Err(err.into()),
        }
    }
}
