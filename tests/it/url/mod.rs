//! The manifest URL: whatever a server does, the pods of its last good answer go on, and only a good answer stops one.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::web::Server;
use staticlet::sources::{Message, SourceSettings, Sources, UrlSettings, UrlTrust};
use staticlet::state::{Desired, JobEnd, Report, Source};
use staticlet::sys::{self, Now, Wall};

mod gzip;
mod signed;
mod trust;

const SECOND: Duration = Duration::from_secs(1);

/// Sources that are fed as the agent feeds them.
struct World {
    root: PathBuf,
    server: Server,
    sources: Sources,
    messages: Vec<Message>,
    desired: Desired,
    ahead: Duration,
    trust: UrlTrust,
}

impl World {
    fn new() -> World {
        World::trusting(UrlTrust::default())
    }

    fn trusting(trust: UrlTrust) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("url-{}-{count}", std::process::id());
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(root.join("m")).unwrap();
        let server = Server::start();
        World {
            sources: Sources::new(settings(&root, &server, &trust)),
            trust,
            root,
            server,
            messages: Vec::new(),
            desired: Desired::default(),
            ahead: Duration::ZERO,
        }
    }

    /// One that has had one good answer: pods `a` and `b`.
    fn with_pods() -> World {
        let mut world = World::new();
        world
            .server
            .says("200 OK\r\nETag: \"1\"", &list(&["a:1", "b:1"]));
        world.ask();
        assert_eq!(world.pods(), ["a:1", "b:1"]);
        assert!(world.desired.complete);
        world.messages.clear();
        world
    }

    fn restart(&mut self) {
        self.sources = Sources::new(settings(&self.root, &self.server, &self.trust));
        self.desired = Desired::default();
        self.messages.clear();
    }

    fn now(&self) -> Now {
        let real = sys::now();
        let ahead = i64::try_from(self.ahead.as_micros()).unwrap();
        Now {
            wall: Wall(real.wall.0 + ahead),
            mono: real.mono.after(self.ahead),
        }
    }

    /// The next question, with a real job, and what comes of it.
    fn ask(&mut self) {
        self.ahead += 21 * SECOND;
        let now = self.now();
        let request = self.sources.fetch(now).expect("a question is due");
        assert!(self.sources.fetch(now).is_none(), "one at a time");
        let text = serde_json::json!({ "fetch": request }).to_string();
        // Anything that grows with what the server sends dies of the limit.
        let mut job = Command::new("sh")
            .args([
                "-c",
                "ulimit -v 200000; exec \"$0\" job",
                env!("CARGO_BIN_EXE_staticlet"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = job.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        for line in BufReader::new(job.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            assert!(line.len() < 64 * 1024, "a line of {} bytes", line.len());
            let report: Report = serde_json::from_str(&line).unwrap();
            self.sources.fetch_said(&report);
            self.look();
        }
        let ended = job.wait().unwrap();
        let end = match ended.code() {
            Some(0) => JobEnd::Done,
            Some(1) => JobEnd::Failed,
            other => panic!("the job ended with {other:?}"),
        };
        self.sources.fetch_ended(&end);
        self.look();
    }

    fn look(&mut self) {
        let now = self.now();
        self.desired = self.sources.look(now, &|_| None);
        self.messages.extend(self.sources.messages());
        if let Some(request) = self.sources.keep(now) {
            self.sources.kept(request.carry_out().is_ok(), now);
        }
    }

    /// `name:tag of the image`, in order.
    fn pods(&self) -> Vec<String> {
        let pods = self.desired.pods.values().map(|wanted| {
            let spec = wanted.pod.pod.spec.as_ref().unwrap();
            let image = spec.containers[0].image.as_deref().unwrap();
            let name = wanted.pod.key.name.trim_end_matches("-n1");
            format!("{name}:{}", image.trim_start_matches("img:"))
        });
        pods.collect()
    }

    fn refused(&self) -> &Message {
        let refused = |message: &&Message| message.event == "manifest refused";
        let all: Vec<&Message> = self.messages.iter().filter(refused).collect();
        assert_eq!(all.len(), 1, "one clear line: {:?}", self.messages);
        all[0]
    }

    /// Asks three times: the pods are left alone, and one line holds this.
    fn keeps_its_pods(&mut self, why: &str) {
        for _ in 0..3 {
            self.ask();
            assert_eq!(self.pods(), ["a:1", "b:1"], "{why}");
        }
        let line = self.refused();
        assert!(line.why.contains(why), "{why}: {}", line.why);
        assert!(
            line.why.contains("; running last good of 20"),
            "{}",
            line.why
        );
        assert!(
            line.why.len() < 1000 && !line.why.contains('\n'),
            "{}",
            line.why
        );
        let refusal = &self.desired.refusals[0];
        assert!(refusal.good.is_some());
        assert_eq!(self.desired.refusals.len(), 1);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn settings(root: &Path, server: &Server, trust: &UrlTrust) -> SourceSettings {
    SourceSettings {
        path: Some(root.join("m")),
        url: Some(UrlSettings {
            url: format!("http://me:key@{}/pods?token=secret", server.at),
            headers: vec![("X-Key".to_owned(), "secret".to_owned())],
            trust: trust.clone(),
            check: 20 * SECOND,
        }),
        node_name: "n1".to_owned(),
        file_check: 20 * SECOND,
        allow_unknown_fields: false,
        allow_untrusted: true,
        kept: Some(root.join("kept")),
    }
}

/// A pod in flow style, `name:tag`.
fn pod(text: &str) -> String {
    let (name, tag) = text.split_once(':').unwrap();
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{containers: [{{name: c, image: 'img:{tag}'}}]}}}}"
    )
}

