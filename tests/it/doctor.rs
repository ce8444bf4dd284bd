//! `staticlet doctor` on a machine without dockerd: one line for each thing, and what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::support::scratch::Scratch;

fn lines(dir: &Scratch, more: &str) -> (Vec<String>, i32) {
    let at = dir.path().display();
    let line = format!(
        "doctor --hostname-override=n1 --root-dir={at}/root --run-dir={at}/run --pod-manifest-path={at}/m \
         --container-runtime-endpoint=unix://{at}/none.sock --resolv-conf={at}/resolv.conf {more}"
    );
    let (text, said, code) = dir.typed(&line);
    assert_eq!(said, "");
    (text.lines().map(str::to_owned).collect(), code)
}

fn pod(name: &str, ports: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  containers:\n  - {{name: c, image: i, ports: [{ports}]}}\n"
    )
}

/// The line about one thing that begins so.
fn found<'a>(lines: &'a [String], begin: &str) -> &'a str {
    let mut all = lines.iter().filter(|line| line.starts_with(begin));
    all.next()
        .unwrap_or_else(|| panic!("{begin} is not in {lines:#?}"))
}

#[test]
fn what_is_wrong_with_the_machine_is_told() {
    let dir = Scratch::new();
    dir.put("m/a.yaml", &pod("a", ""));
    dir.put(
        "resolv.conf",
        "search x\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n",
    );
    let (text, code) = lines(&dir, "");
    assert_eq!(code, 1, "dockerd is not there");
    found(&text, "ok: clock: 2");
    assert!(found(&text, "ok: dns: ").ends_with("/resolv.conf: 192.0.2.1 fe80::1%eth0"));
    assert!(
        found(&text, "warn: agent: none runs on ")
            .ends_with("/root: nothing restarts its pods; start it")
    );
    assert!(found(&text, "bad: docker: ").contains("none.sock does not exist"));
    found(&text, "ok: root directory: ");
    assert!(found(&text, "ok: manifests: 1 pods of ").ends_with("/m"));
    for (resolver, begin) in [
        ("nameserver 127.0.0.53\n", "warn: dns: "),
        ("# none\n", "warn: dns: "),
        ("nameserver example.com\n", "warn: dns: "),
    ] {
        dir.put("resolv.conf", resolver);
        found(&lines(&dir, "").0, begin);
    }
    let (text, _) = lines(&dir, "--resolv-conf=/nosuch");
    assert!(
        found(&text, "bad: dns: /nosuch: No such file")
            .ends_with("or give another one with --resolv-conf")
    );
    let (text, _) = lines(&dir, "--pod-manifest-path=");
    found(&text, "warn: manifests: neither a path nor a URL is given");
    let (json, said, code) = dir
        .typed("doctor --hostname-override=n1 --container-runtime-endpoint=unix:///nosuch -o json");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(said.is_empty() && code == 1 && value["findings"].as_array().unwrap().len() > 5);
    let (_, said, code) = dir.typed("doctor --nosuch");
    assert_eq!((code, said.lines().count()), (100, 1));
}

#[test]
fn manifests_that_cannot_be_used_and_ports_that_clash_are_told() {
    let dir = Scratch::new();
    dir.put("resolv.conf", "nameserver 192.0.2.1\n");
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = open.local_addr().unwrap().port();
    dir.put(
        "m/a.yaml",
        &pod(
            "a",
            "{containerPort: 80, hostPort: 7}, {containerPort: 81, hostPort: 9, hostIP: 127.0.0.1}",
        ),
    );
    dir.put(
        "m/b.yaml",
        &pod(
            "b",
            "{containerPort: 80, hostPort: 7}, {containerPort: 81, hostPort: 9, hostIP: 127.0.0.2}",
        ),
    );
    dir.put(
        "m/c.yaml",
        &pod("c", &format!("{{containerPort: 80, hostPort: {taken}}}")),
    );
    dir.put("m/d.yaml", &pod("d", &format!("{{containerPort: 80, hostPort: {taken}, protocol: UDP}}, {{containerPort: 80, hostPort: {taken}, hostIP: 127.0.0.9}}")));
    let loose = dir.put("m/loose.yaml", &pod("loose", ""));
    std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o666)).unwrap();
    dir.put("m/x.bak", "");
    let (text, code) = lines(&dir, "");
    assert_eq!(code, 1);
    assert!(found(&text, "ok: manifests: 4 pods").ends_with("/m"));
    assert!(found(&text, "bad: manifests: refused: ").contains("anybody may write to"));
    assert!(
        found(&text, "warn: manifests: ").contains("x.bak: ignored: only names that end in .yaml")
    );
    let ports: Vec<&String> = text
        .iter()
        .filter(|line| line.contains(": ports: "))
        .collect();
    let first = "bad: ports: 7/TCP is wanted by default/a-n1 and by default/b-n1; give one of them another hostPort";
    assert_eq!(ports[0], first);
    let second = format!("bad: ports: {taken}/TCP is wanted by default/c-n1 and by default/d-n1; ");
    assert!(ports[1].starts_with(&second), "{ports:#?}");
    let third = format!("bad: ports: {taken}/TCP is wanted by default/c-n1 and taken by ");
    let me = format!(
        "(pid {}); end that, or give the pod another hostPort",
        std::process::id()
    );
    assert!(
        ports[2].starts_with(&third) && ports[2].ends_with(&me),
        "{ports:#?}"
    );
    assert_eq!(
        ports.len(),
        3,
        "another protocol or address is no clash: {ports:#?}"
    );
}
