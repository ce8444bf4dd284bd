//! A web server that follows a script, for what servers do to those who ask them.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What the server does with a connection whose request has been read.
type Act = Arc<dyn Fn(&mut TcpStream) + Send + Sync>;

/// Answers on a port of its own, for as long as the test runs.
pub struct Server {
    pub at: SocketAddr,
    act: Arc<Mutex<Act>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start() -> Server {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let first: Act = Arc::new(|_| {});
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
                requests.lock().unwrap().push(head);
                let act = Arc::clone(&act.lock().unwrap());
                act(&mut stream);
            }
        });
        server
    }

    /// From now on this is done with each connection, once its request has been read.
    pub fn will(&self, act: impl Fn(&mut TcpStream) + Send + Sync + 'static) {
        *self.act.lock().unwrap() = Arc::new(act);
    }

    /// From now on this status line with headers, and this body.
    pub fn says(&self, head: &str, body: &str) {
        let text = format!(
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.will(move |to| drop(to.write_all(text.as_bytes())));
    }

    /// The head of the last request.
    pub fn last_request(&self) -> String {
        self.requests
            .lock()
            .unwrap()
            .last()
            .cloned()
            .unwrap_or_default()
    }
}
