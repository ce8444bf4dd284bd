//! An API server that sends what it can think of: no pod suffers, and nobody's memory is filled.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::agent::{Agent, SOON, eventually, sleeper};
use crate::support::apiserver::{ApiServer, Fault};
use crate::support::engine;

/// Of a job of this program, which is not optimized: what an answer takes at most, its tree, and what the program takes itself.
const JOB_KIB_MAX: u64 = 64 << 10;

/// Of the agent: it reads no answer itself.
const AGENT_KIB_MAX: u64 = 32 << 10;

/// The most memory that an agent, and any of its jobs, ever had.
struct Memory {
    is_over: Arc<AtomicBool>,
    job_kib: Arc<AtomicU64>,
    agent: u32,
    watcher: Option<JoinHandle<()>>,
}

fn peak_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

impl Memory {
    fn watch(agent: u32) -> Memory {
        let (is_over, job_kib) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ends, most) = (Arc::clone(&is_over), Arc::clone(&job_kib));
        let watcher = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let list = fs::read_to_string(format!("/proc/{agent}/task/{agent}/children"));
                for pid in list.unwrap_or_default().split_whitespace() {
                    most.fetch_max(peak_kib(pid.parse().unwrap()), Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        Memory {
            is_over,
            job_kib,
            agent,
            watcher: Some(watcher),
        }
    }

    /// Of jobs since the last call, and of the agent ever.
    fn take(&self) -> (u64, u64) {
        (
            self.job_kib.swap(0, Ordering::Relaxed),
            peak_kib(self.agent),
        )
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.watcher.take().map(JoinHandle::join);
    }
}

/// What the server does about which requests, and the words by which `status` or the log says what is wrong.
struct Case {
    what: &'static str,
    about: &'static str,
    fault: Fault,
    words: &'static str,
}

fn case(what: &'static str, about: &'static str, fault: Fault, words: &'static str) -> Case {
    Case {
        what,
        about,
        fault,
        words,
    }
}

const LIST: &str = "GET /api/v1/pods?";
const WATCH: &str = "GET /api/v1/pods?*watch=true";

fn ok(body: String) -> Fault {
    Fault::Says("200 OK".to_owned(), body)
}

fn list(items: &str) -> Fault {
    ok(format!("{{\"kind\":\"PodList\",\"items\":[{items}]}}"))
}

fn item(name: &str, node: &str, notes: &Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": "u-of-another", "resourceVersion": "1", "annotations": notes},
        "spec": {"nodeName": node},
    })
}

fn cases(node: &str, elsewhere: &ApiServer) -> Vec<Case> {
    let web = format!("web0-{node}");
    let mirror = json!({"kubernetes.io/config.mirror": "of-another", "kubernetes.io/config.hash": "of-another"});
    let many = |node: &str| {
        let one = |n: usize| item(&format!("x{n}"), node, &mirror).to_string();
        (0..60_000).map(one).collect::<Vec<_>>().join(",")
    };
    let bomb = "{\"a\":0},".repeat(2_000_000 - 1) + "{\"a\":0}";
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let typed = item(&web, node, &json!({"kubernetes.io/config.mirror": 7})).to_string();
    let number = format!(
        "{{\"metadata\":{{\"generation\":1e999}},\"status\":{}}}",
        "9".repeat(100_000)
    );
    let events: String = (1000..3000)
        .map(|n| {
            let mut pod = item(&web, node, &mirror);
            pod["metadata"]["resourceVersion"] = json!(n.to_string());
            json!({"type": "MODIFIED", "object": pod}).to_string() + "\n"
        })
        .collect();
    let redirect = format!("307 X\r\nLocation: http://{}/api/v1/pods", elsewhere.at);
    let longer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}".to_vec();
    let shorter =
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{\"kind\":\"PodList\",\"items\":[]}".to_vec();
    let slow = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b' '; 1000]].concat();
    let taken = item(&web, node, &json!({})).to_string();
    let stranger = item(&web, node, &mirror).to_string();
    vec![
        case("all is well", "GET /nothing", Fault::Cut, ""),
        case(
            "an endless body",
            "",
            Fault::Endless(vec![b' '; 1 << 16]),
            "more than 16777216 bytes",
        ),
        case(
            "an endless head",
            "",
            Fault::Bytes(vec![b'x'; 1 << 24]),
            "API server: ",
        ),
        case(
            "a body that fills the memory",
            "",
            ok(format!("[{bomb}]")),
            "API server: ",
        ),
        case(
            "items that fill the memory",
            LIST,
            list(&bomb),
            "already exists",
        ),
        case("a deep body", "", ok(deep.clone()), "API server: "),
        case(
            "a deep item",
            LIST,
            list(&format!("{{\"metadata\":{deep}}}")),
            "already exists",
        ),
        case("huge numbers", LIST, list(&number), "already exists"),
        case(
            "wrong types",
            LIST,
            list(&format!("{typed},7,null,[],\"\"")),
            "already exists",
        ),
        case(
            "one byte a second",
            "",
            Fault::Slow(slow),
            "no answer within",
        ),
        case(
            "a redirect elsewhere",
            "",
            Fault::Says(redirect, String::new()),
            "307:",
        ),
        case(
            "a length too long",
            "",
            Fault::Bytes(longer),
            "API server: ",
        ),
        case(
            "a length too short",
            LIST,
            Fault::Bytes(shorter),
            "no JSON of a list",
        ),
        case(
            "a flood of events",
            WATCH,
            Fault::Endless(events.into_bytes()),
            "more than any node has pods for",
        ),
        case(
            "60,000 pods of other nodes",
            LIST,
            list(&many("elsewhere")),
            "already exists",
        ),
        case(
            "60,000 mirrors of this node",
            LIST,
            list(&many(node)),
            "there are more than 5000",
        ),
        case(
            "a pod that is no mirror, with the name of ours",
            LIST,
            list(&taken),
            "a pod that is no mirror has its name",
        ),
        case(
            "a mirror with another UID",
            LIST,
            list(&stranger),
            "already exists",
        ),
    ]
}

