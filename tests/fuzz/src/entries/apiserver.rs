//! What an API server may answer.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use serde_json::{Value, json};
use staticlet::apiserver::{Access, Answer, Api, read, wire};

use super::docker::http;
use super::server::{Script, Server, address};
use super::{is_short, scratch};

static SERVER: LazyLock<Server> = LazyLock::new(Server::tcp);

static ACCESS: LazyLock<Access> = LazyLock::new(|| {
    let path = scratch().join("access");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n\
                clusters: [{name: k, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\n";
    std::fs::write(&path, text).unwrap();
    read(&path).expect("it is a kubeconfig")
});

/// One call: which, the form of the answer, and the answer.
pub(super) fn calls(data: &[u8]) {
    let [call, form, body @ ..] = data else {
        return;
    };
    if let Ok(object) = serde_json::from_slice(body) {
        objects(&object);
    }
    SERVER.play(Script {
        answers: vec![("", http(*form, body))],
        ..Script::default()
    });
    let access = Access {
        server: format!("http://{}:{}", address(body), SERVER.port),
        ..ACCESS.clone()
    };
    let api = Api::new(access).expect("it has no certificates");
    let answer = match call % 5 {
        0 => api.get("/api/v1/nodes/n"),
        1 => api.create("/api/v1/nodes", &json!({"kind": "Node"})),
        2 => api.patch("/api/v1/nodes/n", &json!({"status": {}})),
        3 => api.delete("/api/v1/namespaces/d/pods/p", "u"),
        _ => {
            let watched = api.watch(&wire::pods_path("node1"), &mut || (), &mut |line| {
                objects(&line.object);
                ControlFlow::Continue(())
            });
            watched.map(|()| Answer::Done(Value::Null))
        }
    };
    match answer {
        Ok(Answer::Done(object)) => objects(&object),
        Ok(Answer::Gone(said) | Answer::Conflict(said) | Answer::Refused(said)) => is_short(&said),
        Err(error) => is_short(&error),
    }
    assert!(api.retry_after().is_none_or(|seconds| seconds <= 600));
}

/// What is read out of an object.
fn objects(object: &Value) {
    drop(wire::meta(object));
    is_short(&wire::message(object.to_string().as_bytes()));
    let listed = wire::pods(object.to_string().as_bytes(), "node1");
    for pod in listed
        .into_iter()
        .flatten()
        .chain(wire::listed(object, "node1"))
    {
        // They go into paths of calls.
        for name in [&pod.key.namespace, &pod.key.name] {
            assert!(
                !name.is_empty() && !name.contains(['/', '?', '%', '\r', '\n', ' ']),
                "{name:?}"
            );
        }
        assert!(!pod.uid.is_empty());
    }
}
