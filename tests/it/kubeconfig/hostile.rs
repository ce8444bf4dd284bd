//! Files that are broken by accident or on purpose: no secret is told, nothing takes long, and nothing is a panic.

use std::path::Path;
use std::time::Instant;

use serde_json::json;
use staticlet::apiserver::{Access, Api, read as kubeconfig};

use super::{SECRET, base, dir, read_text, with_cluster, with_user};
use crate::support::dice::Dice;
use crate::support::tls::fixture;

#[test]
fn no_secret_is_told() {
    let dir = dir("secrets");
    let texts = [
        // A value of the wrong kind, a tag, a word in the wrong place, an end that is missing.
        "users: [{name: u, user: {token: s3cr3t}, insecure: !!int s3cr3t}]",
        "users:\n- name: u\n  user:\n    password: !s3cr3t\n",
        "users:\n- name: u\n  user:\n    password: s3cr3t: x\n",
        "users:\n- name: u\n  user: {password: \"s3cr3t\n",
        "users:\n- name: u\n  user:\n    password: *s3cr3t\n",
        "users:\n- name: u\n  user:\n    s3cr3t: 1\n    s3cr3t: 2\n",
        "users: {name: 'u', 'user': `s3cr3t`}",
        "{\"users\": [{\"user\": {\"token\": \"s3cr3t\"}]}",
        "{\"users\": \"s3cr3t\\x\"}",
        "s3cr3t",
        "- s3cr3t",
        "current-context: [s3cr3t]",
        "users: s3cr3t\ncurrent-context: c\ncontexts: s3cr3t",
    ];
    for text in texts {
        let error = read_text(&dir, text).unwrap_err();
        assert!(error.starts_with("read kubeconfig "), "{error}");
    }
    let proxied = with_cluster(
        &dir,
        json!({"server": "http://h", "proxy-url": "http://me:s3cr3t@[proxy:x"}),
    );
    let access = proxied.unwrap();
    assert!(!format!("{access:?}").contains(SECRET));
    let error = Api::new(access).err().unwrap().to_string();
    assert!(
        error.contains("use proxy-url") && !error.contains(SECRET),
        "{error}"
    );
    // A key in one line, which is how it comes out of an environment variable.
    for key in [
        "-----BEGIN PRIVATE KEY-----s3cr3t",
        "-----BEGIN PRIVATE KEY-----\ns3cr3t!\n-----END PRIVATE KEY-----\n",
    ] {
        std::fs::write(dir.join("key"), key).unwrap();
        std::fs::write(dir.join("pem"), fixture("client-ed25519.pem")).unwrap();
        let user = json!({"client-certificate": "pem", "client-key": "key"});
        let error = Api::new(with_user(&dir, user).unwrap())
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("read the client key") && !error.contains(SECRET),
            "{error}"
        );
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Minutes, were it read as it is.
#[test]
fn a_file_of_brackets_is_refused_at_once() {
    let dir = dir("brackets");
    let begin = Instant::now();
    for open in ["[", "{a: ", "- "] {
        let error = read_text(&dir, &open.repeat((1 << 20) / open.len())).unwrap_err();
        println!("{open:?}: {:?}: {error}", begin.elapsed());
    }
    let error = read_text(&dir, &"[".repeat(1 << 20)).unwrap_err();
    assert!(error.contains("brackets are open"), "{error}");
    assert!(read_text(&dir, &" ".repeat((1 << 20) + 1)).is_err());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn no_truncation_or_mutation_is_a_panic() {
    let dir = dir("mutations");
    std::fs::write(dir.join("token"), SECRET).unwrap();
    let yaml = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- {{name: c, context: {{cluster: k, user: u}}}}\n\
         clusters:\n- name: k\n  cluster:\n    server: https://h:6443\n    tls-server-name: kubernetes\n    proxy-url: http://me:pw@p:3128\n    \
         certificate-authority-data: |\n      QUJD\n      REVG\nusers:\n- name: u\n  user: {{token: {SECRET}, username: \"a\", password: 'b'}}\n"
    );
    let json = base().to_string();
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": "./x",
        "args": ["a"], "env": [{"name": "A", "value": "b"}], "provideClusterInfo": true,
    });
    let mut with_exec = base();
    with_exec["users"][0]["user"] = json!({ "exec": exec });
    let with_exec = with_exec.to_string();
    let mut dice = Dice::new(7);
    let mut below = |n: usize| dice.below(n as u64) as usize;
    for text in [yaml.as_str(), json.as_str(), with_exec.as_str()] {
        for end in 0..text.len() {
            let _ = tried_bytes(&dir, &text.as_bytes()[..end]);
        }
        for _ in 0..1500 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..=below(3) {
                let at = below(bytes.len());
                match below(4) {
                    0 => bytes[at] = below(256) as u8,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b"{}[]:,-\"'&*!|>#% \n\0\xff"[below(20)]),
                    _ => {
                        let other = below(bytes.len());
                        bytes.swap(at, other);
                    }
                }
            }
            if let Ok(access) = tried_bytes(&dir, &bytes) {
                let _ = Api::new(access);
            }
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

fn tried_bytes(dir: &Path, bytes: &[u8]) -> Result<Access, ()> {
    let file = dir.join("config");
    std::fs::write(&file, bytes).unwrap();
    kubeconfig(&file).map_err(|_| ())
}
