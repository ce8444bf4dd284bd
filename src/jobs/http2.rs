//! One request over HTTP/2 in plain text, with knowledge beforehand: what a gRPC call needs and nothing else.
//!
//! Headers are written without compression and read not at all: the verdict of a health check is in the body. Everything
//! read is bounded. Source: RFC 9113, RFC 7541 (HPACK).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::sys::{self, Mono};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a peer may put into one frame unless it was told otherwise.
const FRAME_BYTES_MAX: usize = 16 << 10;

/// All that is read, frames of every kind: far more than a health check answers, and no more than is worth waiting for.
const BYTES_MAX: usize = 256 << 10;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// The only request, and its stream.
const STREAM: u32 = 1;

/// A header of a request: a whole entry of HPACK's static table, or a name and a value.
pub(super) enum Header<'a> {
    /// Name and value by number.
    Known(u8),
    /// Both in letters; the name in lower case.
    Plain(&'a str, &'a str),
}

/// Sends a request and gives the body of its answer as soon as `enough` of it is there, or its end. Takes no longer than
/// `until`.
pub(super) fn exchange(
    stream: &mut TcpStream,
    headers: &[Header<'_>],
    body: &[u8],
    enough: impl Fn(&[u8]) -> bool,
    until: Mono,
) -> io::Result<Vec<u8>> {
    let mut block = Vec::new();
    for header in headers {
        put_header(&mut block, header);
    }
    let mut out = PREFACE.to_vec();
    put_frame(&mut out, SETTINGS, 0, 0, &[]);
    put_frame(&mut out, HEADERS, END_HEADERS, STREAM, &block);
    put_frame(&mut out, DATA, END_STREAM, STREAM, body);
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(&out)?;

    let (mut answer, mut total) = (Vec::new(), 0);
    loop {
        let frame = read_frame(stream, until)?;
        total += frame.payload.len() + 9;
        if total > BYTES_MAX {
            return Err(io::Error::other(format!(
                "more than {BYTES_MAX} bytes of answer"
            )));
        }
        match (frame.kind, frame.stream) {
            (SETTINGS, 0) if frame.flags & ACK == 0 => reply(stream, SETTINGS, &[], until)?,
            (PING, 0) if frame.flags & ACK == 0 => reply(stream, PING, &frame.payload, until)?,
            (DATA, STREAM) => answer.extend_from_slice(frame.data()?),
            (RST_STREAM, STREAM) | (GOAWAY, 0) => {
                return Err(io::Error::other("the server refused the request"));
            }
            _ => {}
        }
        let ended = matches!(frame.kind, DATA | HEADERS)
            && frame.stream == STREAM
            && frame.flags & END_STREAM != 0;
        if ended || enough(&answer) {
            return Ok(answer);
        }
    }
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The payload without its padding.
    fn data(&self) -> io::Result<&[u8]> {
        if self.flags & PADDED == 0 {
            return Ok(&self.payload);
        }
        let unpadded = self.payload.split_first().and_then(|(padding, rest)| {
            let end = rest.len().checked_sub(usize::from(*padding))?;
            rest.get(..end)
        });
        unpadded.ok_or_else(|| io::Error::other("a frame with more padding than bytes"))
    }
}

fn read_frame(stream: &mut TcpStream, until: Mono) -> io::Result<Frame> {
    let mut head = [0; 9];
    read_exact(stream, &mut head, until)?;
    let [a, b, c, kind, flags, s0, s1, s2, s3] = head;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("not an answer by HTTP/2"));
    }
    let mut payload = vec![0; length];
    read_exact(stream, &mut payload, until)?;
    Ok(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        payload,
    })
}

/// As of std, with one deadline for all of it.
fn read_exact(stream: &mut TcpStream, mut bytes: &mut [u8], until: Mono) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => bytes = bytes.get_mut(n..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn reply(stream: &mut TcpStream, kind: u8, payload: &[u8], until: Mono) -> io::Result<()> {
    let mut out = Vec::new();
    put_frame(&mut out, kind, ACK, 0, payload);
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(&out)
}

fn left(until: Mono) -> io::Result<Duration> {
    let left = until.since(sys::now().mono);
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// The payloads of ours are shorter than any limit: the service's name is the longest of them.
fn put_frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn put_header(out: &mut Vec<u8>, header: &Header<'_>) {
    match header {
        Header::Known(number) => out.push(0x80 | number),
        Header::Plain(name, value) => {
            // Literal, not to be remembered, name in letters.
            out.push(0);
            for text in [name, value] {
                put_number(out, text.len());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

/// A length with a prefix of seven bits (RFC 7541, 5.1).
fn put_number(out: &mut Vec<u8>, number: usize) {
    let Some(mut rest) = number.checked_sub(127) else {
        out.push(u8::try_from(number).unwrap_or(0));
        return;
    };
    out.push(127);
    while rest >= 128 {
        out.push(u8::try_from(rest % 128).unwrap_or(0) | 128);
        rest /= 128;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_hpack_has_them() {
        for (number, bytes) in [
            (0, &[0][..]),
            (126, &[126]),
            (127, &[127, 0]),
            (254, &[127, 127]),
            (255, &[127, 128, 1]),
            (1337, &[127, 186, 9]),
        ] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(out, bytes, "{number}");
        }
    }
}
