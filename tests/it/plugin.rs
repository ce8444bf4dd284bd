//! Exec credential plugins: what they are told, what is made of their answers, and how often they are asked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staticlet::apiserver::Credential;
use staticlet::jobs::{MirrorRequest, Request};

use crate::kubeconfig::dir;
use crate::support::apiserver::{ApiServer, Fault};
use crate::support::bare::{Bare, job, start_job};
use crate::support::tls::{Wants, certificate, fixture};
use crate::support::world;

const V1: &str = "client.authentication.k8s.io/v1";
const SECRET: &str = "s3cr3t";

/// A user whose plugin is this script; `$1` is the directory of the kubeconfig.
fn user(dir: &Path, script: &str) -> Value {
    json!({"exec": {
        "apiVersion": V1, "interactiveMode": "Never", "command": "sh", "args": ["-c", script, "plugin", dir],
    }})
}

fn answer(status: &Value) -> String {
    json!({"apiVersion": V1, "kind": "ExecCredential", "status": status}).to_string()
}

/// A script that says this, and counts how often it was asked.
fn says(status: &Value) -> String {
    format!("echo >>$1/asked; cat <<'END'\n{}\nEND\n", answer(status))
}

fn asked(dir: &Path) -> usize {
    let file = std::fs::read_to_string(dir.join("asked")).unwrap_or_default();
    file.lines().count()
}

fn put(dir: &Path, kubeconfig: &str) -> PathBuf {
    let file = dir.join("kubeconfig");
    std::fs::write(&file, kubeconfig).unwrap();
    file
}

/// What a job said that listed the pods.
struct Said {
    credential: Option<Credential>,
    denied: bool,
    failed: String,
}

fn request(kubeconfig: &Path, credential: Option<Credential>) -> Request {
    Request::Mirror(Box::new(MirrorRequest {
        kubeconfig: kubeconfig.display().to_string(),
        credential,
        node: world::node(),
        docker_version: String::new(),
        trouble: None,
        register: None,
        node_uid: Some("u".to_owned()),
        lease: false,
        tell_node: false,
        node_told: None,
        compare: true,
        orphans: false,
        pods: Vec::new(),
        events: Vec::new(),
    }))
}

fn list(kubeconfig: &Path, credential: Option<Credential>) -> Said {
    let mut said = Said {
        credential: None,
        denied: false,
        failed: String::new(),
    };
    for line in job(&request(kubeconfig, credential)) {
        if let Some(credential) = line.pointer("/api/credential") {
            said.credential = Some(serde_json::from_value(credential.clone()).unwrap());
        }
        said.denied |= line["api"] == "denied";
        if let Some(message) = line.pointer("/failed/message") {
            message.as_str().unwrap().clone_into(&mut said.failed);
        }
    }
    said
}

