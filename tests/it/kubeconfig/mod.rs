//! The kubeconfig: what is read of it, its faults by name, and that no message tells a secret.

mod asked;
mod hostile;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use staticlet::apiserver::{Access, read as kubeconfig};
use staticlet::sys::tls::Trust;

pub(crate) fn dir(test: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("staticlet-api-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

const SECRET: &str = "s3cr3t";

fn base() -> Value {
    json!({
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": "https://h:6443/", "insecure-skip-tls-verify": true}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    })
}

fn read_text(dir: &Path, text: &str) -> Result<Access, String> {
    let file = dir.join("config");
    std::fs::write(&file, text).unwrap();
    let read = kubeconfig(&file).map_err(|error| error.to_string());
    if let Err(error) = &read {
        assert!(!error.contains(SECRET), "{error}\n{text}");
        assert!(error.contains("config"), "no file in it: {error}");
    }
    read
}

/// Reads the base with a change.
fn tried(dir: &Path, change: impl Fn(&mut Value)) -> Result<Access, String> {
    let mut text = base();
    change(&mut text);
    read_text(dir, &text.to_string())
}

fn with_user(dir: &Path, user: Value) -> Result<Access, String> {
    tried(dir, |c| c["users"][0]["user"] = user.clone())
}

fn with_cluster(dir: &Path, cluster: Value) -> Result<Access, String> {
    tried(dir, |c| c["clusters"][0]["cluster"] = cluster.clone())
}

fn header(access: &Access) -> Option<&str> {
    let shown = access.authorization.as_ref();
    shown.map(|shown| shown.0.as_str())
}

#[test]
fn a_kubeconfig_is_read_and_its_faults_are_named() {
    let dir = dir("kubeconfig");
    std::fs::write(dir.join("token"), format!(" {SECRET}\n")).unwrap();
    let access = tried(&dir, |_| {}).unwrap();
    assert_eq!(access.server, "https://h:6443");
    assert_eq!(header(&access), Some("Bearer s3cr3t"));
    assert!(!format!("{access:?}").contains(SECRET));
    // A token does not go out in the clear.
    let plain = with_cluster(&dir, json!({"server": "http://h:1"})).unwrap();
    assert_eq!(plain.authorization, None);
    type Change = Box<dyn Fn(&mut Value)>;
    let user = |user: Value| -> Change { Box::new(move |c| c["users"][0]["user"] = user.clone()) };
    let cluster = |field: &'static str, value: Value| -> Change {
        Box::new(move |c| c["clusters"][0]["cluster"][field] = value.clone())
    };
    let top = |field: &'static str, value: Value| -> Change {
        Box::new(move |c| c[field] = value.clone())
    };
    let context = |field: &'static str| -> Change {
        Box::new(move |c| c["contexts"][0]["context"][field] = json!("x"))
    };
    let rows: Vec<(Change, &str)> = vec![
        (
            top("current-context", json!("x")),
            "current-context: \"x\" names no context",
        ),
        (
            top("current-context", Value::Null),
            "current-context: is missing",
        ),
        (
            top("current-context", json!(7)),
            "current-context: must be a string: put it in quotes",
        ),
        (top("contexts", Value::Null), "\"c\" names no context"),
        (
            top("clusters", Value::Null),
            "contexts[0].context.cluster: cluster \"k\" is not in clusters",
        ),
        (top("clusters", json!(7)), "clusters: must be a list"),
        (
            top("users", Value::Null),
            "contexts[0].context.user: user \"u\" is not in users",
        ),
        (top("users", json!(["u"])), "users[0]: must be a mapping"),
        (context("cluster"), "cluster \"x\" is not in clusters"),
        (context("user"), "user \"x\" is not in users"),
        (
            cluster("server", json!("")),
            "clusters[0].cluster.server: is missing",
        ),
        (
            cluster("server", Value::Null),
            "clusters[0].cluster.server: is missing",
        ),
        (
            cluster("server", json!("ftp://h")),
            "neither http nor https",
        ),
        (
            cluster("server", json!("https://h:port")),
            "server: is no URL",
        ),
        (
            cluster("server", json!("https://me:s3cr3t@h")),
            "server: has a user in it",
        ),
        (
            cluster("certificate-authority-data", json!("QQ==")),
            "cannot be given together",
        ),
        (
            cluster("insecure-skip-tls-verify", json!(SECRET)),
            "must be true or false",
        ),
        (
            cluster("proxy-url", json!("socks5://me:s3cr3t@h")),
            "proxy-url: must begin with http:// or https://",
        ),
        (
            cluster("proxy-url", json!("h:3128")),
            "proxy-url: must begin with",
        ),
        (
            user(json!({"client-certificate-data": "%s3cr3t"})),
            "client-certificate-data: is not base64",
        ),
        (
            user(json!({"client-certificate-data": "QQ=="})),
            "client-key: is missing",
        ),
        (
            user(json!({"client-key": "k", "client-key-data": "QQ=="})),
            "client-key: and client-key-data cannot both",
        ),
        (
            user(json!({"tokenFile": "none"})),
            "users[0].user.tokenFile: open ",
        ),
        (
            user(json!({"tokenFile": "empty"})),
            "tokenFile: names an empty file",
        ),
        (
            user(json!({"token": 5})),
            "token: must be a string: put it in quotes",
        ),
        (
            user(json!({"token": ["s3cr3t"]})),
            "token: must be a string",
        ),
        (
            user(json!({"token": "s3cr3t\nx"})),
            "token: has a character in it that no header can carry",
        ),
        (
            user(json!({"password": "s3cr3t"})),
            "password: stands without a username",
        ),
        (
            user(json!({"username": "me", "password": "s3cr3t", "token": "s3cr3t"})),
            "username: is one way to authenticate and token",
        ),
        (
            user(json!({"username": "me:s3cr3t"})),
            "username: has a colon in it",
        ),
        (
            user(json!({"as-groups": ["g"]})),
            "users[0].user.as: is missing",
        ),
        (
            user(json!({"as": "x", "as-groups": "g"})),
            "as-groups: must be a list of strings",
        ),
        (user(json!({"as": "x\n"})), "as: has a character in it"),
        (
            user(json!({"exec": {"command": "x"}})),
            "exec.apiVersion: must be one of client.authentication.k8s.io/v1, ",
        ),
        (
            user(json!({"auth-provider": {"name": "gcp"}})),
            "auth-provider: is not supported",
        ),
        (user(json!("s3cr3t")), "users[0].user: must be a mapping"),
    ];
    std::fs::write(dir.join("empty"), "\n").unwrap();
    for (change, said) in rows {
        let error = tried(&dir, &*change).unwrap_err();
        assert!(error.contains(said), "not {said:?}: {error}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn null_is_nothing() {
    let dir = dir("null");
    let access = with_user(
        &dir,
        json!({"token": null, "tokenFile": null, "exec": null}),
    )
    .unwrap();
    assert_eq!(access.authorization, None);
    // As YAML, where a reader that asks for a text gets one.
    let yaml = "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters:\n- name: k\n  cluster:\n    \
        server: https://h\n    insecure-skip-tls-verify: true\n    proxy-url: null\n    tls-server-name: ~\n\
        users: [{name: u, user: {token: null, username: }}]\n";
    let access = read_text(&dir, yaml).unwrap();
    assert_eq!((access.authorization, access.proxy), (None, None));
    assert_eq!(access.tls.server_name, None);
    let anonymous = tried(&dir, |c| c["users"][0]["user"] = Value::Null).unwrap();
    assert_eq!(anonymous.authorization, None);
    let nobody = tried(&dir, |c| c["contexts"][0]["context"]["user"] = Value::Null).unwrap();
    assert_eq!(nobody.authorization, None);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// As client-go: "duplicate name", wherever it is.
#[test]
fn two_of_one_name_are_refused() {
    let dir = dir("twice");
    std::fs::write(dir.join("token"), SECRET).unwrap();
    let lists = [
        ("clusters", "cluster", "k"),
        ("users", "user", "u"),
        ("contexts", "context", "c"),
    ];
    for (list, field, own) in lists {
        let with = |names: [&str; 2]| {
            tried(&dir, |c| {
                let more = names.map(|name| json!({"name": name, field: {}}));
                c[list].as_array_mut().unwrap().extend(more);
            })
        };
        with(["one", "two"]).unwrap();
        for (names, number, twice) in [(["one", own], 2, own), (["one", "one"], 2, "one")] {
            let error = with(names).unwrap_err();
            let said = format!("{list}[{number}].name: {twice:?} is the name of another one");
            assert!(error.contains(&said), "not {said:?}: {error}");
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_user_and_a_password_are_shown_and_a_token_file_goes_before_a_token() {
    let dir = dir("basic");
    let access = with_user(&dir, json!({"username": "me", "password": "p:w"})).unwrap();
    assert_eq!(header(&access), Some("Basic bWU6cDp3"));
    let access = with_user(&dir, json!({"username": "me"})).unwrap();
    assert_eq!(header(&access), Some("Basic bWU6"));
    let both = json!({"token": "old", "tokenFile": "later"});
    assert_eq!(
        header(&with_user(&dir, both.clone()).unwrap()),
        Some("Bearer old")
    );
    std::fs::write(dir.join("later"), "new\n").unwrap();
    assert_eq!(header(&with_user(&dir, both).unwrap()), Some("Bearer new"));
    let other = json!({"as": "jane", "as-uid": "7", "as-groups": ["a", "b"]});
    let said: Vec<String> = with_user(&dir, other)
        .unwrap()
        .acting_as
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(
        said.join(", "),
        "Impersonate-User: jane, Impersonate-Uid: 7, Impersonate-Group: a, Impersonate-Group: b"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_server_may_lack_its_scheme_or_have_it_in_capitals() {
    let dir = dir("scheme");
    let rows = [
        (
            json!({"server": "HTTPS://h:6443", "insecure-skip-tls-verify": true}),
            "https://h:6443",
        ),
        (json!({"server": "Http://h:8080/"}), "http://h:8080"),
        (
            json!({"server": "h:6443", "insecure-skip-tls-verify": true}),
            "https://h:6443",
        ),
        (
            json!({"server": "h:6443", "certificate-authority-data": "QQ=="}),
            "https://h:6443",
        ),
        (json!({"server": "h:8080"}), "http://h:8080"),
        (
            json!({"server": "https://h/k8s/c-1/?a=b#c", "insecure-skip-tls-verify": true}),
            "https://h/k8s/c-1",
        ),
        (
            json!({"server": "https://[::1]:6443", "insecure-skip-tls-verify": true}),
            "https://[::1]:6443",
        ),
    ];
    for (cluster, server) in rows {
        let is_tls = server.starts_with("https");
        let read = tried(&dir, |c| {
            c["clusters"][0]["cluster"] = cluster.clone();
            c["users"][0]["user"] = json!({"token": SECRET});
        });
        let access = read.unwrap();
        assert_eq!(access.server, server);
        assert_eq!(access.authorization.is_some(), is_tls, "{cluster}");
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn base64_may_stand_in_lines() {
    let dir = dir("lines");
    let data = "QUJD\r\nREVG\n R0g=\n";
    let cluster = json!({"server": "https://h", "certificate-authority-data": data});
    let access = tried(&dir, |c| {
        c["clusters"][0]["cluster"] = cluster.clone();
        c["users"] = json!([{"name": "u"}]);
    });
    assert_eq!(
        access.unwrap().tls.trust,
        Trust::Roots(b"ABCDEFGH".to_vec())
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
