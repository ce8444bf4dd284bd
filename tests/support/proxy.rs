//! Stands between the agent and dockerd and plays a daemon that hangs, or is gone.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

const FORWARD: u8 = 0;
const FREEZE: u8 = 1;
const REFUSE: u8 = 2;

/// A socket of our own in front of dockerd's.
pub struct Proxy {
    mode: Arc<AtomicU8>,
}

impl Proxy {
    /// Listens at `path` and forwards.
    pub fn listen(path: &Path) -> Proxy {
        let mode = Arc::new(AtomicU8::new(FORWARD));
        let listener = UnixListener::bind(path).unwrap();
        let shared = Arc::clone(&mode);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mode = Arc::clone(&shared);
                thread::spawn(move || serve(&client, &mode));
            }
        });
        Proxy { mode }
    }

    /// Passes everything on, also on connections that were frozen.
    pub fn forward(&self) {
        self.mode.store(FORWARD, Ordering::SeqCst);
    }

    /// Accepts connections and lets no byte through.
    pub fn freeze(&self) {
        self.mode.store(FREEZE, Ordering::SeqCst);
    }

    /// Cuts every connection, old and new.
    pub fn refuse(&self) {
        self.mode.store(REFUSE, Ordering::SeqCst);
    }
}

fn serve(client: &UnixStream, mode: &Arc<AtomicU8>) {
    let Ok(server) = UnixStream::connect(super::engine::SOCKET) else {
        return;
    };
    let (c, s, m) = (
        client.try_clone().unwrap(),
        server.try_clone().unwrap(),
        Arc::clone(mode),
    );
    let up = thread::spawn(move || pass(&c, &s, &m));
    pass(&server, client, mode);
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    let _ = up.join();
}

fn pass(mut from: &UnixStream, mut to: &UnixStream, mode: &AtomicU8) {
    let _ = from.set_read_timeout(Some(Duration::from_millis(50)));
    let mut block = [0; 16 * 1024];
    loop {
        match mode.load(Ordering::SeqCst) {
            REFUSE => {
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
            FREEZE => {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            _ => {}
        }
        match from.read(&mut block) {
            Ok(0) => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(n) => {
                while mode.load(Ordering::SeqCst) == FREEZE {
                    thread::sleep(Duration::from_millis(20));
                }
                if to.write_all(&block[..n]).is_err() {
                    return;
                }
            }
            Err(e) if matches!(e.raw_os_error(), Some(11)) => {}
            Err(_) => return,
        }
    }
}