/// The running container of each pod.
fn containers(agent: &Agent, count: usize) -> BTreeMap<String, Vec<String>> {
    let of = |n: usize| (format!("web{n}"), agent.running(&format!("web{n}"), "c"));
    (0..count).map(of).collect()
}

#[test]
#[ignore = "needs dockerd"]
fn whatever_the_api_server_sends_no_pod_suffers() {
    let (server, elsewhere) = (ApiServer::start(), ApiServer::start());
    let mut agent = Agent::new("hostile");
    let file = agent.base.join("kubeconfig");
    let user = json!({"token": format!("node:{}", agent.node)});
    fs::write(&file, server.kubeconfig_of(&user)).unwrap();
    agent.args.push(format!("--kubeconfig={}", file.display()));
    agent.start();
    let cases = cases(&agent.node, &elsewhere);
    for n in 0..cases.len() {
        agent.put(&format!("web{n}.yaml"), &sleeper(&format!("web{n}")));
    }
    for n in 0..cases.len() {
        agent.wait_running(&format!("web{n}"), "c");
    }
    let last = format!("web{}-{}", cases.len() - 1, agent.node);
    let is_told = || server.pod(&last)["status"]["phase"] == "Running";
    eventually(&agent, "the mirrors are there", SOON, is_told);
    let memory = Memory::watch(agent.pid());
    let mut usual = Duration::ZERO;
    println!(
        "{:46} {:>10} {:>10} {:>10}",
        "", "restarted", "job", "agent"
    );
    for (n, case) in cases.iter().enumerate() {
        let before = containers(&agent, cases.len());
        let mirrors = server.objects("/api/v1/namespaces/default/pods/").len();
        memory.take();
        server.requests();
        server.fault(case.about, case.fault.clone());
        // What is open ends, and something is to be told.
        let begin = Instant::now();
        let victim = format!("web{n}");
        let id = before[&victim].first().expect("it runs");
        engine::call("POST", &format!("/containers/{id}/kill"), None);
        agent.wait_other(&victim, "c", id);
        let took = begin.elapsed();
        eventually(
            &agent,
            &format!("{}: {:?} is said", case.what, case.words),
            SOON,
            || agent.status().contains(case.words) || agent.log().contains(case.words),
        );
        // Time for whatever it leads to.
        thread::sleep(Duration::from_secs(3));
        let (job, own) = memory.take();
        println!(
            "{:46} {:>7} ms {:>7.1} MB {:>7.1} MB",
            case.what,
            took.as_millis(),
            mb(job),
            mb(own)
        );
        let asked = server.requests();
        server.heal();
        if n == 0 {
            usual = took;
        }
        assert!(
            took < usual * 3 + Duration::from_secs(2),
            "{}: {took:?}, usually {usual:?}",
            case.what
        );
        assert!(
            job < JOB_KIB_MAX && own < AGENT_KIB_MAX,
            "{}: job {job} KiB, agent {own} KiB",
            case.what
        );
        assert!(asked.len() < 300, "{}: {} requests", case.what, asked.len());
        let mut after = containers(&agent, cases.len());
        let mut before = before;
        assert_eq!(after.remove(&victim).unwrap().len(), 1, "{}", case.what);
        before.remove(&victim);
        assert_eq!(after, before, "{}: a container was touched", case.what);
        assert!(agent.is_alive(), "{}", case.what);
        let left = server.objects("/api/v1/namespaces/default/pods/").len();
        assert_eq!(left, mirrors, "{}: a mirror was deleted", case.what);
    }
    assert_eq!(elsewhere.callers(), [], "the redirect was followed");
    agent.wait_status(&format!("web0-{}", agent.node));
    eventually(&agent, "all is well again", SOON, || {
        !agent.status().contains("API server")
    });
}

#[allow(clippy::cast_precision_loss)]
fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}
