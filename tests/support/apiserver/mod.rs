//! An API server that stores what it is given, as strict as the real one where a node can go wrong: NodeRestriction, the
//! status by its subresource only, UID preconditions, strategic merge. It can also hang, cut, and answer anything.

mod http;
mod store;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};
pub use store::Store;

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
}

/// What the threads share.
pub struct Shared {
    pub store: Mutex<Store>,
    pub changed: Condvar,
    /// Method and beginning of the path, and what is done.
    pub faults: Mutex<Vec<(String, Fault)>>,
    /// Method and path of each request.
    pub requests: Mutex<Vec<String>>,
}

/// The server; its port stays its own until the end of the test.
pub struct ApiServer {
    pub at: SocketAddr,
    pub shared: Arc<Shared>,
}

impl ApiServer {
    pub fn start() -> ApiServer {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let shared = Arc::new(Shared {
            store: Mutex::new(Store::default()),
            changed: Condvar::new(),
            faults: Mutex::default(),
            requests: Mutex::default(),
        });
        let server = ApiServer {
            at: socket.local_addr().unwrap(),
            shared: Arc::clone(&shared),
        };
        std::thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || http::serve(stream, &shared));
            }
        });
        server
    }

    /// The text of a kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": format!("http://{}", self.at)}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        })
        .to_string()
    }

    /// From now on requests that begin so (`GET /api/v1/pods`; empty: all) meet this.
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
        let answer = self.shared.store.lock().unwrap().answer(method, path, body);
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
