//! The API server's rules about what means little on one node, one row for each.

use staticlet::pod::{Origin, read};

fn problems(metadata: &str, container: &str, spec: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, {metadata}}}\nspec:\n  containers:\n  - {{name: c, image: i, {container}}}\n  {spec}\n"
    );
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    match read(text.as_bytes(), &origin) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .map(|p| format!("{}: {}", p.path, p.text))
            .collect(),
    }
}

/// What is given, and what the one problem begins with; nothing when it is fine.
fn all(give: impl Fn(&str) -> Vec<String>, rows: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (given, wanted) in rows {
        let found = give(given);
        let fine = match found.as_slice() {
            [] => wanted.is_empty(),
            [one] => !wanted.is_empty() && one.starts_with(wanted),
            _ => false,
        };
        if !fine {
            wrong.push(format!("{given}\n   {found:?}\n   not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pods_are_held_to_the_rules_of_the_api_server() {
    let node = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: ";
    let one = |term: &str| format!("{node}[{{{term}}}]}}}}}}");
    let terms = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    let good = one(
        "matchExpressions: [{key: a.b/c, operator: In, values: [x]}, {key: d, operator: Gt, values: [\"1\"]}]",
    );
    let none = format!("{node}[]}}}}}}");
    let bad_operator = one("matchExpressions: [{key: a, operator: Is}]");
    let no_values = one("matchExpressions: [{key: a, operator: In}]");
    let values = one("matchExpressions: [{key: a, operator: Exists, values: [b]}]");
    let field = one("matchFields: [{key: metadata.uid, operator: In, values: [b]}]");
    let rows = [
        ("readinessGates: [{conditionType: example.com/a}]", String::new()),
        ("readinessGates: [{conditionType: 'a b'}]", "spec.readinessGates[0].conditionType: Invalid value".into()),
        ("overhead: {cpu: 100m}", String::new()),
        ("overhead: {cpu: -1}", "spec.overhead[cpu]: Invalid value: \"-1\": must be greater than or equal to 0".into()),
        (&good, String::new()),
        (&none, format!("{terms}: Required value: must have at least one node selector term")),
        (&bad_operator, format!("{terms}[0].matchExpressions[0].operator: Invalid value: \"Is\": not a valid selector operator")),
        (&no_values, format!("{terms}[0].matchExpressions[0].values: Required value: must be specified when")),
        (&values, format!("{terms}[0].matchExpressions[0].values: Forbidden: may not be specified when")),
        (&field, format!("{terms}[0].matchFields[0].key: Unsupported value")),
        (
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {a: b}}}}]}}",
            String::new(),
        ),
        (
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: {topologyKey: a}}]}}",
            "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100".into(),
        ),
        (
            "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {}}]}}",
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty".into(),
        ),
        (
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, minDomains: 2}]",
            String::new(),
        ),
        (
            "topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]",
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero".into(),
        ),
        (
            "topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]",
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty".into(),
        ),
        (
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: Never}]",
            "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value".into(),
        ),
        (
            "topologySpreadConstraints: [{maxSkew: 1, topologyKey: z, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]",
            "spec.topologySpreadConstraints[0].minDomains: Invalid value: 2: can only use".into(),
        ),
        (
            "terminationGracePeriodSeconds: 3000000000",
            String::new(),
        ),
        ("priority: 3000000000", "spec.priority: must be an integer of 32 bits".into()),
        ("dnsPolicy: None", "spec.dnsConfig: Required value".into()),
        ("hostAliases: [{ip: 10.0.0.01}]", "spec.hostAliases[0].ip: Invalid value".into()),
        ("hostAliases: [{ip: '::ffff:1.2.3.4'}]", "spec.hostAliases[0].ip: Invalid value".into()),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(a, b)| (*a, b.as_str())).collect();
    all(|given| problems("", "", given), &rows);
}

