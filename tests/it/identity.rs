//! A pod's UID: what may not change it, what must, and that no upgrade does.

use serde_json::{Value, json};
use staticlet::pod::{Origin, read};

fn uid_on(node: &str, text: &str) -> String {
    let origin = Origin {
        node_name: node.to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    let reading = read(text.as_bytes(), &origin).unwrap_or_else(|p| panic!("{text}\n{p:#?}"));
    assert_eq!(
        reading.pod.hash.as_str(),
        reading.pod.uid.as_str(),
        "{text}"
    );
    reading.pod.uid.as_str().to_owned()
}

fn uid(text: &str) -> String {
    uid_on("node1", text)
}

const BARE: &str = include_str!("../manifests/identity/bare.yaml");

/// The same pod with every default written out.
const FULL: &str = include_str!("../manifests/identity/defaults-written-out.yaml");

#[test]
fn writing_a_default_out_changes_no_uid() {
    let full = FULL;
    assert_eq!(uid(full), uid(BARE));
    // Line by line, so that a fault is found by its name.
    for line in full
        .lines()
        .filter(|l| l.starts_with("  ") && !l.ends_with(':'))
    {
        let depth = line.len() - line.trim_start().len();
        let trimmed = line.trim_start();
        if depth == 2 && !trimmed.starts_with('-') && full.find(line) < full.find("metadata:") {
            let text = format!("{BARE}{line}\n");
            assert_eq!(uid(&text), uid(BARE), "{line}");
        }
    }
}

#[test]
fn the_writing_changes_no_uid() {
    let wanted = uid(BARE);
    for same in [
        format!("# hello\n---\n{BARE}---\n# nothing\n"),
        format!("\u{feff}{}", BARE.replace('\n', "\r\n")),
        BARE.replace("image: nginx:1", "\"image\": 'nginx:1' # pinned"),
        BARE.replace("memory: 1Gi", "memory: 1.0Gi"),
        BARE.replace("memory: 1Gi", "memory: \"1073741824\""),
        BARE.replace("memory: 1Gi", "memory: 1048576Ki"),
        BARE.replace("500m", "0.5"),
        BARE.replace("500m", "5e-1"),
        BARE.replace("500m", "500000u"),
    ] {
        assert_eq!(uid(&same), wanted, "{same}");
    }
    let host = |ports: &str| {
        BARE.replace("spec:", "spec:\n  hostNetwork: true")
            .replace("containerPort: 80", ports)
    };
    assert_eq!(
        uid(&host("containerPort: 80")),
        uid(&host("{hostPort: 80, containerPort: 80}"))
    );
}

#[test]
fn two_nodes_have_two_uids() {
    assert_ne!(uid_on("node1", BARE), uid_on("node2", BARE));
}

/// Every honoured field with a value of its own, beside another one.
fn edits() -> Vec<(&'static str, Value, Value)> {
    let c = |name: &'static str, a: Value, b: Value| (name, a, b);
    vec![
        c("/metadata/name", json!("a"), json!("b")),
        c("/metadata/namespace", json!("default"), json!("other")),
        c("/metadata/labels", json!({}), json!({"a": ""})),
        c("/metadata/labels", json!({"a": "b"}), json!({"a": "c"})),
        c("/metadata/annotations", json!({}), json!({"a": ""})),
        c("/spec/restartPolicy", json!("Always"), json!("Never")),
        c("/spec/terminationGracePeriodSeconds", json!(30), json!(0)),
        c("/spec/hostNetwork", json!(false), json!(true)),
        c("/spec/hostPID", json!(false), json!(true)),
        c("/spec/hostIPC", json!(false), json!(true)),
        c("/spec/shareProcessNamespace", json!(false), json!(true)),
        c("/spec/hostname", json!(""), json!("h")),
        c("/spec/subdomain", json!(""), json!("h")),
        c("/spec/setHostnameAsFQDN", json!(false), json!(true)),
        c("/spec/hostnameOverride", json!("a"), json!("b")),
        c(
            "/spec/hostAliases",
            json!([]),
            json!([{"ip": "1.2.3.4", "hostnames": ["a"]}]),
        ),
        c("/spec/dnsPolicy", json!("ClusterFirst"), json!("Default")),
        c("/spec/dnsConfig/nameservers", json!([]), json!(["1.2.3.4"])),
        c("/spec/dnsConfig/searches", json!([]), json!(["a"])),
        c(
            "/spec/dnsConfig/options",
            json!([{"name": "a"}]),
            json!([{"name": "a", "value": "1"}]),
        ),
        c("/spec/enableServiceLinks", json!(true), json!(false)),
        c(
            "/spec/priorityClassName",
            json!(""),
            json!("system-node-critical"),
        ),
        c("/spec/securityContext/runAsUser", json!(null), json!(0)),
        c("/spec/securityContext/runAsGroup", json!(null), json!(0)),
        c(
            "/spec/securityContext/runAsNonRoot",
            json!(null),
            json!(false),
        ),
        c("/spec/securityContext/fsGroup", json!(null), json!(0)),
        c(
            "/spec/securityContext/fsGroupChangePolicy",
            json!("Always"),
            json!("OnRootMismatch"),
        ),
        c(
            "/spec/securityContext/supplementalGroups",
            json!([]),
            json!([0]),
        ),
        c(
            "/spec/securityContext/sysctls",
            json!([]),
            json!([{"name": "net.a", "value": "1"}]),
        ),
        c(
            "/spec/securityContext/seccompProfile",
            json!(null),
            json!({"type": "Unconfined"}),
        ),
        c(
            "/spec/securityContext/appArmorProfile",
            json!(null),
            json!({"type": "Unconfined"}),
        ),
        c(
            "/spec/securityContext/seLinuxOptions",
            json!(null),
            json!({"level": "s0"}),
        ),
        c("/spec/volumes/0/name", json!("x"), json!("w")),
        c(
            "/spec/volumes/0/emptyDir",
            json!({}),
            json!({"medium": "Memory"}),
        ),
        c(
            "/spec/volumes/0/emptyDir",
            json!({"sizeLimit": 1}),
            json!({"sizeLimit": "1Ki"}),
        ),
        c(
            "/spec/volumes/1",
            json!({"name": "h"}),
            json!({"name": "h", "hostPath": {"path": "/a"}}),
        ),
        c(
            "/spec/volumes/1/hostPath",
            json!({"path": "/a"}),
            json!({"path": "/a", "type": "File"}),
        ),
        c(
            "/spec/tolerations",
            json!([]),
            json!([{"operator": "Exists"}]),
        ),
        c("/spec/containers/0/name", json!("c"), json!("d")),
        c(
            "/spec/containers/0/image",
            json!("nginx:1"),
            json!("nginx:2"),
        ),
        c(
            "/spec/containers/0/image",
            json!("nginx"),
            json!("nginx:latest"),
        ),
        c("/spec/containers/0/command", json!(["a"]), json!(["b"])),
        c("/spec/containers/0/command", json!(["a"]), json!(["a", ""])),
        c("/spec/containers/0/args", json!([]), json!([""])),
        c("/spec/containers/0/workingDir", json!(""), json!("/")),
        c(
            "/spec/containers/0/ports",
            json!([]),
            json!([{"containerPort": 80}]),
        ),
        c("/spec/containers/0/ports/0/hostPort", json!(0), json!(80)),
        c(
            "/spec/containers/0/ports/0/hostIP",
            json!(""),
            json!("127.0.0.1"),
        ),
        c("/spec/containers/0/ports/0/name", json!(""), json!("http")),
        c(
            "/spec/containers/0/ports/0/protocol",
            json!("TCP"),
            json!("UDP"),
        ),
        c("/spec/containers/0/env", json!([]), json!([{"name": "A"}])),
        c(
            "/spec/containers/0/env",
            json!([{"name": "A"}]),
            json!([{"name": "A", "value": " "}]),
        ),
        c("/spec/containers/0/env/0/value", json!("0"), json!("false")),
        c(
            "/spec/containers/0/env/0",
            json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
            json!({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}),
        ),
        c(
            "/spec/containers/0/resources",
            json!({}),
            json!({"limits": {"cpu": 0}}),
        ),
        c(
            "/spec/containers/0/resources/limits",
            json!({"cpu": 1}),
            json!({"cpu": "1001m"}),
        ),
        c(
            "/spec/containers/0/resources",
            json!({"limits": {"cpu": 1}}),
            json!({"limits": {"cpu": 1}, "requests": {"cpu": 0}}),
        ),
        c(
            "/spec/containers/0/resources/requests",
            json!({"memory": 1}),
            json!({"memory": 2}),
        ),
        c(
            "/spec/containers/0/volumeMounts/0/mountPath",
            json!("/v"),
            json!("/w"),
        ),
        c(
            "/spec/containers/0/volumeMounts/0/readOnly",
            json!(false),
            json!(true),
        ),
        c(
            "/spec/containers/0/volumeMounts/0/mountPropagation",
            json!("None"),
            json!("HostToContainer"),
        ),
        c(
            "/spec/containers/0/terminationMessagePath",
            json!("/dev/termination-log"),
            json!("/x"),
        ),
        c(
            "/spec/containers/0/terminationMessagePolicy",
            json!("File"),
            json!("FallbackToLogsOnError"),
        ),
        c(
            "/spec/containers/0/imagePullPolicy",
            json!("IfNotPresent"),
            json!("Always"),
        ),
        c("/spec/containers/0/stdin", json!(false), json!(true)),
        c("/spec/containers/0/stdinOnce", json!(false), json!(true)),
        c("/spec/containers/0/tty", json!(false), json!(true)),
        c(
            "/spec/containers/0/securityContext/privileged",
            json!(false),
            json!(true),
        ),
        c(
            "/spec/containers/0/securityContext/readOnlyRootFilesystem",
            json!(false),
            json!(true),
        ),
        c(
            "/spec/containers/0/securityContext/allowPrivilegeEscalation",
            json!(null),
            json!(false),
        ),
        c(
            "/spec/containers/0/securityContext/runAsNonRoot",
            json!(null),
            json!(false),
        ),
        c(
            "/spec/containers/0/securityContext/runAsUser",
            json!(null),
            json!(0),
        ),
        c(
            "/spec/containers/0/securityContext/runAsGroup",
            json!(0),
            json!(1),
        ),
        c(
            "/spec/containers/0/securityContext/capabilities/add",
            json!([]),
            json!(["SYS_TIME"]),
        ),
        c(
            "/spec/containers/0/securityContext/capabilities/drop",
            json!([]),
            json!(["ALL"]),
        ),
        c(
            "/spec/containers/0/securityContext/seLinuxOptions",
            json!(null),
            json!({}),
        ),
    ]
}

/// Puts a value at a pointer, making what is missing on the way.
fn put(pod: &mut Value, pointer: &str, value: &Value) {
    let mut at = pod;
    for part in pointer.split('/').skip(1) {
        at = match part.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[part],
        };
    }
    *at = value.clone();
}

