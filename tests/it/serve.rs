//! Answers over HTTP, from a real agent without a dockerd: sick, and saying so, whatever clients do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::web::Server;

const SECOND: Duration = Duration::from_secs(1);

struct Agent {
    child: Child,
    base: PathBuf,
    health: u16,
    read_only: u16,
}

impl Agent {
    fn start(name: &str) -> Agent {
        Agent::start_with(name, &[])
    }

    fn start_with(name: &str, args: &[String]) -> Agent {
        let base = format!("serve-{}-{name}", std::process::id());
        let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(base);
        std::fs::create_dir_all(base.join("m")).unwrap();
        let [health, read_only] = [free_port(), free_port()];
        let dir = base.display();
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: c\n    \
            image: img:1\n    env: [{name: A, value: hush}]\n    livenessProbe: &get {httpGet: {port: 1, httpHeaders: [{name: K, value: hush}]}}\n    \
            lifecycle: {preStop: *get}\n";
        std::fs::write(base.join("m/web.yaml"), pod).unwrap();
        let log = std::fs::File::create(base.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_staticlet"))
            .arg(format!("--pod-manifest-path={dir}/m"))
            .arg(format!("--root-dir={dir}/root"))
            .arg(format!("--run-dir={dir}/run"))
            .arg(format!(
                "--container-runtime-endpoint=unix://{dir}/none.sock"
            ))
            .arg("--hostname-override=n1")
            .arg(format!("--healthz-port={health}"))
            .arg(format!("--read-only-port={read_only}"))
            .arg("--address=127.0.0.1")
            .args(args)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let agent = Agent {
            child,
            base,
            health,
            read_only,
        };
        let end = Instant::now() + 20 * SECOND;
        while TcpStream::connect(("127.0.0.1", health)).is_err() {
            assert!(Instant::now() < end, "{}", agent.log());
            sleep(SECOND / 20);
        }
        agent
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.base.join("log")).unwrap()
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        ask(
            self.health,
            &format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"),
        )
    }

    fn until(&self, path: &str, is_so: impl Fn(u16, &str) -> bool) -> String {
        let end = Instant::now() + 30 * SECOND;
        loop {
            let (status, body) = self.get(path);
            if is_so(status, &body) {
                return body;
            }
            assert!(Instant::now() < end, "{path}: {status} {body}");
            sleep(SECOND / 5);
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn ask(port: u16, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(20 * SECOND)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text
        .split(' ')
        .nth(1)
        .map_or(0, |word| word.parse().unwrap());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

#[test]
fn an_agent_without_dockerd_is_sick_and_alive() {
    let agent = Agent::start("sick");
    let body = agent.until("/healthz", |status, _| status == 500);
    assert!(
        body.starts_with("[+]ping ok\n[+]syncloop ok\n[-]docker failed: "),
        "{body}"
    );
    assert!(
        body.contains("none.sock") && body.ends_with("\nhealthz check failed\n"),
        "{body}"
    );
    assert_eq!(agent.get("/livez"), (200, "ok".to_owned()));
    assert_eq!(agent.get("/healthz/ping"), (200, "ok".to_owned()));
    assert_eq!(agent.get("/healthz/docker").0, 500);
    assert_eq!(agent.get("/readyz").0, 500);
    assert_eq!(agent.get("/nothing").0, 404);
    assert_eq!(agent.get("/healthzz").0, 404);
    assert_eq!(ask(agent.health, "POST /healthz HTTP/1.1\r\n\r\n").0, 405);
    assert_eq!(ask(agent.health, "hello\r\n\r\n").0, 400);
    assert_eq!(ask(agent.health, &"x".repeat(9000)).0, 400);
    assert_eq!(
        ask(agent.health, "HEAD /livez HTTP/1.1\r\n\r\n"),
        (200, String::new())
    );
}

#[test]
fn a_refused_manifest_is_shown_by_status_log_metrics_and_events() {
    let server = Server::start();
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: u}\nspec: {containers: [{name: c, image: 'img:1'}]}\n";
    server.says("200 OK", pod);
    let url = format!("http://{}/pods", server.at);
    let flags = [
        format!("--manifest-url={url}"),
        "--http-check-frequency=100ms".to_owned(),
    ];
    let agent = Agent::start_with("refused", &flags);
    let file = agent.base.join("m/web.yaml");
    let good = std::fs::read_to_string(&file).unwrap();
    let run_dir = format!("--run-dir={}/run", agent.base.display());
    let typed = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_staticlet"));
        let out = command.args(words).arg(&run_dir).output().unwrap();
        String::from_utf8(out.stdout).unwrap()
    };
    let told = |what: &str, text: &dyn Fn() -> String, words: &[&str]| {
        let end = Instant::now() + 30 * SECOND;
        while !words.iter().all(|word| text().contains(word)) {
            let said = text();
            assert!(
                Instant::now() < end,
                "{what}: {words:?} in {said}\n{}",
                agent.log()
            );
            sleep(SECOND / 5);
        }
    };
    let status = |words: &'static [&'static str]| move || typed(words);
    let metrics = || agent.get("/metrics").1;
    told(
        "metrics",
        &metrics,
        &[
            "staticlet_sources_complete 1\n",
            "staticlet_manifests_refused 0\n",
        ],
    );
    std::fs::write(&file, good.replace("image:", "imagee:")).unwrap();
    server.says("500 Oops", "");
    let (web, site) = (format!("{}: ", file.display()), format!("{url}: "));
    let since = "running last good of 20";
    let field = "spec.containers[0].imagee";
    told(
        "metrics",
        &metrics,
        &[
            "staticlet_manifests_refused 2\n",
            "staticlet_manifests_last_good 2\n",
        ],
    );
    told(
        "log",
        &|| agent.log(),
        &[
            "manifest refused",
            "web.yaml",
            field,
            &url,
            "the server said 500",
            since,
        ],
    );
    told(
        "status",
        &status(&["status"]),
        &["refused: ", field, "the server said 500", since],
    );
    let refused = "Warning  ManifestRefused";
    told(
        "events of the file's pod",
        &status(&["status", "web"]),
        &[refused, &web, field, since],
    );
    told(
        "events of the URL's pod",
        &status(&["status", "u"]),
        &[refused, &site, "the server said 500", since],
    );
    assert!(
        !typed(&["status", "u"]).contains(&web),
        "the pod of another manifest"
    );
    std::fs::write(&file, good).unwrap();
    server.says("200 OK", pod);
    let repaired = "Normal   ManifestRepaired";
    told(
        "events of the file's pod",
        &status(&["status", "web"]),
        &[repaired, "web.yaml is good again"],
    );
    told(
        "events of the URL's pod",
        &status(&["status", "u"]),
        &[repaired, "/pods is good again"],
    );
    told(
        "metrics",
        &metrics,
        &[
            "staticlet_manifests_refused 0\n",
            "staticlet_manifests_last_good 0\n",
        ],
    );
}

#[test]
fn variables_are_for_the_read_only_port() {
    let agent = Agent::start("pods");
    let body = agent.until("/pods", |status, body| {
        status == 200 && body.contains("web-n1")
    });
    assert!(
        !body.contains("hush") && body.contains("(hidden)"),
        "{body}"
    );
    let list: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&list["kind"], &list["items"][0]["metadata"]["name"]),
        (&"PodList".into(), &"web-n1".into())
    );
    let (status, whole) = ask(agent.read_only, "GET /pods/ HTTP/1.0\r\n\r\n");
    assert!(status == 200 && whole.contains("hush"), "{status} {whole}");
}

