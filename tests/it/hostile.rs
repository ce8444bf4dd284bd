//! An API server that nobody should trust: answers are told apart and bounded, lists and watches name nothing that is not
//! ours and fill no memory, and nothing secret goes elsewhere.

use std::ops::ControlFlow;

use serde_json::{Value, json};
use staticlet::apiserver::{Answer, Api, read as kubeconfig, wire};
use staticlet::sys::Kind;

use crate::kubeconfig::dir;
use crate::support::apiserver::{ApiServer, Fault};
use crate::support::tls::Wants;

/// As the user of a kubeconfig at this server.
fn client(server: &ApiServer, name: &str, user: &Value) -> Api {
    let file = dir(name).join("config");
    std::fs::write(&file, server.kubeconfig_of(user)).unwrap();
    Api::new(kubeconfig(&file).unwrap()).unwrap()
}

/// From now on this is all that the server says.
fn says(server: &ApiServer, head: &str, body: &str) {
    server.heal();
    server.fault("", Fault::Says(head.to_owned(), body.to_owned()));
}

#[test]
fn answers_are_told_apart_and_bounded() {
    let server = ApiServer::start();
    let api = client(&server, "answers", &json!({}));
    assert!(matches!(api.get("/api/v1/nodes/x"), Ok(Answer::Gone(_))));
    let says = |head: &str, body: &str| {
        says(&server, head, body);
        api.get("/api/v1/nodes/x")
    };
    let refused = Answer::Refused("403: no".to_owned());
    assert_eq!(says("403 X", r#"{"message":"no"}"#).unwrap(), refused);
    assert!(matches!(says("409 X", ""), Ok(Answer::Conflict(_))));
    let long = format!("{{\"message\": \"{}\"}}", "x".repeat(1 << 20));
    let Answer::Refused(said) = says("422 X", &long).unwrap() else {
        panic!("it is refused");
    };
    assert!(said.len() < 600, "{} bytes of a message", said.len());
    let deep = "[".repeat(100_000);
    let wide = format!("[{}0]", "{\"a\":0},".repeat(1 << 18));
    let rows = [
        ("401 X", "", Kind::Refused, "401"),
        (
            "302 X\r\nLocation: http://127.0.0.1:1/",
            "",
            Kind::Refused,
            "302",
        ),
        ("500 X", "", Kind::Unavailable, "500"),
        ("429 X\r\nRetry-After: 7", "", Kind::Unavailable, "429"),
        ("200 X", "{", Kind::Garbled, "EOF"),
        ("200 X", &deep, Kind::Garbled, "recursion limit"),
        ("200 X", &wide, Kind::TooBig, "of memory"),
        (
            "200 X",
            "{\"a\": 1e999}",
            Kind::Garbled,
            "number out of range",
        ),
    ];
    for (head, body, kind, words) in rows {
        let error = says(head, body).unwrap_err();
        assert_eq!(error.kind(), kind, "{head}");
        assert!(error.to_string().contains(words), "{head}: {error}");
        assert!(error.to_string().contains("/api/v1/nodes/x"), "{error}");
    }
    assert_eq!(api.retry_after(), Some(7));
    server.heal();
    server.fault("", Fault::Endless(vec![b' '; 1 << 20]));
    let error = api.get("/api/v1/nodes/x").unwrap_err();
    assert_eq!(error.kind(), Kind::TooBig, "{error}");
    assert!(error.to_string().contains("more than 16777216 bytes"));
}

/// A webhook that cannot be asked is the trouble of one object: the API server says 500 for it.
#[test]
fn what_an_admission_webhook_does_is_about_its_object() {
    let server = ApiServer::start();
    let api = client(&server, "webhook", &json!({}));
    let said = "failed calling webhook: connection refused";
    says(&server, "500 X", &json!({ "message": said }).to_string());
    let answer = api.create("/api/v1/namespaces/default/pods", &json!({}));
    assert_eq!(answer.unwrap(), Answer::Refused(format!("500: {said}")));
    let error = api.get("/api/v1/nodes/x").unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
}

/// Elsewhere may be anybody: neither the request nor what it shows goes there.
#[test]
fn nothing_goes_where_a_redirect_leads() {
    let server = ApiServer::start_tls(Wants::Nothing);
    let elsewhere = [ApiServer::start(), ApiServer::start_tls(Wants::Nothing)];
    let api = client(&server, "redirects", &json!({"token": "of-the-node"}));
    assert!(api.get("/api/v1/nodes/x").is_ok());
    let shown = server.callers();
    assert_eq!(shown[0].authorization, "Bearer of-the-node");
    for (scheme, target) in ["http", "https"].iter().zip(&elsewhere) {
        for code in [301, 302, 303, 307, 308] {
            let head = format!(
                "{code} X\r\nLocation: {scheme}://{}/api/v1/nodes/x",
                target.at
            );
            says(&server, &head, "");
            let error = api.get("/api/v1/nodes/x").unwrap_err();
            assert!(error.to_string().contains(&code.to_string()), "{error}");
            assert!(!error.to_string().contains("of-the-node"), "{error}");
            assert!(api.create("/api/v1/nodes", &json!({})).is_err());
            let path = wire::pods_path("n");
            assert!(
                api.watch(&path, &mut || (), &mut |_| ControlFlow::Continue(()))
                    .is_err()
            );
        }
    }
    for target in elsewhere {
        assert_eq!(target.callers(), []);
    }
}

fn pod(name: &str, node: &Value) -> Value {
    json!({"metadata": {"name": name, "namespace": "default", "uid": "u", "resourceVersion": "1"}, "spec": {"nodeName": node}})
}

/// The names of those that are taken as pods of this node.
fn names(items: &[String]) -> Vec<String> {
    let list = format!(r#"{{"items":[{}],"kind":"PodList"}}"#, items.join(","));
    let pods = wire::pods(list.as_bytes(), "n").unwrap();
    pods.into_iter().map(|pod| pod.key.name).collect()
}

#[test]
fn a_hostile_list_names_nothing_that_is_not_ours() {
    let here = json!("n");
    let mut wrong = pod("wrong", &here);
    wrong["metadata"]["annotations"] = json!({"a": 1});
    let mut long = pod("long", &here);
    long["metadata"]["resourceVersion"] = json!("1".repeat(100));
    let items = [
        pod("good", &here),
        pod("elsewhere", &json!("m")),
        pod("../../nodes", &here),
        pod("a?b", &here),
        pod("typed", &json!(7)),
        wrong,
        long,
        json!(7),
        Value::Null,
        json!({"metadata": 1e308}),
    ];
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    assert_eq!(names(&items), ["good"]);
    let wrong = [
        r#"{"kind":"Status"}"#,
        r#"{"kind":"PodList","items":7}"#,
        r#"{"kind":"PodList","items":[1 2]}"#,
        r#"{"kind":"PodList","items":[]}]"#,
        r#"{"kind":"PodList","items":["#,
        r#"{"kind":["PodList"],"items":[]}"#,
        "[]",
        "",
    ];
    for text in wrong {
        let error = wire::pods(text.as_bytes(), "n").unwrap_err();
        assert_eq!(error.kind(), Kind::Garbled, "{text}: {error}");
    }
    for text in [
        r#"{"kind":"PodList"}"#,
        r#"{"kind":"PodList","items":null}"#,
    ] {
        assert_eq!(wire::pods(text.as_bytes(), "n").unwrap(), []);
    }
}

/// Whatever type a field has, the pod is taken whole or not at all.
#[test]
fn a_pod_with_a_field_of_another_type_spoils_no_other() {
    let good = json!({
        "metadata": {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": "1", "deletionTimestamp": "t",
            "annotations": {"kubernetes.io/config.mirror": "h"}, "ownerReferences": [{"kind": "Node", "name": "n", "uid": "o"}]},
        "spec": {"nodeName": "n"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready"}]},
    });
    let fields = [
        "",
        "/metadata",
        "/metadata/name",
        "/metadata/namespace",
        "/metadata/uid",
        "/metadata/resourceVersion",
        "/metadata/deletionTimestamp",
        "/metadata/annotations",
        "/metadata/annotations/kubernetes.io~1config.mirror",
        "/metadata/ownerReferences",
        "/metadata/ownerReferences/0",
        "/metadata/ownerReferences/0/uid",
        "/spec",
        "/spec/nodeName",
        "/status",
        "/status/phase",
        "/status/conditions",
        "/status/conditions/0",
    ];
    let other = pod("other", &json!("n")).to_string();
    let kinds = [
        "null",
        "7",
        "1e308",
        "-1e999",
        "true",
        "\"\"",
        "\"text\"",
        "[]",
        "[[]]",
        "{}",
        "{\"a\":{}}",
    ];
    for field in fields {
        for kind in kinds {
            let mut bad = good.clone();
            *bad.pointer_mut(field).unwrap() = json!("HERE");
            let bad = bad.to_string().replace("\"HERE\"", kind);
            let found = names(&[other.clone(), bad, other.clone()]);
            assert_eq!(
                found.iter().filter(|name| *name == "other").count(),
                2,
                "{field} {kind}"
            );
            assert!(found.len() <= 3, "{field} {kind}: {found:?}");
        }
    }
}

#[test]
fn a_pod_that_would_fill_the_memory_spoils_no_other() {
    let here = json!("n");
    let good = pod("good", &here).to_string();
    let with_status = |status: &str| {
        let mut bad = pod("bad", &here);
        bad["status"] = json!("HERE");
        bad.to_string().replace("\"HERE\"", status)
    };
    let deep = with_status(&("[".repeat(100_000) + &"]".repeat(100_000)));
    let wide = with_status(&format!("[{}0]", "{\"a\":0},".repeat(1 << 18)));
    let flat = with_status(&format!("[{}0]", "0,".repeat(1 << 20)));
    let many = with_status(&format!("{{\"a\":{}1}}", "9".repeat(1 << 16)));
    for bad in [deep, wide, flat, many] {
        assert_eq!(names(&[bad, good.clone()]), ["good"]);
    }
    // A large one of those that there are: 1.5 MB of names and values.
    let large = with_status(&format!(
        "[{}0]",
        r#"{"name":"N","value":"of a variable"},"#.repeat(40_000)
    ));
    assert_eq!(names(&[large]), ["bad"]);
    let elsewhere = vec![pod("other", &json!("m")).to_string(); 100_000];
    assert_eq!(names(&elsewhere), Vec::<String>::new());
    let items = vec![good; 5001].join(",");
    let list = format!(r#"{{"kind":"PodList","items":[{items}]}}"#);
    let error = wire::pods(list.as_bytes(), "n").unwrap_err();
    assert_eq!(error.kind(), Kind::TooBig, "{error}");
}

#[test]
fn a_watch_that_floods_ends() {
    let server = ApiServer::start();
    let api = client(&server, "flood", &json!({}));
    let path = wire::pods_path("n");
    let line = json!({"type": "MODIFIED", "object": pod("p", &json!("n"))}).to_string() + "\n";
    let large = format!("{{\"type\":\"{}\",\"object\":{{}}}}\n", "x".repeat(1 << 20));
    let wide = format!(
        "{{\"type\":\"A\",\"object\":[{}0]}}\n",
        "{\"a\":0},".repeat(1 << 18)
    );
    let rows = [
        (
            line.as_bytes(),
            Kind::TooBig,
            "more than any node has pods for",
        ),
        (
            large.as_bytes(),
            Kind::TooBig,
            "more than any node has pods for",
        ),
        (b"x".as_slice(), Kind::TooBig, "a line of more than"),
        (wide.as_bytes(), Kind::TooBig, "of memory"),
        (b"[]\n", Kind::Garbled, "no type or no object"),
        (b"{\n", Kind::Garbled, "EOF"),
    ];
    for (again, kind, words) in rows {
        server.heal();
        server.fault("", Fault::Endless(again.to_vec()));
        let (mut opened, mut lines) = (0, 0);
        let error = api
            .watch(&path, &mut || opened += 1, &mut |_| {
                lines += 1;
                ControlFlow::Continue(())
            })
            .unwrap_err();
        assert_eq!((error.kind(), opened), (kind, 1), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(lines <= 5000, "{lines}");
    }
}
