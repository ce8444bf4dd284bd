//! A dockerd that follows a script: for faults of the protocol only.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// What is done about one request.
pub enum Answer {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the connection is closed.
    Cut(Vec<u8>),
    /// These bytes, then silence for as long as the client stays.
    Stall(Vec<u8>),
    /// The first bytes, then the second for ever.
    Endless(Vec<u8>, Vec<u8>),
}

/// The listener; gone when dropped.
pub struct Listener {
    pub path: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicU32>,
}

/// A path for a socket that nobody else uses.
pub fn socket_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("staticlet-{}-{count}.sock", std::process::id()))
}

/// An answer with a body of known length.
pub fn reply(status: &str, body: &str) -> Answer {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Answer::Bytes((head + body).into_bytes())
}

/// The head of an answer in chunks, and these chunks, without the end.
pub fn chunks(parts: &[&str]) -> Vec<u8> {
    let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for part in parts {
        bytes.extend(format!("{:x}\r\n{part}\r\n", part.len()).into_bytes());
    }
    bytes
}

impl Listener {
    /// Answers one request after the other as the script says; after its end nothing more is accepted.
    pub fn start(script: Vec<Answer>) -> Listener {
        let path = socket_path();
        let socket = UnixListener::bind(&path).unwrap();
        let (requests, connections) = (Arc::default(), Arc::default());
        let listener = Listener {
            path,
            requests: Arc::clone(&requests),
            connections: Arc::clone(&connections),
        };
        std::thread::spawn(move || {
            let mut script = script.into_iter().peekable();
            while script.peek().is_some() {
                let (stream, _) = socket.accept().unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                serve(stream, &mut script, &requests);
            }
        });
        listener
    }

    /// The socket as the client wants it.
    pub fn socket(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Heads and bodies of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(
    stream: UnixStream,
    script: &mut impl Iterator<Item = Answer>,
    requests: &Mutex<Vec<String>>,
) {
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let mut to = stream;
    while let Some(request) = read_request(&mut from) {
        requests.lock().unwrap().push(request);
        match script.next() {
            Some(Answer::Bytes(bytes)) => to.write_all(&bytes).unwrap(),
            Some(Answer::Cut(bytes)) => return to.write_all(&bytes).unwrap(),
            Some(Answer::Stall(bytes)) => {
                to.write_all(&bytes).unwrap();
                let _ = from.read(&mut [0]);
                return;
            }
            Some(Answer::Endless(first, again)) => {
                let _ = to.write_all(&first);
                while to.write_all(&again).is_ok() {}
                return;
            }
            None => return,
        }
    }
}

fn read_request(from: &mut impl BufRead) -> Option<String> {
    let (mut text, mut length, mut chunked) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        chunked |= lower.starts_with("transfer-encoding: chunked");
        text += &line;
        if line == "\r\n" {
            break;
        }
    }
    if !chunked {
        return Some(text + &read_text(from, length));
    }
    loop {
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        length = usize::from_str_radix(line.trim(), 16).unwrap();
        text += &read_text(from, length);
        from.read_line(&mut line).ok()?;
        if length == 0 {
            return Some(text);
        }
    }
}

fn read_text(from: &mut impl BufRead, length: usize) -> String {
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