#[test]
fn a_token_is_shown_and_holds_for_the_next_job() {
    let dir = dir("plugin-token");
    let server = ApiServer::start_tls(Wants::Nothing);
    let script = says(&json!({"token": SECRET}));
    let file = put(&dir, &server.kubeconfig_of(&user(&dir, &script)));
    let first = list(&file, None);
    assert_eq!(first.failed, "");
    assert_eq!(server.callers()[0].authorization, "Bearer s3cr3t");
    let known = first.credential.expect("the agent is told");
    assert!(!format!("{known:?}").contains(SECRET));
    let second = list(&file, Some(known.clone()));
    assert_eq!((second.failed.as_str(), second.credential), ("", None));
    assert_eq!(server.callers()[0].authorization, "Bearer s3cr3t");
    assert_eq!(asked(&dir), 1);
    // Another plugin, or another server, has nothing to do with it.
    let changed = script.replace("echo", "echo ");
    put(&dir, &server.kubeconfig_of(&user(&dir, &changed)));
    assert!(list(&file, Some(known.clone())).credential.is_some());
    let other = ApiServer::start_tls(Wants::Nothing);
    put(&dir, &other.kubeconfig_of(&user(&dir, &script)));
    assert!(list(&file, Some(known)).credential.is_some());
    assert_eq!(asked(&dir), 3);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_credential_is_asked_for_again_when_it_has_expired_or_is_refused() {
    let dir = dir("plugin-expired");
    let server = ApiServer::start_tls(Wants::Nothing);
    let with = |time: &str| {
        let script = says(&json!({"token": SECRET, "expirationTimestamp": time}));
        put(&dir, &server.kubeconfig_of(&user(&dir, &script)))
    };
    for (time, again) in [
        ("2001-01-01T00:00:00Z", true),
        ("2200-01-01T00:00:00+02:00", false),
    ] {
        let file = with(time);
        let known = list(&file, None).credential;
        assert_eq!(list(&file, known).credential.is_some(), again, "{time}");
    }
    assert_eq!(asked(&dir), 3);
    let file = with("2200-01-01T00:00:00Z");
    let known = list(&file, None).credential;
    server.fault(
        "",
        Fault::Says("401 Unauthorized".to_owned(), String::new()),
    );
    let said = list(&file, known);
    assert!(said.denied && said.credential.is_none(), "{}", said.failed);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_certificate_is_shown() {
    let dir = dir("plugin-certificate");
    let server = ApiServer::start_tls(Wants::Client);
    let [pem, key] = ["client-ec-sec1.pem", "client-ec-sec1.key"]
        .map(|name| String::from_utf8(fixture(name)).unwrap());
    let script = says(&json!({"clientCertificateData": pem, "clientKeyData": key}));
    let file = put(&dir, &server.kubeconfig_of(&user(&dir, &script)));
    let first = list(&file, None);
    assert_eq!(first.failed, "");
    assert_eq!(list(&file, first.credential).failed, "");
    for caller in server.callers() {
        assert_eq!(caller.certificate, certificate("client-ec-sec1.pem"));
        assert_eq!(caller.authorization, "");
    }
    assert_eq!(asked(&dir), 1);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_plugin_is_told_what_the_kubeconfig_says() {
    let dir = dir("plugin-told");
    let server = ApiServer::start_tls(Wants::Nothing);
    // Beside the kubeconfig, by a relative path.
    std::os::unix::fs::symlink("/bin/sh", dir.join("helper")).unwrap();
    let beta = "client.authentication.k8s.io/v1beta1";
    let status = answer(&json!({"token": "t"}));
    let script = "cat >$1/input; printf %s \"$KUBERNETES_EXEC_INFO\" >$1/told; echo $MORE-$STATICLET_PARENT >$1/more; \
        printf '%s' \"$2\"";
    let mut user = json!({"exec": {
        "apiVersion": V1, "interactiveMode": "IfAvailable", "command": "./helper",
        "env": [{"name": "MORE", "value": "a b"}], "args": ["-c", script, "plugin", dir, status],
    }});
    let mut text: Value = serde_json::from_str(&server.kubeconfig_of(&user)).unwrap();
    assert_eq!(list(&put(&dir, &text.to_string()), None).failed, "");
    let file = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let told: Value = serde_json::from_str(&file("told")).unwrap();
    let wanted =
        json!({"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": false}});
    assert_eq!(told, wanted);
    assert_eq!(
        (file("more").as_str(), file("input").as_str()),
        ("a b-\n", "")
    );

    let exec = &mut user["exec"];
    exec["apiVersion"] = json!(beta);
    exec["interactiveMode"] = Value::Null;
    exec["provideClusterInfo"] = json!(true);
    exec["args"][4] = json!(status.replace(V1, beta));
    text["users"][0]["user"] = user;
    text["clusters"][0]["cluster"]["tls-server-name"] = json!("kubernetes");
    text["clusters"][0]["cluster"]["extensions"] = json!([
        {"name": "other", "extension": {"a": 1}},
        {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}},
    ]);
    assert_eq!(list(&put(&dir, &text.to_string()), None).failed, "");
    let told: Value = serde_json::from_str(&file("told")).unwrap();
    assert_eq!(told["apiVersion"], beta);
    let cluster = &told["spec"]["cluster"];
    assert_eq!(cluster["server"], format!("https://{}", server.at));
    assert_eq!(cluster["tls-server-name"], "kubernetes");
    assert_eq!(cluster["config"], json!({"audience": "x"}));
    assert!(cluster["certificate-authority-data"].is_string(), "{told}");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn who_has_a_token_needs_no_plugin() {
    let dir = dir("plugin-needless");
    let server = ApiServer::start_tls(Wants::Nothing);
    let mut user = user(&dir, &says(&json!({"token": "other"})));
    user["token"] = json!(SECRET);
    assert_eq!(
        list(&put(&dir, &server.kubeconfig_of(&user)), None).failed,
        ""
    );
    assert_eq!(server.callers()[0].authorization, "Bearer s3cr3t");
    assert_eq!(asked(&dir), 0);
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_is_wrong_with_a_plugin_is_told_without_its_answer() {
    let dir = dir("plugin-faults");
    let server = ApiServer::start_tls(Wants::Nothing);
    let failed = |user: &Value| {
        let said = list(&put(&dir, &server.kubeconfig_of(user)), None);
        assert_eq!(said.credential, None);
        assert!(!said.failed.contains(SECRET), "{}", said.failed);
        assert!(
            said.failed.contains("users[0].user.exec"),
            "{}",
            said.failed
        );
        said.failed
    };
    let both = json!({"token": SECRET, "clientKeyData": "x"});
    let scripts = [
        (
            format!("echo {SECRET}; echo no network >&2; exit 3"),
            "exit status: 3: no network",
        ),
        ("kill -9 $$".to_owned(), "signal: 9"),
        (
            format!("echo '{{\"token\": \"{SECRET}'"),
            "neither JSON nor YAML",
        ),
        (
            format!("echo {SECRET}"),
            "no ExecCredential of apiVersion client.authentication.k8s.io/v1",
        ),
        (
            says(&json!({"token": SECRET})).replace("/v1", "/v1beta1"),
            "no ExecCredential of apiVersion",
        ),
        (says(&Value::Null), "has no status"),
        (says(&json!({})), "neither a token nor a certificate"),
        (
            says(&both),
            "clientCertificateData and clientKeyData go together",
        ),
        (says(&json!({"token": 5})), "token is no string"),
        (
            says(&json!({"token": format!("{SECRET}\n")})),
            "character in it that no header can carry",
        ),
        (
            says(&json!({"token": SECRET, "expirationTimestamp": "soon"})),
            "expirationTimestamp is no time",
        ),
        ("yes | head -c 100000".to_owned(), "more than 49152 bytes"),
        ("yes >&2 | yes".to_owned(), "more than 49152 bytes"),
    ];
    for (script, said) in scripts {
        let error = failed(&user(&dir, &script));
        assert!(error.contains(said), "not {said:?}: {error}");
    }
    let rows = [
        (
            "command",
            json!("/nowhere/plugin"),
            "run /nowhere/plugin: No such file or directory (os error 2) (installHint: ask)",
        ),
        (
            "command",
            json!("no-such-plugin"),
            "run no-such-plugin: No such file",
        ),
        ("command", json!("a\0b"), "run a"),
        ("command", Value::Null, "exec.command: is missing"),
        (
            "apiVersion",
            json!("client.authentication.k8s.io/v1alpha1"),
            "exec.apiVersion: must be one of",
        ),
        (
            "interactiveMode",
            Value::Null,
            "exec.interactiveMode: is missing; write Never or IfAvailable",
        ),
        ("interactiveMode", json!("Always"), "there is no terminal"),
        (
            "interactiveMode",
            json!("never"),
            "must be Never or IfAvailable",
        ),
        (
            "env",
            json!([{"value": SECRET}]),
            "exec.env[0].name: must be the name",
        ),
        ("env", json!([SECRET]), "exec.env[0]: must be a mapping"),
        ("args", json!([7]), "exec.args: must be a list of strings"),
        ("provideClusterInfo", json!("yes"), "must be true or false"),
    ];
    for (field, value, said) in rows {
        let mut user = user(&dir, "exit 1");
        user["exec"]["installHint"] = json!("ask");
        user["exec"][field] = value;
        let error = failed(&user);
        assert!(error.contains(said), "not {said:?}: {error}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn is_alive(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // One that nobody has buried yet is dead all the same.
    stat.is_ok_and(|stat| {
        !stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .starts_with('Z')
    })
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !ready() {
        assert!(begin.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_plugin_that_hangs_is_ended_with_all_that_it_started() {
    let dir = dir("plugin-hangs");
    let server = ApiServer::start_tls(Wants::Nothing);
    let script = "sleep 1000 & echo $! >$1/child; echo $$ >$1/own; wait";
    let file = put(&dir, &server.kubeconfig_of(&user(&dir, script)));
    let said = list(&file, None);
    assert!(
        said.failed.contains("no end within 15 s; it was killed"),
        "{}",
        said.failed
    );
    for name in ["own", "child"] {
        wait_for(name, || !is_alive(&dir.join(name)));
    }
    // One that leaves something behind that holds its output open is not waited for.
    let script = format!(
        "sleep 100 & echo $! >$1/child; {}",
        says(&json!({"token": SECRET}))
    );
    let begin = Instant::now();
    let said = list(
        &put(&dir, &server.kubeconfig_of(&user(&dir, &script))),
        None,
    );
    assert_eq!(said.failed, "");
    println!("with a child left behind: {:?}", begin.elapsed());
    assert!(is_alive(&dir.join("child")));
    let pid = std::fs::read_to_string(dir.join("child")).unwrap();
    let _ = Command::new("kill").arg(pid.trim()).status();
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_plugin_dies_with_its_job() {
    let dir = dir("plugin-orphan");
    let server = ApiServer::start_tls(Wants::Nothing);
    let script = "echo $$ >$1/new; mv $1/new $1/own; exec sleep 1000";
    let file = put(&dir, &server.kubeconfig_of(&user(&dir, script)));
    let mut job = start_job(&request(&file, None));
    let own = dir.join("own");
    wait_for("the plugin runs", || own.exists());
    assert!(is_alive(&own));
    job.kill().unwrap();
    job.wait().unwrap();
    wait_for("the plugin is gone", || !is_alive(&own));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn an_agent_asks_once_and_again_when_the_server_refuses() {
    let mut agent = Bare::new("plugin");
    let server = ApiServer::start_tls(Wants::Nothing);
    // Each time another token, so that it shows who has which.
    let script = format!(
        "echo >>$1/asked; n=$(wc -l <$1/asked); echo '{}' | sed s/NUMBER/$n/",
        answer(&json!({"token": "tNUMBER"}))
    );
    agent.put(
        "kubeconfig",
        server.kubeconfig_of(&user(&agent.base, &script)),
    );
    agent.start(&[]);
    let mut callers = Vec::new();
    let mut wait = |what: &str, token: &str, begins: &str| {
        agent.eventually(what, || {
            callers.extend(server.callers());
            callers
                .iter()
                .any(|caller| caller.authorization == token && caller.asked.starts_with(begins))
        });
    };
    wait("registered", "Bearer t1", "POST /api/v1/nodes");
    wait(
        "watched",
        "Bearer t1",
        "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1&watch",
    );
    wait("renewed", "Bearer t1", "PATCH /apis/coordination.k8s.io/");
    server.fault(
        "PATCH",
        Fault::Says("401 Unauthorized".to_owned(), String::new()),
    );
    wait("asked anew", "Bearer t2", "PATCH");
    server.heal();
    assert!(
        !callers.iter().any(|caller| caller.authorization.is_empty()),
        "{callers:?}"
    );
    assert!(
        !agent.log().contains("Bearer") && !agent.log().contains("\"t1\""),
        "{}",
        agent.log()
    );
}