#[test]
fn each_real_edit_changes_the_uid() {
    let base = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {
        "volumes": [{"name": "x"}, {"name": "h"}, {"name": "v"}],
        "containers": [{"name": "c", "image": "nginx:1", "env": [{"name": "A"}],
            "ports": [{"containerPort": 81}], "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}});
    for (pointer, before, after) in edits() {
        let mut uids = Vec::new();
        for value in [&before, &after] {
            let mut pod = base.clone();
            put(&mut pod, pointer, value);
            if pointer == "/spec/hostNetwork" {
                put(&mut pod, "/spec/containers/0/ports/0/hostPort", &json!(81));
            }
            uids.push(uid(&pod.to_string()));
        }
        assert_ne!(uids[0], uids[1], "{pointer}: {before} and {after}");
    }
}

/// What upgrades must not change: a new value here gives every pod of every user a new UID, and all start again.
#[test]
fn the_uids_of_scheme_1_are_pinned() {
    let minimal = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "c", "image": "nginx"}]}}"#;
    let mut all = serde_json::from_str::<Value>(minimal).unwrap();
    all["spec"]["volumes"] = json!([{"name": "x"}, {"name": "h"}]);
    all["spec"]["containers"][0]["env"] = json!([{"name": "A"}]);
    all["spec"]["containers"][0]["ports"] = json!([{"containerPort": 81, "hostPort": 81}]);
    for (pointer, _, after) in edits() {
        if !pointer.contains("volumeMounts") {
            put(&mut all, pointer, &after);
        }
    }
    for pointer in ["/spec/hostPID", "/spec/hostNetwork", "/spec/hostIPC"] {
        put(&mut all, pointer, &json!(false));
    }
    put(&mut all, "/spec/setHostnameAsFQDN", &json!(false));
    put(
        &mut all,
        "/spec/containers/0/securityContext/privileged",
        &json!(false),
    );
    let found = [
        uid(minimal),
        uid(BARE),
        uid_on("edge-7", BARE),
        uid(&all.to_string()),
    ];
    assert_eq!(
        found,
        [
            "e4e5f865c230c93cadf11c64e74cc932",
            "2083f0ac2310942d6db7fbabfcd98708",
            "279c995fa81c5755c34b01ef3958a071",
            "d660465abd5ea235ebd763df16595061"
        ]
    );
}
