//! A probe by gRPC: one call of `grpc.health.v1.Health/Check`.
//!
//! Source: kubelet 1.36 `pkg/probe/grpc`; the messages are those of grpc's health checking protocol. The status in the
//! trailers is not read: without a verdict in the body the call has failed, whatever it says.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use k8s_openapi::api::core::v1::GRPCAction;

use super::http2::{Header, exchange};
use super::probe::Attempt;
use crate::state::Probed;
use crate::sys;

/// Before every message: is it compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Entries of HPACK's static table.
const METHOD_POST: u8 = 3;
const SCHEME_HTTP: u8 = 6;

const SERVING: u64 = 1;

/// Asks once. Whatever goes wrong is a failure of the service, never of the probe.
pub(super) fn probe(action: &GRPCAction, ip: &str, timeout: Duration) -> Attempt {
    let service = action.service.as_deref().unwrap_or_default();
    let said = match check(action.port, service, ip, timeout) {
        Ok(SERVING) => return Ok((Probed::Success, String::new())),
        Ok(status) => format!("service unhealthy (responded with {:?})", word(status)),
        Err(error) if is_timeout(&error) => {
            let seconds = timeout.as_secs();
            format!("timeout: health rpc did not complete within {seconds}s")
        }
        Err(error) => format!("error: health rpc probe failed: {error}"),
    };
    Ok((Probed::Failure, said))
}

fn check(port: i32, service: &str, ip: &str, timeout: Duration) -> io::Result<u64> {
    let until = sys::now().mono.after(timeout);
    let no_address = |_| io::Error::other(format!("{ip} port {port} is no address"));
    let port = u16::try_from(port).map_err(|_| io::Error::other("invalid port number"))?;
    let address = SocketAddr::new(ip.parse().map_err(no_address)?, port);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    let authority = address.to_string();
    let headers = [
        Header::Known(METHOD_POST),
        Header::Known(SCHEME_HTTP),
        Header::Plain(":path", "/grpc.health.v1.Health/Check"),
        Header::Plain(":authority", &authority),
        Header::Plain("content-type", "application/grpc"),
        Header::Plain("user-agent", "kube-probe/1.36"),
        Header::Plain("te", "trailers"),
    ];
    let whole = |answer: &[u8]| message(answer).is_some();
    let answer = exchange(&mut stream, &headers, &request(service), whole, until)?;
    let none = "no verdict in the answer; does the server know grpc.health.v1.Health?";
    let message = message(&answer).ok_or_else(|| io::Error::other(none))?;
    status(message).ok_or_else(|| io::Error::other("the answer is no verdict"))
}

/// A HealthCheckRequest: the service's name is field 1, left out when empty.
fn request(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(0x0a);
        let mut length = service.len();
        while length >= 128 {
            message.push(u8::try_from(length % 128).unwrap_or(0) | 128);
            length /= 128;
        }
        message.push(u8::try_from(length).unwrap_or(0));
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
    [&[0], &length[..], &message].concat()
}

/// The first message of a body, once all of it is there; a compressed one is none, since we asked for no compression.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = body.split_first_chunk::<PREFIX_BYTES>()?;
    let [0, a, b, c, d] = *prefix else {
        return None;
    };
    let length = u32::from_be_bytes([a, b, c, d]);
    rest.get(..usize::try_from(length).ok()?)
}

/// The status in a HealthCheckResponse: field 1, 0 when left out. `None`: not such a message.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut found = 0;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let skip = match tag & 7 {
            0 => {
                let value = varint(&mut message)?;
                if tag >> 3 == 1 {
                    found = value;
                }
                0
            }
            1 => 8,
            2 => varint(&mut message)?,
            5 => 4,
            _ => return None,
        };
        message = message.get(usize::try_from(skip).ok()?..)?;
    }
    Some(found)
}

/// Seven bits in each byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 127).checked_shl(shift)?;
        if first & 128 == 0 {
            return Some(value);
        }
    }
    None
}

fn word(status: u64) -> String {
    match status {
        0 => "UNKNOWN".to_owned(),
        SERVING => "SERVING".to_owned(),
        2 => "NOT_SERVING".to_owned(),
        3 => "SERVICE_UNKNOWN".to_owned(),
        other => other.to_string(),
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_read_and_garbage_is_none() {
        assert_eq!(status(&[8, 1]), Some(SERVING));
        assert_eq!(status(&[]), Some(0));
        assert_eq!(status(&[0x12, 2, 7, 7, 8, 2]), Some(2));
        for bad in [
            &[8][..],
            &[0x12, 200],
            &[255; 20],
            &[7, 1],
            &[0x12, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ] {
            assert_eq!(status(bad), None, "{bad:?}");
        }
        assert_eq!(message(&request("")), Some(&[][..]));
        assert_eq!(message(&request("liveness")).map(<[u8]>::len), Some(10));
        assert_eq!(message(&[1, 0, 0, 0, 0]), None);
        assert_eq!(message(&[0, 0, 0, 0, 2, 8]), None);
    }
}
