//! Answers that are not one JSON document: lines of JSON, and framed logs.

use std::io::{BufRead, Read};
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;

/// What ended the reading of a line.
#[derive(Debug)]
pub(super) enum LineError {
    /// The connection.
    Io(std::io::Error),
    /// The line is longer than this many bytes.
    TooLong(usize),
    /// The line is not what it should be.
    Garbled(String),
}

/// The next line that is not blank; `None` at the end of the stream. The last line may lack its newline: the framing of
/// HTTP already tells a cut from an end.
pub(super) fn next_line<T: DeserializeOwned>(
    from: &mut impl BufRead,
    bytes_max: usize,
) -> Result<Option<T>, LineError> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        let got = (&mut *from)
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(LineError::Io)?;
        if got == 0 {
            return Ok(None);
        }
        if got == bytes_max && line.last() != Some(&b'\n') {
            return Err(LineError::TooLong(bytes_max));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        return serde_json::from_slice(&line).map(Some).map_err(|err| {
            LineError::Garbled(format!("{err} in {:?}", String::from_utf8_lossy(&line)))
        });
    }
}

/// The text of a container's log. Without a terminal Docker frames it (`stream 0 0 0 length` and the bytes), with one it
/// does not, and below API 1.42 nothing but the bytes tells which: framed is what parses as frames from its first byte
/// on. A frame cut short at the end counts with what there is of it.
pub fn log_text(raw: &[u8]) -> String {
    let mut rest = raw;
    let mut text = Vec::with_capacity(raw.len());
    while let [stream @ 0..=2, 0, 0, 0, a, b, c, d, tail @ ..] = rest {
        let _ = stream;
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (frame, after) = tail.split_at(length.min(tail.len()));
        text.extend_from_slice(frame);
        rest = after;
    }
    if text.is_empty() {
        text.extend_from_slice(rest);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What dockerd itself says in the middle of a log: it cannot go on.
pub(super) const STREAM_SYSTEM: u8 = 3;

/// Takes the frames off what comes piece by piece, and keeps no more than a frame's head.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    /// Bytes of the frame that are still to come.
    left: usize,
}

impl Frames {
    /// Hands the payload within `piece` to `each`, with the number of its stream, until that breaks off.
    ///
    /// # Errors
    /// The first bytes of something that is no frame.
    pub(super) fn feed(
        &mut self,
        mut piece: &[u8],
        each: &mut dyn FnMut(u8, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, String> {
        while !piece.is_empty() {
            if let [stream, _, _, _, _, _, _, _] = self.head.as_slice() {
                let (payload, after) = piece.split_at(self.left.min(piece.len()));
                if each(*stream, payload).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                piece = after;
                self.left -= payload.len();
            } else {
                let (head, after) = piece.split_at((HEAD_BYTES - self.head.len()).min(piece.len()));
                self.head.extend_from_slice(head);
                piece = after;
                let Some(length) = frame_length(&self.head)? else {
                    continue;
                };
                self.left = length;
            }
            if self.left == 0 {
                self.head.clear();
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

const HEAD_BYTES: usize = 8;

/// The length in the head of a frame; `None` while the head is not complete.
fn frame_length(head: &[u8]) -> Result<Option<usize>, String> {
    match head {
        [0..=STREAM_SYSTEM, 0, 0, 0, a, b, c, d] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]);
            Ok(Some(usize::try_from(length).unwrap_or(usize::MAX)))
        }
        [_, _, _, _, _, _, _, _] => Err(format!("{:?}", String::from_utf8_lossy(head))),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_off_wherever_the_pieces_are_cut() {
        let raw = b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x03err";
        for size in 1..=raw.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for piece in raw.chunks(size) {
                let fed = frames.feed(piece, &mut |stream, bytes| {
                    seen.extend(bytes.iter().map(|byte| (stream, *byte)));
                    ControlFlow::Continue(())
                });
                assert_eq!(fed, Ok(ControlFlow::Continue(())));
            }
            let of = |wanted| {
                let of = seen.iter().filter(|(stream, _)| *stream == wanted);
                of.map(|(_, byte)| char::from(*byte)).collect::<String>()
            };
            assert_eq!((of(1).as_str(), of(2).as_str()), ("out\n", "err"), "{size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut frames = Frames::default();
        let fed = frames.feed(b"plain text", &mut |_, _| ControlFlow::Continue(()));
        assert_eq!(fed, Err("\"plain te\"".to_owned()));
    }

    #[test]
    fn lines_may_be_blank_or_lack_the_last_newline() {
        let mut from = &b"\r\n{\"a\":1}\r\n\n{\"a\":2}"[..];
        let mut next = || next_line::<serde_json::Value>(&mut from, 100).unwrap();
        assert_eq!(next().unwrap()["a"], 1);
        assert_eq!(next().unwrap()["a"], 2);
        assert!(next().is_none());
    }

    #[test]
    fn long_line_is_refused_after_its_limit() {
        let mut from = std::io::BufReader::new(std::io::repeat(b'x'));
        let err = next_line::<serde_json::Value>(&mut from, 1000).unwrap_err();
        assert!(matches!(err, LineError::TooLong(1000)), "{err:?}");
    }

    #[test]
    fn log_with_and_without_frames() {
        let framed = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x04err\n";
        assert_eq!(log_text(framed), "outerr\n");
        assert_eq!(
            log_text(b"\x01\0\0\0\0\0\0\x09cut"),
            "cut",
            "cut within a frame"
        );
        assert_eq!(log_text(b"plain\r\n"), "plain\r\n");
        assert_eq!(log_text(b""), "");
    }
}