fn list(pods: &[&str]) -> String {
    let pods: Vec<String> = pods.iter().map(|text| pod(text)).collect();
    format!(
        "apiVersion: v1\nkind: PodList\nitems: [{}]\n",
        pods.join(", ")
    )
}

#[test]
fn every_form_of_an_answer_is_read() {
    let json = r#"{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"img:1"}]}}]}"#;
    let forms = [
        (
            "a Pod",
            format!(
                "# hello\n---\n{}",
                pod("a:1")[1..pod("a:1").len() - 1]
                    .replace(", k", "\nk")
                    .replace(", m", "\nm")
                    .replace(", s", "\ns")
            ),
            vec!["a:1"],
        ),
        (
            "a PodList in JSON, whose items say no kind",
            json.to_owned(),
            vec!["a:1"],
        ),
        (
            "a PodList in YAML",
            list(&["a:1", "b:2"]),
            vec!["a:1", "b:2"],
        ),
        (
            "a stream",
            format!(
                "---\n---\nkind: Pod\n{}\n---\n{}---\n",
                &pod("a:1")[1..pod("a:1").len() - 1]
                    .replace(", kind: Pod", "")
                    .replace(", m", "\nm")
                    .replace(", s", "\ns"),
                list(&["b:2"])
            ),
            vec!["a:1", "b:2"],
        ),
        (
            "an empty PodList",
            "apiVersion: v1\nkind: PodList\nitems: []\n".to_owned(),
            vec![],
        ),
    ];
    for (what, body, pods) in forms {
        let mut world = World::new();
        world
            .server
            .says("200 OK\r\nContent-Type: text/html", &body);
        world.ask();
        assert_eq!(world.pods(), pods, "{what}: {:?}", world.messages);
        assert!(world.desired.complete, "{what}");
        for wanted in world.desired.pods.values() {
            let notes = wanted.pod.pod.metadata.annotations.as_ref().unwrap();
            assert_eq!(notes["kubernetes.io/config.source"], "http", "{what}");
            let spec = wanted.pod.pod.spec.as_ref().unwrap();
            assert!(
                spec.tolerations.as_deref().unwrap_or_default().is_empty(),
                "{what}"
            );
        }
        assert!(
            world.server.last_request().contains("x-key: secret"),
            "{what}"
        );
    }
}

#[test]
fn nothing_secret_is_shown() {
    let mut world = World::new();
    world.ask();
    let shown = format!("{:?} {:?}", world.messages, world.desired);
    assert!(shown.contains("/pods?..."), "{shown}");
    assert!(
        !shown.contains("secret") && !shown.contains("key@"),
        "{shown}"
    );
    let asked = world.server.last_request().to_lowercase();
    assert!(
        asked.starts_with("get /pods?token=secret http/1.1"),
        "{asked}"
    );
    assert!(asked.contains("accept-encoding: gzip\r\n"), "{asked}");
}

#[test]
fn an_answer_that_is_none_leaves_the_pods_alone() {
    let rows: &[(&str, &str, &str)] = &[
        ("404 Not Found", "not here", "404 Not Found, not 200 OK"),
        ("500 Internal Server Error", "oops", "500 Internal"),
        ("204 No Content", "", "204 No Content, not 200 OK"),
        ("200 OK", "", "the answer is empty"),
        ("200 OK", " \n\n", "the answer is empty"),
        ("200 OK", "---\n# nothing\n", "it is empty"),
        (
            "200 OK",
            "<html><body>Log in</body></html>",
            "the answer is a web page",
        ),
        (
            "200 OK",
            "apiVersion: v1\nkind: Pod\nmeta",
            "not valid YAML",
        ),
        (
            "200 OK",
            "apiVersion: v1\nkind: List\nitems: []",
            "this is a v1 List",
        ),
        (
            "200 OK\r\nContent-Encoding: gzip",
            "apiVersion: v1",
            "invalid gzip header",
        ),
        (
            "200 OK\r\nContent-Encoding: br",
            "\u{1f}bomb",
            "compressed (br), which was not asked for",
        ),
        ("302 Found", "", "without a place to go to"),
        (
            "302 Found\r\nLocation: file:///etc/passwd",
            "",
            "without a place to go to",
        ),
    ];
    for (head, body, why) in rows {
        let mut world = World::with_pods();
        world.server.says(head, body);
        world.keeps_its_pods(why);
        world.server.says("200 OK", &list(&["a:1"]));
        world.ask();
        assert_eq!(
            world.pods(),
            ["a:1"],
            "only a good answer without it stops a pod"
        );
        assert!(world.desired.refusals.is_empty());
        assert!(
            world
                .messages
                .iter()
                .any(|m| m.event == "manifest repaired")
        );
    }
}