#[test]
fn numbers_are_of_the_form_of_prometheus() {
    let agent = Agent::start("metrics");
    let page = agent.until("/metrics", |_, body| {
        body.contains("kubelet_desired_pods{static=\"true\"} 1\n")
    });
    let mut known: Vec<&str> = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["gauge", "counter", "histogram"].contains(&kind), "{line}");
            assert!(!known.contains(&name), "{name} twice");
            known.push(name);
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let name = name.split('{').next().unwrap();
            let of = |end: &str| {
                name.strip_suffix(end)
                    .is_some_and(|name| known.contains(&name))
            };
            let is_known =
                known.contains(&name) || ["_bucket", "_sum", "_count"].into_iter().any(of);
            assert!(is_known, "{line}");
        }
    }
    assert!(page.contains("\nstaticlet_docker_up 0\n"), "{page}");
    assert!(page.contains("\nkubelet_running_pods 0\n"), "{page}");
    assert!(
        page.contains("staticlet_docker_look_failures_total"),
        "{page}"
    );
    let readme = std::fs::read_to_string("README.md").unwrap();
    let missing: Vec<&&str> = known
        .iter()
        .filter(|name| !readme.contains(**name))
        .collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
}

#[test]
fn slow_clients_are_cut_off_and_hold_up_nobody_for_long() {
    let agent = Agent::start("slow");
    let begin = Instant::now();
    let slow: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(("127.0.0.1", agent.health)).unwrap())
        .collect();
    let (status, _) = agent.get("/livez");
    assert_eq!(status, 200);
    let took = begin.elapsed();
    assert!(took < 19 * SECOND, "three houses full of them: {took:?}");
    for mut stream in slow {
        stream.set_read_timeout(Some(20 * SECOND)).unwrap();
        let mut text = Vec::new();
        // Cut off, politely or not.
        let _ = stream.read_to_end(&mut text);
        assert!(text.is_empty());
    }
    assert!(begin.elapsed() < 25 * SECOND);
}

#[test]
fn a_port_that_is_taken_does_not_stop_the_agent() {
    let agent = Agent::start("first");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let dir = agent.base.display();
    let mut second = Command::new(env!("CARGO_BIN_EXE_staticlet"))
        .args([
            format!("--root-dir={dir}/root2"),
            format!("--run-dir={dir}/run2"),
        ])
        .args([
            format!("--healthz-port={port}"),
            "--hostname-override=n2".to_owned(),
        ])
        .arg(format!(
            "--container-runtime-endpoint=unix://{dir}/none.sock"
        ))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sleep(3 * SECOND);
    assert!(second.try_wait().unwrap().is_none(), "it runs on");
    second.kill().unwrap();
    let out = second.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&out.stderr);
    assert_eq!(log.matches("port cannot be opened").count(), 1, "{log}");
}
