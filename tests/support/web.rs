//! A web server that follows a script, for what servers do to those who ask them.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with a connection whose request has been read.
type Act = Arc<dyn Fn(&mut TcpStream, &str) + Send + Sync>;

/// Answers on a port of its own, for as long as the test runs.
pub struct Server {
    pub at: SocketAddr,
    act: Arc<Mutex<Act>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Server {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let first: Act = Arc::new(|_, _| {});
        let server = Server {
            at: socket.local_addr().unwrap(),
            act: Arc::new(Mutex::new(first)),
            requests: Arc::default(),
        };
        let (act, requests) = (Arc::clone(&server.act), Arc::clone(&server.requests));
        std::thread::spawn(move || {
            for stream in socket.incoming() {
                let mut stream = stream.unwrap();
                let (mut head, mut from) =
                    (String::new(), BufReader::new(stream.try_clone().unwrap()));
                while !head.ends_with("\r\n\r\n") && from.read_line(&mut head).unwrap() > 0 {}
                requests.lock().unwrap().push(head.clone());
                let act = Arc::clone(&act.lock().unwrap());
                act(&mut stream, &head);
            }
        });
        server
    }

    /// From now on this is done with each connection, once its request has been read.
    pub fn will(&self, act: impl Fn(&mut TcpStream) + Send + Sync + 'static) {
        *self.act.lock().unwrap() = Arc::new(move |to, _| act(to));
    }

    /// From now on this to a request with such a head, without a `Content-Length` of its own.
    pub fn answers(&self, answer: impl Fn(&str) -> (String, Vec<u8>) + Send + Sync + 'static) {
        *self.act.lock().unwrap() = Arc::new(move |to, asked| {
            let (head, body) = answer(asked);
            let length = body.len();
            let _ = write!(to, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n");
            let _ = to.write_all(&body);
        });
    }

    /// From now on this status line with headers, and this body.
    pub fn says(&self, head: &str, body: &str) {
        let answer = (head.to_owned(), body.as_bytes().to_vec());
        self.answers(move |_| answer.clone());
    }

    /// The head of the last request.
    pub fn last_request(&self) -> String {
        self.requests().pop().unwrap_or_default()
    }

    /// The heads of all requests.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}