#[test]
fn one_bad_item_leaves_all_pods_alone() {
    let mut world = World::with_pods();
    let body = list(&["a:2", "b:2"]).replace("img:2'}]}}]", "img:2', imagee: x}]}}]");
    world.server.says("200 OK", &body);
    world.keeps_its_pods("items[1].spec.containers[0].imagee");
}

#[test]
fn a_server_that_is_gone_leaves_the_pods_alone() {
    let mut world = World::with_pods();
    world.server.will(|_| {});
    world.keeps_its_pods("Peer disconnected");
}

#[test]
fn a_server_that_hangs_is_given_up() {
    let mut world = World::with_pods();
    world.server.will(|to| drop(to.read(&mut [0])));
    let begin = Instant::now();
    world.ask();
    assert!(begin.elapsed() < 13 * SECOND, "{:?}", begin.elapsed());
    assert_eq!(world.pods(), ["a:1", "b:1"]);
    assert!(
        world.refused().why.contains("not finished within 10 s"),
        "{}",
        world.refused().why
    );
}

#[test]
fn a_server_of_one_byte_a_second_is_given_up() {
    for head in [
        "HTTP/1.1 200 OK\r\nX-A: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    ] {
        let mut world = World::with_pods();
        world.server.will(move |to| {
            let _ = to.write_all(head.as_bytes());
            while to.write_all(b"a").is_ok() {
                std::thread::sleep(SECOND);
            }
        });
        let begin = Instant::now();
        world.ask();
        assert!(begin.elapsed() < 13 * SECOND, "{:?}", begin.elapsed());
        assert_eq!(world.pods(), ["a:1", "b:1"]);
        assert!(
            world.refused().why.contains("within 10 s"),
            "{}",
            world.refused().why
        );
    }
}

#[test]
fn an_endless_answer_is_cut() {
    let mut world = World::with_pods();
    world.server.will(|to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while to.write_all(&[b'#'; 65536]).is_ok() {}
    });
    world.keeps_its_pods("more than 1048576 bytes");
    let mut world = World::with_pods();
    world.server.will(|to| {
        let _ = to.write_all(b"HTTP/1.1 200 OK\r\n");
        while to.write_all(&b"X-A: b\r\n".repeat(1000)).is_ok() {}
    });
    world.keeps_its_pods("too many headers");
}

#[test]
fn an_unchanged_manifest_costs_a_304() {
    let mut world = World::with_pods();
    world.server.says("304 Not Modified", "");
    world.ask();
    assert!(world.server.last_request().contains("if-none-match: \"1\""));
    assert_eq!(world.pods(), ["a:1", "b:1"]);
    assert_eq!(world.messages, []);
    // Not asked for, it is no answer.
    world.restart();
    world.ask();
    assert!(world.refused().why.contains("304 Not Modified, not 200 OK"));
    assert_eq!(world.pods(), ["a:1", "b:1"], "what an earlier agent kept");
}

#[test]
fn the_last_good_answer_is_used_at_boot_and_only_then() {
    let mut world = World::with_pods();
    world.server.will(|_| {});
    world.restart();
    world.look();
    assert_eq!(
        world.pods(),
        Vec::<String>::new(),
        "the server may have a newer one"
    );
    assert!(!world.desired.complete, "and nothing may be removed yet");
    world.ask();
    assert_eq!(world.pods(), ["a:1", "b:1"]);
    assert!(world.desired.complete);
    world.server.says("200 OK", &list(&["b:2"]));
    world.ask();
    assert_eq!(world.pods(), ["b:2"]);
    // The cache follows.
    world.server.will(|_| {});
    world.restart();
    world.ask();
    assert_eq!(world.pods(), ["b:2"]);
}

#[test]
fn a_file_and_a_url_may_not_define_one_pod() {
    let mut world = World::with_pods();
    std::fs::write(
        world.root.join("m/a.yaml"),
        format!("# flow\n{}", pod("a:9")),
    )
    .unwrap();
    let end = Instant::now() + 20 * SECOND;
    while world.desired.refusals.is_empty() && Instant::now() < end {
        world.ahead += SECOND;
        world.look();
    }
    assert_eq!(
        world.pods(),
        ["a:1", "b:1"],
        "the one that was followed stays"
    );
    let refusal = &world.desired.refusals[0];
    assert!(matches!(&refusal.source, Source::File(path) if path.ends_with("a.yaml")));
    let text = refusal.problems[0].to_string();
    assert!(text.contains("is defined by http://127.0.0.1"), "{text}");
    world.server.says("200 OK", &list(&["b:1"]));
    world.ask();
    assert_eq!(world.pods(), ["a:9", "b:1"]);
}
