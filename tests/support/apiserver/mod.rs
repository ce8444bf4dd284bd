//! An API server that stores what it is given, as strict as the real one where a node can go wrong: NodeRestriction, the
//! status by its subresource only, preconditions, strategic merge, selectors, watches from a version. kubectl can use it.
//! It can also hang, cut, be killed and come back, and answer anything.

mod http;
mod patch;
mod pods;
mod restrict;
mod select;
mod show;
mod store;
mod watch;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use restrict::Who;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
pub use store::{Request, Store};

use super::tls::{self, Wants};

/// What is done with requests that match.
#[derive(Clone)]
pub enum Fault {
    /// This status, these headers, this body.
    Says(String, String),
    /// No answer for as long as the client stays.
    Hang,
    /// The connection is closed.
    Cut,
    /// This head, and then this for ever.
    Endless(Vec<u8>),
    /// These bytes, one a second.
    Slow(Vec<u8>),
    /// These bytes, and the connection is closed.
    Bytes(Vec<u8>),
}

/// The process that it stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Up,
    /// Stopped by a signal: the kernel takes connections, and nobody reads from them.
    Frozen,
    /// Killed: connections are refused.
    Down,
    /// The test is over.
    Ended,
}

/// What the threads share.
pub struct Shared {
    pub store: Mutex<Store>,
    pub changed: Condvar,
    /// Method and beginning of the path, and what is done.
    pub faults: Mutex<Vec<(String, Fault)>>,
    /// Method and path of each request.
    pub requests: Mutex<Vec<String>>,
    /// Who asked, of each request.
    pub callers: Mutex<Vec<Caller>>,
    state: Mutex<State>,
    turned: Condvar,
    connections: Mutex<Vec<TcpStream>>,
}

impl Shared {
    /// Waits while it is frozen.
    fn thaw(&self) {
        let state = self.state.lock().unwrap();
        drop(
            self.turned
                .wait_while(state, |state| *state == State::Frozen)
                .unwrap(),
        );
    }

    /// What a request meets.
    fn fault(&self, asked: &str) -> Option<Fault> {
        let faults = self.faults.lock().unwrap();
        let is_meant = |begin: &str| {
            let (begin, part) = begin.split_once('*').unwrap_or((begin, ""));
            asked.starts_with(begin) && asked.contains(part)
        };
        let fault = faults.iter().find(|(begin, _)| is_meant(begin));
        fault.map(|(_, fault)| fault.clone())
    }

    /// Takes connections until it is killed. Says whether it may come back.
    fn listen(self: &Arc<Shared>, socket: &TcpListener, config: Option<Arc<ServerConfig>>) -> bool {
        for stream in socket.incoming().flatten() {
            match *self.state.lock().unwrap() {
                State::Up | State::Frozen => {}
                State::Down => return true,
                State::Ended => return false,
            }
            if let Ok(other) = stream.try_clone() {
                self.connections.lock().unwrap().push(other);
            }
            let (shared, config) = (Arc::clone(self), config.clone());
            std::thread::spawn(move || {
                let end = stream.try_clone();
                shared.connected(stream, config);
                // The one that is kept for a kill holds it open.
                let _ = end.map(|stream| stream.shutdown(Shutdown::Both));
            });
        }
        false
    }

    fn connected(&self, mut stream: TcpStream, config: Option<Arc<ServerConfig>>) {
        self.thaw();
        let Some(config) = config else {
            return http::serve(stream, &[], self);
        };
        let mut conn = ServerConnection::new(config).unwrap();
        if conn.complete_io(&mut stream).is_err() {
            return;
        }
        let shown = conn.peer_certificates().and_then(|all| all.first());
        let shown = shown.map(|one| one.to_vec()).unwrap_or_default();
        http::serve(StreamOwned::new(conn, stream), &shown, self);
    }
}

/// One request, and as whom it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Caller {
    /// Method and path.
    pub asked: String,
    /// The `Authorization` header; empty without one.
    pub authorization: String,
    /// The client's certificate; empty without one.
    pub certificate: Vec<u8>,
}

/// Its certificates, read at each start.
pub type Config = Box<dyn Fn() -> Arc<ServerConfig> + Send>;

