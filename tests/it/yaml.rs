//! YAML as Kubernetes reads it, and the line of each fault.

use staticlet::pod::{Origin, Problem, Reading, read};

fn reading(text: &str) -> Result<Reading, Vec<Problem>> {
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    read(text.as_bytes(), &origin)
}

/// A pod with one container that says `more` besides.
fn pod(more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: c\n    image: i:1\n    {more}\n"
    )
}

/// The path of the first problem, and its line; nothing when the manifest is fine.
fn verdict(text: &str) -> String {
    match reading(text) {
        Ok(_) => "fine".to_owned(),
        Err(problems) => {
            let first = problems.first().unwrap();
            let line = first.line.map_or("?".to_owned(), |line| line.to_string());
            format!("{line} {}", first.path)
        }
    }
}

#[test]
fn a_scalar_has_the_type_it_has_for_kubernetes() {
    let value = "8 spec.containers[0].env[0].value";
    let mut wrong = Vec::new();
    for (text, wanted) in [
        // Refused by the kubelet: a boolean or a number where a text is wanted (capture 210).
        ("env: [{name: A, value: yes}]", value),
        ("env: [{name: A, value: y}]", value),
        ("env: [{name: A, value: Off}]", value),
        ("env: [{name: A, value: 8080}]", value),
        ("env: [{name: A, value: 0644}]", value),
        ("env: [{name: A, value: 0x1F}]", value),
        ("env: [{name: A, value: 1_000}]", value),
        ("env: [{name: A, value: 1e3}]", value),
        ("env: [{name: A, value: 1.10}]", value),
        ("env: [{name: A, value: !!int \"5\"}]", value),
        ("args: [8080]", "8 spec.containers[0].args[0]"),
        (
            "args:\n    - a\n    - 8080",
            "10 spec.containers[0].args[1]",
        ),
        // Not numbers to it.
        ("env: [{name: A, value: 1:30}]", "fine"),
        ("env: [{name: A, value: 2001-01-01}]", "fine"),
        ("env: [{name: A, value: 10.0.0.1}]", "fine"),
        ("env: [{name: A, value: 18x}]", "fine"),
        ("env: [{name: A, value: \"yes\"}]", "fine"),
        ("env: [{name: A, value: 'yes'}]", "fine"),
        ("env: [{name: A, value: !!str yes}]", "fine"),
        ("env: [{name: A, value: !!str &x yes}]", "fine"),
        ("env: [{name: A, value: !!binary eWVz}]", "fine"),
        ("env: [{name: A, value: \"\\x79es\"}]", "fine"),
        ("env:\n    - name: A\n      value: |-\n        yes", "fine"),
        ("env:\n    - name: A\n      value: >-\n        8080", "fine"),
        ("env: [{name: A, value: }]", "fine"),
        ("env: [{name: A, value: ~}]", "fine"),
        ("args: [~]", "fine"),
        // Where a boolean is wanted.
        ("tty: yes", "fine"),
        ("tty: Off", "fine"),
        ("tty: \"yes\"", "8 spec.containers[0].tty"),
        ("tty: \"true\"", "8 spec.containers[0].tty"),
        ("tty: 1", "8 spec.containers[0].tty"),
        // Where a number is wanted.
        ("ports: [{containerPort: 0x50}]", "fine"),
        ("ports: [{containerPort: 0o17}]", "fine"),
        ("ports: [{containerPort: 08}]", "fine"),
        ("ports: [{containerPort: 1e3}]", "fine"),
        ("ports: [{containerPort: 80.0}]", "fine"),
        ("ports: [{containerPort: 8_080}]", "fine"),
        (
            "ports: [{containerPort: 80.5}]",
            "8 spec.containers[0].ports[0].containerPort",
        ),
        (
            "ports: [{containerPort: \"80\"}]",
            "8 spec.containers[0].ports[0].containerPort",
        ),
        (
            "ports: [{containerPort: 18446744073709551616}]",
            "8 spec.containers[0].ports[0].containerPort",
        ),
        ("resources: {limits: {cpu: 1e-1, memory: 1e8}}", "fine"),
        (
            "resources: {limits: {cpu: yes}}",
            "8 spec.containers[0].resources.limits[cpu]",
        ),
        ("ports: [{containerPort: .inf}]", "8 "),
        ("args: [!Ref x]", "8 "),
        // Anchors, aliases, merges.
        ("args: [&a x, *a]", "fine"),
        (
            "args: &a [8080]\n    command: *a",
            "8 spec.containers[0].args[0]",
        ),
        ("env: [&a {name: A, value: x}, {<<: *a, name: B}]", "fine"),
        ("env: [&a {name: A, value: 1}, {<<: [*a], name: B}]", value),
    ] {
        let found = verdict(&pod(text));
        if found != wanted {
            wrong.push(format!("{text}: {found}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn values_come_through_as_they_are_meant() {
    let text = pod("env:\n    - {name: A, value: !!binary eWVz}\n    - {name: B, value: !!str 0644}\n    - {name: C, value: ~}\n    - &d {name: D, value: é}\n    - {<<: *d, name: E}")
        .replace("{name: p}", "{name: p, labels: {on: a, 010: b}}");
    let pod = reading(&text).unwrap().pod.pod;
    let env = pod.spec.unwrap().containers.remove(0).env.unwrap();
    let env: Vec<String> = env
        .into_iter()
        .map(|env| format!("{}={}", env.name, env.value.unwrap_or_default()))
        .collect();
    assert_eq!(env, ["A=yes", "B=0644", "C=", "D=é", "E=é"]);
    // Keys are resolved as well: `on` is true, `010` is 8.
    let labels: Vec<String> = pod.metadata.labels.unwrap().into_keys().collect();
    assert_eq!(labels, ["8", "true"]);
}

#[test]
fn each_problem_has_the_line_of_its_field() {
    let text = "# é: characters of two bytes must not shift the places\n\
        apiVersion: v1\r\n\
        kind: Pod\r\n\
        metadata:\n  \
          name: Web\n  \
          labels:\n    \
            a.b/c d: x\n\
        spec:\n  \
          hostNetwok: true\n  \
          restartPolicy: \"always\"\n  \
          containers:\n  \
          - name: a\n    \
            command:\n    \
            - sh\n    \
            - |\n      \
              echo one\n      \
              echo two\n    \
            env:\n    \
            - name: A\n      \
              value:\n        \
                true\n  \
          - image: i\n    \
            name: 'b'\n    \
            volumeMounts:\n    \
            - {name: v, mountPath: /v}\n";
    let problems = reading(text).unwrap_err();
    let found: Vec<String> = problems
        .iter()
        .map(|p| format!("{} {}", p.line.unwrap_or(0), p.path))
        .collect();
    let wanted = [
        "20 spec.containers[0].env[0].value",
        "9 spec.hostNetwok",
        "5 metadata.name",
        "6 metadata.labels",
        "10 spec.restartPolicy",
        "12 spec.containers[0].image",
        "25 spec.containers[1].volumeMounts[0].name",
    ];
    assert_eq!(found, wanted, "{problems:#?}");
}

#[test]
fn json_has_lines_as_well() {
    let text = "{\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"p\"},\n\"spec\": {\"containers\": [\n{\"name\": \"c\",\n\"image\": \"i\",\n\"tty\": \"yes\",\n\"ports\": [{\"containerPort\": 1e3}]}]}}";
    let problems = reading(text).unwrap_err();
    let found: Vec<String> = problems
        .iter()
        .map(|p| format!("{} {}", p.line.unwrap_or(0), p.path))
        .collect();
    // JSON goes to Kubernetes as it is: no number with an exponent is an integer there.
    let wanted = [
        "7 spec.containers[0].tty",
        "8 spec.containers[0].ports[0].containerPort",
    ];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(found), sorted(wanted.map(str::to_owned).to_vec()));
    let twice = text.replace("\"tty\": \"yes\"", "\"name\": \"d\"");
    let problems = reading(&twice).unwrap_err();
    assert_eq!(problems.first().unwrap().line, Some(7), "{problems:?}");
}

#[test]
fn a_repeated_key_is_told_with_its_own_line() {
    let problems = reading(&pod("tty: true\n    stdin: true\n    tty: true")).unwrap_err();
    let problem = problems.first().unwrap();
    assert_eq!(problem.line, Some(10), "{problem}");
    assert!(problem.text.contains("\"tty\" is there twice"), "{problem}");
}

#[test]
fn a_manifest_full_of_faults_is_told_in_parts() {
    let mut text = pod("");
    for n in 0..20_000 {
        text.push_str(&format!("unknown{n}: 1\n"));
    }
    let began = std::time::Instant::now();
    let problems = reading(&text).unwrap_err();
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    assert_eq!(problems.len(), 101);
    let last = problems.last().unwrap().to_string();
    assert_eq!(last, "19900 more problems are not told");
}

#[test]
fn an_item_of_a_list_has_its_lines() {
    let item = pod("tty: 1")
        .replace("apiVersion: v1\nkind: Pod\n", "")
        .replace('\n', "\n  ");
    let text = format!("apiVersion: v1\nkind: PodList\nitems:\n- {item}\n");
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: false,
        allow_unknown_fields: false,
    };
    let problems = staticlet::pod::read_list(text.as_bytes(), &origin).unwrap_err();
    let found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        found[0].starts_with("line 9: items[0].spec.containers[0].tty: must be true or false"),
        "{found:?}"
    );
}

#[test]
fn no_manifest_however_mangled_is_more_than_refused() {
    let given: Vec<String> = include_str!("../fixtures/verdicts.jsonl")
        .lines()
        .map(|line| {
            let one: serde_json::Value = serde_json::from_str(line).unwrap();
            one["manifest"].as_str().unwrap().to_owned()
        })
        .filter(|text| !text.is_empty())
        .collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let words = b"-:[]{}&*!|>'\"#%@,?\n\t \r~<y0\xc3\xa9";
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    for round in 0..3000 {
        let mut bytes = given[random(given.len())].clone().into_bytes();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = words[random(words.len())],
                1 => bytes.insert(at, words[random(words.len())]),
                _ => {
                    let end = (at + random(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        if let Err(problems) = read(&bytes, &origin) {
            let lines = bytes.iter().filter(|b| **b == b'\n').count() + 2;
            assert!(!problems.is_empty(), "round {round}");
            for problem in problems {
                let line = problem.line.unwrap_or(1);
                assert!(
                    line >= 1 && line as usize <= lines,
                    "round {round}: {problem}"
                );
            }
        }
    }
}

#[test]
fn a_file_of_brackets_holds_nobody_up() {
    for word in ["[", "{a: ", "- [", "[a,"] {
        let text = word.repeat(1_000_000 / word.len());
        let began = std::time::Instant::now();
        let problems = reading(&format!("#\n{text}")).unwrap_err();
        assert!(began.elapsed().as_secs() < 5, "{word}");
        let problem = problems.first().unwrap();
        assert!(problem.text.contains("256 brackets"), "{problem}");
        assert_eq!(problem.line, Some(2));
    }
    // As many as anybody writes, and brackets in a text.
    let script = format!("args: ['{}']", "[".repeat(200));
    assert_eq!(verdict(&pod(&script)), "fine");
}
