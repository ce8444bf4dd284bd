//! What is read from manifests, and what is refused, in which words.

use staticlet::pod::{Origin, Reading, read};

fn origin() -> Origin {
    Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    }
}

pub(crate) fn good(text: &str) -> Reading {
    read(text.as_bytes(), &origin()).unwrap_or_else(|p| panic!("{text}\n{p:?}"))
}

pub(crate) fn refused(text: &str) -> String {
    let problems = read(text.as_bytes(), &origin()).expect_err(text);
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

const WEB: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: c\n    image: nginx\n";

#[test]
fn the_identity_follows_the_meaning_and_not_the_writing() {
    let web = good(WEB);
    assert_eq!(web.pod.key.to_string(), "default/web-node1");
    assert_eq!(web.pod.uid.as_str().len(), 32);
    let json = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web"},"spec":{"containers":[{"image":"nginx","name":"c"}]}}"#;
    for same in [
        json.to_owned(),
        json.replace(',', ",\n\t"),
        format!(
            "# hello\n---\n{WEB}    tty: no\n  restartPolicy: Always\n  hostNetwork: false\n  initContainers: []\n"
        ),
        format!("\u{feff}{}", WEB.replace('\n', "\r\n")),
        format!("{WEB}---\n# nothing\n"),
    ] {
        assert_eq!(good(&same).pod.uid, web.pod.uid, "{same}");
    }
    let label = WEB.replace("name: web", "name: web\n  labels: {a: b}");
    assert_ne!(good(&label).pod.uid, web.pod.uid);
}

#[test]
fn each_fault_is_told_by_place_and_advice() {
    let c = |more: &str| format!("{WEB}    {more}\n");
    for (text, wanted) in [
        (String::new(), "the file is empty"),
        ("hello".to_owned(), "the file is not a mapping"),
        (
            format!("{WEB}---\n{WEB}"),
            "line 9: a second document begins here",
        ),
        (
            WEB.replace("kind: Pod", "kind: Deployment"),
            "kind: this is a v1 Deployment",
        ),
        (WEB.replace("kind: Pod\n", ""), "kind: Required value"),
        (
            WEB.replace("name: web", "name: Web"),
            "metadata.name: Invalid value: \"Web-node1\"",
        ),
        (
            WEB.replace("image: nginx", "imag: nginx"),
            "spec.containers[0].imag: unknown field (did you mean image?)",
        ),
        (
            c("env: [{name: A, value: 8080}]"),
            "spec.containers[0].env[0].value: must be a string, not the number 8080 (put it in quotes",
        ),
        (
            format!("{WEB}  imagePullPolicy: Never\n"),
            "spec.imagePullPolicy: unknown field (it belongs in spec.containers[])",
        ),
        (
            format!("{WEB}restartPolicy: Never\n"),
            "restartPolicy: unknown field (it belongs in spec)",
        ),
        (
            c("kind: Pod"),
            "spec.containers[0].kind: unknown field (it belongs in the manifest itself)",
        ),
        (
            format!("{WEB}  restartPolicy: always\n"),
            "supported values: \"Always\", \"OnFailure\", \"Never\" (did you mean Always?)",
        ),
        (c("name: twice"), "the key \"name\" is there twice"),
        (
            c("lifecycle: {preStop: {tcpSocket: {port: 1}}}"),
            "spec.containers[0].lifecycle.preStop.tcpSocket: not supported here",
        ),
        (
            c("restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [1]}}]"),
            "spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used",
        ),
        (
            c(
                "restartPolicy: Never\n    restartPolicyRules: [{action: Stop, exitCodes: {operator: Is, values: []}}, {action: Restart}]",
            ),
            "spec.containers[0].restartPolicyRules[0].action: Unsupported value: \"Stop\"",
        ),
        (
            format!("{WEB}  activeDeadlineSeconds: 0\n"),
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
        ),
        (
            c("lifecycle: {postStart: {}}"),
            "spec.containers[0].lifecycle.postStart: Required value: must specify a handler type",
        ),
        (
            c("lifecycle: {preStop: {exec: {command: [a]}, sleep: {seconds: 1}}}"),
            "spec.containers[0].lifecycle.preStop.sleep: Forbidden: may not specify more than 1 handler type",
        ),
        (
            c("lifecycle: {preStop: {exec: {}}}"),
            "spec.containers[0].lifecycle.preStop.exec.command: Required value",
        ),
        (
            c("lifecycle: {preStop: {sleep: {seconds: 31}}}"),
            "spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)",
        ),
        (
            c("lifecycle: {postStart: {httpGet: {port: 0}}}"),
            "spec.containers[0].lifecycle.postStart.httpGet.port: Invalid value: 0",
        ),
        (
            c("lifecycle: {stopSignal: SIGINT}"),
            "spec.containers[0].lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`",
        ),
        (
            format!("{WEB}    lifecycle: {{stopSignal: INT}}\n  os: {{name: linux}}\n"),
            "spec.containers[0].lifecycle.stopSignal: Unsupported value: \"INT\" (",
        ),
        (
            format!(
                "{WEB}  initContainers: [{{name: a, image: a, lifecycle: {{postStart: {{exec: {{command: [a]}}}}}}}}]\n"
            ),
            "spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always",
        ),
        (
            c("volumeMounts: [{name: v, mountPath: /v}]"),
            "volumeMounts[0].name: Not found: \"v\"",
        ),
        (
            format!("{WEB}  volumes: [{{name: v, configMap: {{name: x}}}}]\n"),
            "spec.volumes[0].configMap: not supported here",
        ),
        (
            format!("{WEB}  initContainers: [{{name: c, image: a}}]\n"),
            "spec.initContainers[0].name: Duplicate value: \"c\"",
        ),
        (
            format!("{WEB}  initContainers: [{{name: a, image: a, restartPolicy: Sometimes}}]\n"),
            "spec.initContainers[0].restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
        ),
        (
            format!(
                "{WEB}  initContainers: [{{name: a, image: a, startupProbe: {{exec: {{}}}}}}]\n"
            ),
            "spec.initContainers[0].startupProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ),
        (
            format!("{WEB}  initContainers: [{{name: a, image: a, envFrom: [{{prefix: x}}]}}]\n"),
            "spec.initContainers[0].envFrom: not supported here",
        ),
        (
            format!("{WEB}  hostUsers: false\n"),
            "spec.hostUsers: not supported here",
        ),
        (format!("{WEB}\tx: 1\n"), "not valid YAML"),
        ("{{ .Values.pod }}".to_owned(), "looks like a template"),
        (
            format!("{WEB}  tolerations: [{{operator: Is}}]\n"),
            "spec.tolerations[0].operator: Unsupported value: \"Is\"",
        ),
        (
            c("env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.hostname}}}]"),
            "env[0].valueFrom.fieldRef.fieldPath: Invalid value: \"spec.hostname\": error converting fieldPath",
        ),
        (
            c("env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.gpu}}}]"),
            "resourceFieldRef.resource: Unsupported value: \"limits.gpu\"",
        ),
        (
            format!("{WEB}  volumes: [{{name: v, hostPath: {{path: data}}}}]\n"),
            "spec.volumes[0].hostPath.path: Invalid value: \"data\": must be an absolute path",
        ),
        (
            format!("{WEB}  securityContext: {{sysctls: [{{name: A.b, value: '1'}}]}}\n"),
            "spec.securityContext.sysctls[0].name: Invalid value: \"A.b\"",
        ),
        (
            format!("{WEB}  dnsConfig: {{nameservers: ['::ffff:1.2.3.4']}}\n"),
            "must not be an IPv4-mapped IPv6 address",
        ),
        (
            format!("{WEB}  priority: 3000000000\n"),
            "spec.priority: must be an integer of 32 bits",
        ),
        (
            c("resources: {limits: {memory: 64MB}}"),
            "must be a quantity",
        ),
    ] {
        let said = refused(&text);
        assert!(said.contains(wanted), "{text}\n{said}\nwanted {wanted}");
    }
}

#[test]
fn one_fault_is_told_once() {
    for more in [
        "    ports: [{containerPort: \"80\"}]",
        "    env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]",
        "    volumeMounts: [{name: v, mountPath: /v}]\n  volumes: [{name: v, nfs: {server: a, path: /}}]",
    ] {
        let said = refused(&format!("{WEB}{more}\n"));
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn probes_are_filled_in_and_checked() {
    let with = |probe: &str| format!("{WEB}    {probe}\n");
    let pod = good(&with(
        "readinessProbe: {httpGet: {port: web}, timeoutSeconds: 0}",
    ));
    let spec = pod.pod.pod.spec.unwrap();
    let probe = spec.containers[0].readiness_probe.as_ref().unwrap();
    let get = probe.http_get.as_ref().unwrap();
    let numbers = [
        probe.timeout_seconds,
        probe.period_seconds,
        probe.success_threshold,
        probe.failure_threshold,
    ];
    assert_eq!(numbers, [1, 10, 1, 3].map(Some));
    assert_eq!(
        (get.path.as_deref(), get.scheme.as_deref()),
        (Some("/"), Some("HTTP"))
    );
    for (probe, wanted) in [
        (
            "livenessProbe: {periodSeconds: 1}",
            "livenessProbe: Required value: must specify a handler type",
        ),
        (
            "livenessProbe: {exec: {command: [a]}, tcpSocket: {port: 1}}",
            "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        (
            "livenessProbe: {exec: {}}",
            "livenessProbe.exec.command: Required value",
        ),
        (
            "livenessProbe: {tcpSocket: {port: 70000}}",
            "livenessProbe.tcpSocket.port: Invalid value: 70000",
        ),
        (
            "livenessProbe: {tcpSocket: {port: Web}}",
            "livenessProbe.tcpSocket.port: Invalid value: \"Web\"",
        ),
        (
            "livenessProbe: {tcpSocket: {port: 1}, periodSeconds: -1}",
            "periodSeconds: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "startupProbe: {tcpSocket: {port: 1}, successThreshold: 2}",
            "startupProbe.successThreshold: Invalid value: 2: must be 1",
        ),
        (
            "readinessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 2}",
            "must not be set for readinessProbes",
        ),
        (
            "livenessProbe: {tcpSocket: {port: 1}, terminationGracePeriodSeconds: 0}",
            "must be greater than 0",
        ),
        (
            "livenessProbe: {httpGet: {port: 1, scheme: http}}",
            "Unsupported value: \"http\"",
        ),
        (
            "livenessProbe: {httpGet: {port: 1, httpHeaders: [{name: a b, value: c}]}}",
            "httpHeaders[0].name: Invalid value",
        ),
    ] {
        let said = refused(&with(probe));
        assert!(said.contains(wanted), "{probe}\n{said}\nwanted {wanted}");
    }
}

#[test]
fn no_input_brings_the_reader_down() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..12 {
        let part = vec![format!("*a{}", i - 1); 10].join(",");
        bomb.push_str(&format!("a{i}: &a{i} [{part}]\n"));
    }
    for text in [
        bomb,
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{WEB}\0"),
        "x".repeat(11 << 20),
        "---\n".repeat(100_000),
    ] {
        refused(&text);
    }
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    println!("seed {seed:#x}");
    for _ in 0..20_000 {
        let mut bytes = WEB.as_bytes().to_vec();
        for _ in 0..3 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let at = seed as usize % bytes.len();
            match seed >> 60 {
                0..8 => bytes[at] = b"{}[]:-#&*!|>'\"%@\n\t 0x~"[(seed >> 32) as usize % 22],
                8..12 => drop(bytes.remove(at)),
                _ => bytes.insert(at, (seed >> 40) as u8),
            }
        }
        let _ = read(&bytes, &origin());
    }
}
