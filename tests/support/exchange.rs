//! One HTTP exchange as bytes: enough of HTTP/1.1 to know where a head and a body end, and nothing else.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How the end of a body is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Nothing,
    Length(u64),
    Chunked,
    /// A stream that ends with its connection, or never.
    Open,
}

/// The head of a message, the empty line included; `None` at the end of the connection.
pub fn head(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        let before = head.len();
        if from.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
        if before > 0 && matches!(&head[before..], b"\r\n" | b"\n") {
            return Ok(Some(head));
        }
    }
}

/// The framing of a request, or of the answer to one.
pub fn framing(head: &[u8]) -> Framing {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = |name: &str| {
        let mut lines = text.lines().skip(1);
        lines.find_map(|line| line.strip_prefix(name).map(|value| value.trim().to_owned()))
    };
    let status = text
        .strip_prefix("http/1.1 ")
        .and_then(|rest| rest.get(..3));
    if matches!(status, Some("204" | "304")) {
        return Framing::Nothing;
    }
    if value("transfer-encoding:").is_some_and(|value| value.contains("chunked")) {
        return Framing::Chunked;
    }
    match value("content-length:").and_then(|value| value.parse().ok()) {
        Some(0) => Framing::Nothing,
        Some(length) => Framing::Length(length),
        None if status.is_some() => Framing::Open,
        None => Framing::Nothing,
    }
}

/// Passes a body on as it comes, marks of chunks included.
pub fn body(
    from: &mut BufReader<UnixStream>,
    to: &mut dyn Write,
    framing: Framing,
) -> io::Result<()> {
    match framing {
        Framing::Nothing => Ok(()),
        Framing::Length(length) => io::copy(&mut from.take(length), to).map(drop),
        Framing::Open => io::copy(from, to).map(drop),
        Framing::Chunked => loop {
            let mut line = Vec::new();
            from.read_until(b'\n', &mut line)?;
            let size = String::from_utf8_lossy(&line);
            let size = size.trim().split(';').next().unwrap_or_default().to_owned();
            let size = u64::from_str_radix(&size, 16).map_err(io::Error::other)?;
            to.write_all(&line)?;
            io::copy(&mut from.take(size + 2), to)?;
            to.flush()?;
            if size == 0 {
                return Ok(());
            }
        },
    }
}

/// Passes a stream without end on until either side is gone.
pub fn stream(from: &mut BufReader<UnixStream>, to: &UnixStream) -> io::Result<()> {
    let server = from.get_ref().try_clone()?;
    loop {
        let held = from.buffer().to_vec();
        (&*to).write_all(&held)?;
        from.consume(held.len());
        let mut both = [server.as_fd(), to.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        poll(&mut both, PollTimeout::NONE).map_err(io::Error::from)?;
        // A client says nothing more: that can only be its end.
        if both[1].any() == Some(true) || from.fill_buf()?.is_empty() {
            return Ok(());
        }
    }
}