#[test]
fn containers_are_held_to_the_rules_of_the_api_server() {
    let env = |from: &str| format!("env: [{{name: A, valueFrom: {{{from}}}}}]");
    let divided = |what: &str, by: &str| {
        env(&format!(
            "resourceFieldRef: {{resource: {what}, divisor: {by}}}"
        ))
    };
    let place = "spec.containers[0].env[0].valueFrom";
    let context = "spec.containers[0].securityContext";
    let rows = [
        (divided("limits.cpu", "1m"), String::new()),
        (divided("limits.cpu", "1000m"), String::new()),
        (divided("limits.cpu", "0"), String::new()),
        (divided("limits.cpu", "2"), format!("{place}.resourceFieldRef.divisor: Invalid value: \"2\": only divisor's values 1m, 1 are supported with the cpu resource")),
        (divided("requests.memory", "1Mi"), String::new()),
        (divided("requests.memory", "1m"), format!("{place}.resourceFieldRef.divisor: Invalid value: \"1m\"")),
        (divided("limits.ephemeral-storage", "3Ki"), format!("{place}.resourceFieldRef.divisor: Invalid value: \"3Ki\"")),
        (env("fieldRef: {fieldPath: \"metadata.labels['a.b/c']\"}"), String::new()),
        (env("fieldRef: {fieldPath: \"metadata.annotations['A.b/c']\"}"), String::new()),
        (env("fieldRef: {fieldPath: \"metadata.labels['a b']\"}"), format!("{place}.fieldRef.fieldPath: Invalid value: \"a b\"")),
        (
            "securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [CAP_SYS_ADMIN]}}".to_owned(),
            format!("{context}: Invalid value: \"\": cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"),
        ),
        (
            "securityContext: {allowPrivilegeEscalation: false, capabilities: {add: [SYS_ADMIN]}}".to_owned(),
            String::new(),
        ),
        (
            "securityContext: {allowPrivilegeEscalation: false, privileged: true}".to_owned(),
            format!("{context}: Invalid value"),
        ),
        ("securityContext: {seccompProfile: {}}".to_owned(), format!("{context}.seccompProfile.type: Required value")),
        (
            "securityContext: {seccompProfile: {type: Unconfined, localhostProfile: a}}".to_owned(),
            format!("{context}.seccompProfile.localhostProfile: Invalid value: \"a\": can only be set"),
        ),
        (
            "securityContext: {appArmorProfile: {type: Localhost, localhostProfile: ' a'}}".to_owned(),
            format!("{context}.appArmorProfile.localhostProfile: Invalid value"),
        ),
        ("ports: [{containerPort: 80, name: a--b}]".to_owned(), "spec.containers[0].ports[0].name: Invalid value".to_owned()),
        ("livenessProbe: {tcpSocket: {port: 1}, periodSeconds: 3000000000}".to_owned(), "spec.containers[0].livenessProbe.periodSeconds: must be an integer of 32 bits".to_owned()),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    all(|given| problems("", given, ""), &rows);
}

#[test]
fn mounts_are_held_to_the_rules_of_the_api_server() {
    let place = "spec.containers[0].volumeMounts[0]";
    let below = format!("{place}.subPath: Invalid value: \"a/../b\": must not contain '..'");
    let relative = format!("{place}.subPath: Invalid value: \"/a\": must be a relative path");
    let expression =
        format!("{place}.subPathExpr: Invalid value: \"$(A)/..\": must not contain '..'");
    let both = format!(
        "{place}.subPathExpr: Invalid value: \"b\": subPathExpr and subPath are mutually exclusive"
    );
    let mode = format!("{place}.recursiveReadOnly");
    let only = format!("{mode}: Forbidden: may only be specified when");
    let writable = format!("{only} readOnly is true");
    let spread = format!("{only} mountPropagation is None or not specified");
    let unknown = format!("{mode}: Unsupported value: \"Yes\"");
    let rows = [
        ("subPath: a/b..c/...", ""),
        ("subPath: ''", ""),
        ("subPathExpr: a/$(B)/c", ""),
        ("readOnly: true, recursiveReadOnly: Enabled", ""),
        (
            "readOnly: true, recursiveReadOnly: IfPossible, mountPropagation: None",
            "",
        ),
        ("recursiveReadOnly: Disabled", ""),
        ("recursiveReadOnly: IfPossible", &writable),
        (
            "readOnly: true, recursiveReadOnly: Enabled, mountPropagation: HostToContainer",
            &spread,
        ),
        ("readOnly: true, recursiveReadOnly: 'Yes'", &unknown),
        ("subPath: a/../b", &below),
        ("subPath: /a", &relative),
        ("subPathExpr: $(A)/..", &expression),
        ("subPath: a, subPathExpr: b", &both),
    ];
    let mount = |given: &str| {
        problems(
            "",
            &format!("volumeMounts: [{{name: v, mountPath: /v, {given}}}]"),
            "volumes: [{name: v, emptyDir: {}}]",
        )
    };
    all(mount, &rows);
}

#[test]
fn old_annotations_have_their_rules() {
    let seccomp = "container.seccomp.security.alpha.kubernetes.io/c";
    let armor = "container.apparmor.security.beta.kubernetes.io";
    let cost = "controller.kubernetes.io/pod-deletion-cost";
    let rows = [
        (format!("{seccomp}: docker/default"), String::new()),
        (
            format!("{seccomp}: localhost/../a"),
            format!("metadata.annotations[{seccomp}]: Invalid value"),
        ),
        (format!("{armor}/c: localhost/mine"), String::new()),
        (
            format!("{armor}/c: mine"),
            format!("metadata.annotations[{armor}/c]: Invalid value"),
        ),
        (
            format!("{armor}/d: unconfined"),
            format!("metadata.annotations[{armor}/d]: Invalid value: \"d\": container not found"),
        ),
        (format!("{cost}: '-5'"), String::new()),
        (
            format!("{cost}: '+5'"),
            format!("metadata.annotations[{cost}]: Invalid value"),
        ),
    ];
    let rows: Vec<(&str, &str)> = rows.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    all(
        |given| problems(&format!("annotations: {{{given}}}"), "", ""),
        &rows,
    );
    let field = "securityContext: {appArmorProfile: {type: RuntimeDefault}}";
    let found = problems(
        &format!("annotations: {{{armor}/c: unconfined}}"),
        field,
        "",
    );
    assert!(found.concat().contains("must match"), "{found:?}");
}

#[test]
fn what_a_pod_asks_for_has_rules() {
    let rows = [
        (
            "resources: {limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 500m}}",
            "",
        ),
        (
            "resources: {limits: {ephemeral-storage: 1Gi}}",
            "spec.resources.limits[ephemeral-storage]: not supported",
        ),
        (
            "resources: {limits: {cpu: 1}, requests: {cpu: 2}}",
            "spec.resources.requests[cpu]: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
        ),
        ("resources: {claims: [{name: x}]}", "spec.resources.claims"),
        ("securityContext: {seLinuxChangePolicy: Recursive}", ""),
        (
            "securityContext: {seLinuxChangePolicy: Never}",
            "spec.securityContext.seLinuxChangePolicy: Unsupported value: \"Never\"",
        ),
        (
            "securityContext: {supplementalGroupsPolicy: Strict}",
            "spec.securityContext.supplementalGroupsPolicy",
        ),
        ("hostUsers: false", "spec.hostUsers"),
        ("runtimeClassName: gvisor", "spec.runtimeClassName"),
    ];
    all(|given| problems("", "", given), &rows);
    let whole = "resources: {limits: {memory: 64Mi}, requests: {memory: 32Mi}}";
    let rows = [
        (
            "resources: {limits: {memory: 64Mi}, requests: {memory: 32Mi}}",
            "",
        ),
        (
            "resources: {limits: {memory: 65Mi}, requests: {memory: 32Mi}}",
            "spec.containers[0].resources.limits[memory]: Invalid value: \"65Mi\": must be less than or equal to pod limits of 64Mi",
        ),
        (
            "resources: {requests: {memory: 33Mi}}",
            "spec.resources.requests[memory]: Invalid value: \"32Mi\": must be greater than or equal to aggregate",
        ),
        (
            "resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}]",
            "",
        ),
        (
            "resizePolicy: [{resourceName: gpu, restartPolicy: NotRequired}]",
            "spec.containers[0].resizePolicy[0].resourceName: Unsupported value: \"gpu\"",
        ),
        (
            "resizePolicy: [{resourceName: cpu}]",
            "spec.containers[0].resizePolicy[0].restartPolicy: Required value",
        ),
        (
            "resizePolicy: [{resourceName: cpu, restartPolicy: NotRequired}, {resourceName: cpu, restartPolicy: RestartContainer}]",
            "spec.containers[0].resizePolicy[1]: Duplicate value: \"cpu\"",
        ),
    ];
    all(|given| problems("", given, whole), &rows);
}

#[test]
fn files_of_variables_have_rules() {
    let volumes = "volumes: [{name: v, emptyDir: {}}, {name: h, hostPath: {path: /x}}]";
    let key = |fields: &str| {
        let mounts = "volumeMounts: [{name: v, mountPath: /v}]";
        let env = format!("{mounts}, env: [{{name: A, valueFrom: {{fileKeyRef: {{{fields}}}}}}}]");
        problems("", &env, volumes)
    };
    let at = "spec.containers[0].env[0].valueFrom.fileKeyRef";
    let row = |field: &str, text: &str| format!("{at}.{field}: {text}");
    for (given, wanted) in [
        (
            "volumeName: v, path: a/b, key: K, optional: true",
            String::new(),
        ),
        ("volumeName: v, path: a", row("key", "Required value")),
        (
            "volumeName: v, path: a, key: 'a=b'",
            row("key", "Invalid value"),
        ),
        ("volumeName: v, key: K", row("path", "Required value")),
        (
            "volumeName: v, path: /a, key: K",
            row("path", "Invalid value"),
        ),
        (
            "volumeName: v, path: a/../b, key: K",
            row("path", "Invalid value"),
        ),
        ("path: a, key: K", row("volumeName", "Required value")),
        (
            "volumeName: w, path: a, key: K",
            row("volumeName", "Not found: \"w\""),
        ),
        (
            "volumeName: h, path: a, key: K",
            row(
                "volumeName",
                "Invalid value: \"h\": referenced volume must be of type emptyDir",
            ),
        ),
    ] {
        all(|given| key(given), &[(given, wanted.as_str())]);
    }
}

#[test]
fn huge_pages_have_rules() {
    let ask = |amounts: &str| format!("resources: {{limits: {{{amounts}}}}}");
    let (fine, alone, odd) = (
        ask("hugepages-2Mi: 4Mi, cpu: 1"),
        ask("hugepages-2Mi: 4Mi"),
        ask("hugepages-2Mi: 3Mi, memory: 64Mi"),
    );
    let (unknown, env) = (ask("hugepages-big: 4Mi, cpu: 1"), |rest: &str| {
        format!("env: [{{name: E, valueFrom: {{resourceFieldRef: {{{rest}}}}}}}]")
    });
    let (named, divided) = (
        env("resource: limits.hugepages-2Mi, divisor: 1Mi"),
        env("resource: limits.hugepages-2Mi, divisor: 3"),
    );
    let rows = [
        (fine.as_str(), ""),
        (
            &alone,
            "spec.containers[0].resources: Forbidden: HugePages require cpu or memory",
        ),
        (
            &odd,
            "spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi",
        ),
        (
            &unknown,
            "spec.containers[0].resources.limits[hugepages-big]: Invalid value",
        ),
        (
            "resources: {limits: {hugepages-2Mi: 4Mi, cpu: 1}, requests: {hugepages-2Mi: 2Mi}}",
            "spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: \"2Mi\": must be equal to hugepages-2Mi limit of 4Mi",
        ),
        (
            "resources: {limits: {cpu: 1}, requests: {hugepages-2Mi: 2Mi}}",
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (&named, ""),
        (
            &divided,
            "spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \"3\"",
        ),
    ];
    all(|given| problems("", given, ""), &rows);
    let rows = [
        ("volumes: [{name: v, emptyDir: {medium: HugePages}}]", ""),
        (
            "volumes: [{name: v, emptyDir: {medium: HugePages-1Gi}}]",
            "",
        ),
        (
            "volumes: [{name: v, emptyDir: {medium: HugePages-x}}]",
            "spec.volumes[0].emptyDir.medium: Unsupported value: \"HugePages-x\"",
        ),
        ("resources: {limits: {hugepages-2Mi: 4Mi, cpu: 1}}", ""),
        (
            "resources: {limits: {hugepages-2Mi: 4Mi}}",
            "spec.resources: Forbidden: HugePages require cpu or memory",
        ),
    ];
    all(|given| problems("", "", given), &rows);
}
