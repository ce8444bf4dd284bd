//! A server that answers with what it was given: dockerd, an API server, a probed service.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is answered to a request whose head contains the word; the first that fits.
#[derive(Default)]
pub(super) struct Script {
    pub(super) answers: Vec<(&'static str, Vec<u8>)>,
    /// Bytes that are written at once; 0: all.
    pub(super) piece: usize,
    /// Reads on until the client goes: its last words would break the connection before the answer is read.
    pub(super) listens: bool,
}

/// The server of one target.
pub(super) struct Server {
    /// The port; 0 where it is a Unix socket.
    pub(super) port: u16,
    script: Arc<Mutex<Script>>,
}

impl Server {
    /// At a socket.
    pub(super) fn at(path: &Path) -> Server {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        Server::start(0, move || listener.accept().unwrap().0)
    }

    /// At every address of this machine.
    pub(super) fn tcp() -> Server {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Server::start(port, move || listener.accept().unwrap().0)
    }

    fn start<S: Stream>(port: u16, mut accept: impl FnMut() -> S + Send + 'static) -> Server {
        let script: Arc<Mutex<Script>> = Arc::default();
        let shared = script.clone();
        thread::spawn(move || {
            loop {
                // That the client goes away is its right.
                let _ = answer(&mut accept(), &shared);
            }
        });
        Server { port, script }
    }

    /// What is answered from now on.
    pub(super) fn play(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }
}

/// A loopback address, another one each time: a closed connection holds its pair of addresses for a minute.
pub(super) fn address(of: &[u8]) -> String {
    static NEXT: Mutex<u16> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap();
    *next = next.wrapping_add(1);
    let [a, b] = next.to_be_bytes();
    let c = u8::try_from(of.len() % 200).unwrap_or_default();
    format!("127.{c}.{a}.{}", b.max(1))
}

trait Stream: Read + Write {
    fn end(&self);
    fn hurry(&self);
}

impl Stream for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(std::net::Shutdown::Write);
    }
    fn hurry(&self) {
        let _ = self.set_read_timeout(Some(Duration::from_millis(500)));
    }
}

impl Stream for TcpStream {
    fn end(&self) {
        let _ = self.shutdown(std::net::Shutdown::Write);
    }
    fn hurry(&self) {
        let _ = self.set_read_timeout(Some(Duration::from_millis(500)));
        let _ = self.set_nodelay(true);
    }
}

fn answer(stream: &mut impl Stream, script: &Mutex<Script>) -> std::io::Result<()> {
    stream.hurry();
    let request = request(stream)?;
    let (answer, piece, listens) = {
        let script = script.lock().unwrap();
        let mut answers = script.answers.iter();
        let found = answers.find(|(word, _)| request.contains(word));
        let answer = found.map(|(_, answer)| answer.clone()).unwrap_or_default();
        (answer, script.piece, script.listens)
    };
    match piece {
        0 => stream.write_all(&answer)?,
        size => {
            for piece in answer.chunks(size.max(answer.len() / 64)) {
                stream.write_all(piece)?;
                stream.flush()?;
            }
        }
    }
    stream.end();
    if listens {
        let mut sink = [0; 4096];
        while stream.read(&mut sink)? > 0 {}
    }
    Ok(())
}

/// The head of a request, with its body read as well; of HTTP/2 as much as comes at once.
fn request(stream: &mut impl Stream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if text.starts_with("PRI ") || body.len() >= length.unwrap_or(0) {
                return Ok(head.to_owned());
            }
        }
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(text.into_owned());
        }
        bytes.extend_from_slice(&chunk[..count]);
    }
}
