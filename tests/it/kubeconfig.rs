//! The kubeconfig: what is read of it, and its faults by name.

use std::path::PathBuf;

use serde_json::{Value, json};
use staticlet::apiserver::read as kubeconfig;

pub(crate) fn dir(test: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("staticlet-api-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

#[test]
fn a_kubeconfig_is_read_and_its_faults_are_named() {
    let dir = dir("kubeconfig");
    let file = dir.join("config");
    std::fs::write(dir.join("token"), " secret\n").unwrap();
    let base = json!({
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": "https://h:6443/", "insecure-skip-tls-verify": true}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    });
    let tried = |change: &dyn Fn(&mut Value)| {
        let mut text = base.clone();
        change(&mut text);
        std::fs::write(&file, text.to_string()).unwrap();
        kubeconfig(&file)
    };
    let access = tried(&|_| {}).unwrap();
    assert_eq!(access.server, "https://h:6443");
    assert_eq!(access.token.as_ref().unwrap().0, "secret");
    assert!(!format!("{access:?}").contains("secret"));
    // A token does not go out in the clear.
    let plain = tried(&|c| c["clusters"][0]["cluster"]["server"] = json!("http://h:1")).unwrap();
    assert_eq!(plain.token, None);
    type Fault = (&'static str, Box<dyn Fn(&mut Value)>, &'static str);
    let rows: Vec<Fault> = vec![
        (
            "context",
            Box::new(|c| c["current-context"] = json!("x")),
            "\"x\" names no context",
        ),
        (
            "cluster",
            Box::new(|c| c["contexts"][0]["context"]["cluster"] = json!("x")),
            "cluster \"x\" is not in clusters",
        ),
        (
            "user",
            Box::new(|c| c["contexts"][0]["context"]["user"] = json!("x")),
            "user \"x\" is not in users",
        ),
        (
            "server",
            Box::new(|c| c["clusters"][0]["cluster"]["server"] = json!("")),
            "server: is missing",
        ),
        (
            "scheme",
            Box::new(|c| c["clusters"][0]["cluster"]["server"] = json!("ftp://h")),
            "neither http nor https",
        ),
        (
            "both",
            Box::new(|c| c["clusters"][0]["cluster"]["certificate-authority-data"] = json!("QQ==")),
            "cannot be given together",
        ),
        (
            "base64",
            Box::new(|c| c["users"][0]["user"] = json!({"client-certificate-data": "%"})),
            "client-certificate-data",
        ),
        (
            "key",
            Box::new(|c| c["users"][0]["user"] = json!({"client-certificate-data": "QQ=="})),
            "client-key: is missing",
        ),
        (
            "file",
            Box::new(|c| c["users"][0]["user"]["tokenFile"] = json!("none")),
            "tokenFile",
        ),
        (
            "exec",
            Box::new(|c| c["users"][0]["user"] = json!({"exec": {"command": "x"}})),
            "exec: is not supported",
        ),
        (
            "type",
            Box::new(|c| c["clusters"] = json!(7)),
            "no kubeconfig",
        ),
    ];
    for (what, change, said) in rows {
        let error = tried(&*change).unwrap_err().to_string();
        assert!(error.contains(said), "{what}: {error}");
        assert!(
            error.contains("config"),
            "{what} does not name the file: {error}"
        );
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