/// The server; its port stays its own until the end of the test.
pub struct ApiServer {
    pub at: SocketAddr,
    pub shared: Arc<Shared>,
    is_tls: bool,
}

impl ApiServer {
    pub fn start() -> ApiServer {
        ApiServer::speaking(None)
    }

    /// The same over TLS, with the certificates of the fixtures.
    pub fn start_tls(wants: Wants) -> ApiServer {
        ApiServer::speaking(Some(Box::new(move || tls::config(wants))))
    }

    /// Over TLS, with certificates of the test's own.
    pub fn start_with(config: Config) -> ApiServer {
        ApiServer::speaking(Some(config))
    }

    fn speaking(config: Option<Config>) -> ApiServer {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::default()),
            changed: Condvar::new(),
            faults: Mutex::default(),
            requests: Mutex::default(),
            callers: Mutex::default(),
            state: Mutex::new(State::Up),
            turned: Condvar::new(),
            connections: Mutex::default(),
        });
        let at = socket.local_addr().unwrap();
        let server = ApiServer {
            at,
            shared: Arc::clone(&shared),
            is_tls: config.is_some(),
        };
        std::thread::spawn(move || {
            let mut socket = socket;
            while shared.listen(&socket, config.as_ref().map(|config| config())) {
                drop(socket);
                let state = shared.state.lock().unwrap();
                drop(
                    shared
                        .turned
                        .wait_while(state, |state| *state == State::Down)
                        .unwrap(),
                );
                socket = TcpListener::bind(at).unwrap();
            }
        });
        server
    }

    /// Kills it, freezes it, or lets it go on.
    pub fn turn(&self, to: State) {
        *self.shared.state.lock().unwrap() = to;
        self.shared.turned.notify_all();
        if matches!(to, State::Down | State::Ended) {
            // It waits for a connection.
            let _ = TcpStream::connect(self.at);
            for stream in self.shared.connections.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// The text of a kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_of(&json!({}))
    }

    /// The same with this user.
    pub fn kubeconfig_of(&self, user: &Value) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let mut cluster = json!({"server": format!("{scheme}://{}", self.at)});
        if self.is_tls {
            cluster["certificate-authority"] = json!(tls::path("ca.pem"));
        }
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": cluster}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        })
        .to_string()
    }

    /// Who asked since the last call.
    pub fn callers(&self) -> Vec<Caller> {
        std::mem::take(&mut *self.shared.callers.lock().unwrap())
    }

    /// From now on requests that begin so (`GET /api/v1/pods`; empty: all), and go on with what is behind a star, meet this.
    pub fn fault(&self, begin: &str, fault: Fault) {
        self.shared
            .faults
            .lock()
            .unwrap()
            .push((begin.to_owned(), fault));
        self.shared.changed.notify_all();
    }

    /// All is well again.
    pub fn heal(&self) {
        self.shared.faults.lock().unwrap().clear();
    }

    /// One object by its path below the API's root, `Null` when it is not there.
    pub fn object(&self, path: &str) -> Value {
        let store = self.shared.store.lock().unwrap();
        store.objects.get(path).cloned().unwrap_or(Value::Null)
    }

    pub fn pod(&self, name: &str) -> Value {
        self.object(&format!("/api/v1/namespaces/default/pods/{name}"))
    }

    /// All objects whose path begins so.
    pub fn objects(&self, begin: &str) -> Vec<Value> {
        let store = self.shared.store.lock().unwrap();
        let all = store
            .objects
            .iter()
            .filter(|(path, _)| path.starts_with(begin));
        all.map(|(_, object)| object.clone()).collect()
    }

    /// Asks as a client would.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let kind = "application/strategic-merge-patch+json";
        let who = &Who::Admin;
        let answer = self.shared.store.lock().unwrap().answer(&Request {
            method,
            path,
            kind,
            body,
            who,
        });
        self.shared.changed.notify_all();
        answer
    }

    /// Everything is gone, as after the loss of the disk.
    pub fn wipe(&self) {
        self.shared.store.lock().unwrap().wipe();
        self.shared.changed.notify_all();
    }

    /// Requests since the last call, each with method and path.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.turn(State::Ended);
    }
}
