//! A socket between an agent and dockerd that sees every exchange, gives it a name, and spoils the one it is told to.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Pid;

use super::calls::{Call, Names};
use super::exchange::{self, Framing};
use super::harm::{Harm, Place, When, Whom};

const LATE: Duration = Duration::from_millis(700);

/// Longer than the agent waits for a short answer.
const HANG: Duration = Duration::from_millis(5500);

#[derive(Default)]
struct State {
    agent: i32,
    seen: Vec<Place>,
    counts: BTreeMap<String, usize>,
    plan: Option<(Place, Harm)>,
    met: bool,
    killed_agent: bool,
    /// Calls of jobs that are under way.
    busy: usize,
    last: Option<Instant>,
    names: Names,
    streams: Vec<UnixStream>,
}

/// The proxy; it ends with the process.
#[derive(Clone)]
pub struct Saboteur(Arc<Mutex<State>>);

impl Saboteur {
    /// Listens at `path`.
    pub fn listen(path: &Path) -> Saboteur {
        let saboteur = Saboteur(Arc::default());
        let listener = UnixListener::bind(path).unwrap();
        let shared = saboteur.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || {
                    let _ = shared.serve(&client);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        saboteur
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Whose calls are those of the agent itself; all others are of jobs.
    pub fn agent_is(&self, pid: u32) {
        let mut state = self.state();
        state.agent = i32::try_from(pid).unwrap();
        state.killed_agent = false;
    }

    /// A new pod: its versions are counted from the first.
    pub fn new_pod(&self) {
        self.state().names = Names::default();
    }

    /// A scene begins, in which this is spoilt.
    pub fn begin(&self, plan: Option<(Place, Harm)>) {
        let mut state = self.state();
        state.seen.clear();
        state.counts.clear();
        state.met = false;
        state.plan = plan;
    }

    /// The calls since then, in their order, and whether the planned one was among them.
    pub fn end(&self) -> (Vec<Place>, bool) {
        let mut state = self.state();
        state.plan = None;
        (std::mem::take(&mut state.seen), state.met)
    }

    pub fn has_killed_agent(&self) -> bool {
        self.state().killed_agent
    }

    /// No job has made a call for so long, and none is under way.
    pub fn is_quiet(&self, long: Duration) -> bool {
        let state = self.state();
        state.busy == 0 && state.last.is_none_or(|last| last.elapsed() >= long)
    }

    /// What a container is called in the names of calls.
    pub fn name_of(&self, id: &str) -> Option<String> {
        self.state().names.by_id.get(id).cloned()
    }

    /// Which version of the pod a UID is.
    pub fn versions(&self) -> Vec<String> {
        self.state().names.uids.clone()
    }

    fn serve(&self, client: &UnixStream) -> io::Result<()> {
        let pid = getsockopt(client, PeerCredentials)?.pid();
        let mut from = BufReader::new(client.try_clone()?);
        let server = UnixStream::connect(super::engine::SOCKET)?;
        let mut answers = BufReader::new(server.try_clone()?);
        while let Some(head) = exchange::head(&mut from)? {
            let mut request = head.clone();
            exchange::body(&mut from, &mut request, exchange::framing(&head))?;
            let call = Call::of(&head);
            let (harm, is_job) = self.meet(pid, &call);
            let went = Exchange {
                saboteur: self,
                client,
                pid,
                call: &call,
                request: &request,
            }
            .go(&server, &mut answers, harm);
            if is_job {
                let mut state = self.state();
                state.busy -= 1;
                state.last = Some(Instant::now());
            }
            if !went? {
                break;
            }
        }
        server.shutdown(Shutdown::Both)
    }

    /// Gives the call its name and its number; what is to happen to it, and whether a job waits for it.
    fn meet(&self, pid: i32, call: &Call) -> (Option<Harm>, bool) {
        let mut state = self.state();
        let caller = if pid == state.agent { "agent" } else { "job" };
        let name = format!(
            "{caller} {} {}",
            call.method,
            state.names.pattern(&call.path)
        );
        let count = state.counts.entry(name.clone()).or_default();
        *count += 1;
        let place = (name, *count);
        state.seen.push(place.clone());
        let is_job = caller == "job" && !call.is_stream();
        if is_job {
            state.busy += 1;
        }
        let planned = state.plan.take_if(|(planned, _)| *planned == place);
        state.met |= planned.is_some();
        (planned.map(|(_, harm)| harm), is_job)
    }

    fn kill(&self, whom: Whom, caller: i32) {
        let mut state = self.state();
        let pid = match whom {
            Whom::Agent => state.agent,
            Whom::Caller => caller,
        };
        state.killed_agent |= pid == state.agent;
        drop(state);
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

struct Exchange<'a> {
    saboteur: &'a Saboteur,
    client: &'a UnixStream,
    pid: i32,
    call: &'a Call,
    request: &'a [u8],
}

impl Exchange<'_> {
    /// Whether the connection goes on.
    fn go(
        &self,
        server: &UnixStream,
        answers: &mut BufReader<UnixStream>,
        harm: Option<Harm>,
    ) -> io::Result<bool> {
        let mut client = self.client;
        match harm {
            None => return self.pass(server, answers),
            Some(Harm::Delay) => {
                thread::sleep(Duration::from_secs(1));
                return self.pass(server, answers);
            }
            Some(Harm::Hang) => {
                thread::sleep(HANG);
                return self.pass(server, answers);
            }
            Some(Harm::DropEvents) => {
                for stream in self.saboteur.state().streams.drain(..) {
                    let _ = stream.shutdown(Shutdown::Both);
                }
                return self.pass(server, answers);
            }
            Some(Harm::Status(status)) => {
                let text = format!("{{\"message\":\"sabotage {status}\"}}");
                let length = text.len();
                write!(
                    client,
                    "HTTP/1.1 {status} Sabotage\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}"
                )?;
                return Ok(true);
            }
            Some(Harm::CutBefore) => {}
            Some(Harm::CutAfter) => {
                self.done(server, answers)?;
            }
            Some(Harm::CutInside) => {
                let (head, body) = self.done(server, answers)?;
                let kept = match body.len() {
                    0 => head[..head.len() / 2].to_vec(),
                    length => [&head[..], &body[..length / 2]].concat(),
                };
                client.write_all(&kept)?;
            }
            Some(Harm::Garbage) => {
                self.done(server, answers)?;
                client.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n")?;
            }
            Some(Harm::Kill(whom, when)) => {
                if when == When::After {
                    self.done(server, answers)?;
                }
                self.saboteur.kill(whom, self.pid);
                if when == When::Late {
                    thread::sleep(LATE);
                    self.done(server, answers)?;
                }
            }
        }
        Ok(false)
    }

    fn pass(&self, server: &UnixStream, answers: &mut BufReader<UnixStream>) -> io::Result<bool> {
        let mut client = self.client;
        if self.call.is_stream() {
            self.send(server)?;
            let Some(head) = exchange::head(answers)? else {
                return Ok(false);
            };
            client.write_all(&head)?;
            self.saboteur.state().streams.push(client.try_clone()?);
            return exchange::stream(answers, client).map(|()| false);
        }
        let (head, body) = self.done(server, answers)?;
        client.write_all(&head)?;
        client.write_all(&body)?;
        Ok(exchange::framing(&head) != Framing::Open)
    }

    fn send(&self, mut server: &UnixStream) -> io::Result<()> {
        server.write_all(self.request)
    }

    /// Has dockerd do it, and takes the answer; of a stream only its head.
    fn done(
        &self,
        server: &UnixStream,
        answers: &mut BufReader<UnixStream>,
    ) -> io::Result<(Vec<u8>, Vec<u8>)> {
        self.send(server)?;
        let head = exchange::head(answers)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut body = Vec::new();
        if !self.call.is_stream() {
            exchange::body(answers, &mut body, exchange::framing(&head))?;
        }
        self.learn(&body);
        Ok((head, body))
    }

    /// The id of a container that was just created.
    fn learn(&self, body: &[u8]) {
        let create = self.call.path.contains("/containers/create?");
        let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        if let (true, Some(id)) = (create, answer["Id"].as_str()) {
            let mut state = self.saboteur.state();
            let pattern = state.names.pattern(&self.call.path);
            let name = pattern.rsplit(' ').next().unwrap_or_default().to_owned();
            state.names.by_id.insert(id.to_owned(), name);
        }
    }
}
