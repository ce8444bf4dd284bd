//! What an API server costs a node: nothing where it is away, and little where it is there.

use std::fs;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::agent::{Agent, sleeper};
use crate::support::apiserver::ApiServer;
use crate::support::engine;

/// Containers that are killed for one figure.
const KILLS: usize = 5;

/// Kills one container of each pod after the other: the time until another one runs, in order of size.
fn restarts(test: &str, kubeconfig: Option<&str>) -> Vec<Duration> {
    let mut agent = Agent::new(test);
    if let Some(text) = kubeconfig {
        let file = agent.base.join("kubeconfig");
        fs::write(&file, text).unwrap();
        agent.args.push(format!("--kubeconfig={}", file.display()));
    }
    agent.start();
    let names: Vec<String> = (0..KILLS).map(|n| format!("web{n}")).collect();
    for name in &names {
        agent.put(&format!("{name}.yaml"), &sleeper(name));
    }
    let ids: Vec<String> = names
        .iter()
        .map(|name| agent.wait_running(name, "c"))
        .collect();
    // What a start leads to is over, and a server that does not answer is being asked.
    thread::sleep(Duration::from_secs(2));
    let mut times = Vec::new();
    for (name, id) in names.iter().zip(&ids) {
        let begin = Instant::now();
        engine::call("POST", &format!("/containers/{id}/kill"), None);
        agent.wait_other(name, "c", id);
        times.push(begin.elapsed());
    }
    times.sort();
    times
}

/// One whose `kubeconfig` says another address.
fn elsewhere(server: &ApiServer, at: &str) -> String {
    let mut text: Value = serde_json::from_str(&server.kubeconfig()).unwrap();
    text["clusters"][0]["cluster"]["server"] = Value::from(format!("http://{at}"));
    text.to_string()
}

#[test]
#[ignore = "needs dockerd"]
fn a_container_is_back_as_soon_whatever_the_api_server_does() {
    let server = ApiServer::start();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = elsewhere(&server, &closed.local_addr().unwrap().to_string());
    drop(closed);
    // Connections are taken by the kernel, and nobody ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hung = elsewhere(&server, &silent.local_addr().unwrap().to_string());
    let rows = [
        ("none", restarts("pace_none", None)),
        ("up", restarts("pace_up", Some(&server.kubeconfig()))),
        (
            "refuses connections",
            restarts("pace_refused", Some(&refused)),
        ),
        ("never answers", restarts("pace_hung", Some(&hung))),
    ];
    println!("API server           killed to running again: median, longest");
    for (what, times) in &rows {
        println!("{what:20} {:?}, {:?}", times[KILLS / 2], times[KILLS - 1]);
    }
    for (what, times) in &rows {
        assert!(
            times[KILLS - 1] < Duration::from_secs(30),
            "{what}: {times:?}"
        );
    }
    assert!(
        !server.requests().is_empty(),
        "the server that is up was asked nothing"
    );
}
