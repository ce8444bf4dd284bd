//! `/healthz` tells the truth about a dockerd that hangs, and about one that is back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::agent::{Agent, eventually, sleeper};
use crate::support::proxy::Proxy;

pub(crate) fn get(port: u16, path: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let mut text = String::new();
    let _ = write!(stream, "GET {path} HTTP/1.1\r\n\r\n");
    let _ = stream.read_to_string(&mut text);
    text
}

pub(crate) fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
#[ignore = "needs dockerd"]
fn healthz_is_red_while_dockerd_hangs_and_green_again() {
    let mut agent = Agent::new("health");
    let socket = agent.base.join("docker.sock");
    let proxy = Proxy::listen(&socket);
    let port = free_port();
    agent.args.push(format!(
        "--container-runtime-endpoint=unix://{}",
        socket.display()
    ));
    agent.args.push(format!("--healthz-port={port}"));
    // A long interval must not make it blind.
    agent.args.push("--file-check-frequency=10m".to_owned());
    agent.start();
    agent.put("a.yaml", &sleeper("a"));
    agent.wait_running("a", "c");
    eventually(&agent, "green", Duration::from_secs(20), || {
        get(port, "/healthz").ends_with("ok")
    });
    eventually(
        &agent,
        "the start is counted",
        Duration::from_secs(20),
        || {
            let page = get(port, "/metrics");
            page.contains("kubelet_pod_start_duration_seconds_count 1\n")
                && page.contains("kubelet_running_containers{container_state=\"running\"} 1\n")
                && page.contains("kubelet_running_pods 1\n")
        },
    );
    proxy.freeze();
    let begin = Instant::now();
    eventually(&agent, "red", Duration::from_secs(30), || {
        get(port, "/healthz").contains(" 500 ")
    });
    println!("red after {:?}", begin.elapsed());
    assert!(get(port, "/livez").ends_with("ok"));
    proxy.forward();
    let begin = Instant::now();
    eventually(&agent, "green again", Duration::from_secs(30), || {
        get(port, "/healthz").ends_with("ok")
    });
    println!("green after {:?}", begin.elapsed());
}
