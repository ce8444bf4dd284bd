//! Input that is small and would grow, or that would hold the agent up: each was found by throwing such input at it.

use std::fmt::Write;
use std::time::{Duration, Instant};

use staticlet::cli::{Command, parse};
use staticlet::config::settings;
use staticlet::pod::{Origin, Problem, Reading, read};
use staticlet::state::DockerFacts;
use staticlet::translate::{
    ContainerInput, EnvFiles, ImageFacts, container_body, expand_static, sub_path_plans,
    volume_plans,
};

use crate::support::{scratch::Scratch, world};

/// Nothing here takes a second; what was mended took minutes, or all the memory.
const LONG: Duration = Duration::from_secs(20);

fn reading(text: &str) -> Result<Reading, Vec<Problem>> {
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    let began = Instant::now();
    let reading = read(text.as_bytes(), &origin);
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    reading
}

/// A pod with one container that says `more` besides, and a volume.
fn pod(more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  volumes: [{{name: v, emptyDir: {{}}}}]\n  \
         containers:\n  - name: c\n    image: i:1\n    {more}\n"
    )
}

/// Variables of which each holds the one before it twice, the last one 2^40 times four bytes.
fn doubling() -> String {
    let mut env = "env:\n    - {name: V0, value: xxxx}\n".to_owned();
    for at in 1..=40 {
        let before = at - 1;
        let _ = writeln!(
            env,
            "    - {{name: V{at}, value: $(V{before})$(V{before})}}"
        );
    }
    env
}

/// What is said of the manifest's container, and of the parts of volumes that it mounts.
fn refused(text: &str) -> [Option<Problem>; 2] {
    let pod = reading(text).unwrap().pod;
    let input = ContainerInput {
        pod: &pod,
        container: &pod.pod.spec.as_ref().unwrap().containers[0],
        node: &world::node(),
        docker: &DockerFacts::default(),
        attempt: 0,
        sandbox: &world::id("abc"),
        pod_ips: &[],
        image: ImageFacts { id: "", user: "" },
        termination_log: None,
        hosts_file: None,
        seccomp: None,
        env_files: &EnvFiles::new(),
        disk_bytes: 0,
    };
    [container_body(&input).err(), sub_path_plans(&input).err()]
}

#[test]
fn variables_that_double_each_other_are_refused_by_name() {
    let [body, _] = refused(&pod(&doubling()));
    let problem = body.unwrap();
    // 4 MiB, and those before it as much again: there the 6 MiB are over.
    assert_eq!(problem.path, "spec.containers[0].env[20].value");
    assert!(problem.text.contains("6291456 bytes"), "{problem}");
    // One fewer is as much as a kubelet would try.
    let half = doubling()
        .replace("V20", "W")
        .split("    - {name: W")
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(refused(&pod(&half)), [None, None]);
}

#[test]
fn words_of_commands_and_mounts_are_bounded_like_variables() {
    let big = format!("env: [{{name: A, value: {}}}]\n", "x".repeat(100_000));
    let word = "$(A)".repeat(80);
    for (field, path) in [
        (format!("command: [a, '{word}']"), "command"),
        (format!("args: ['{word}']"), "args"),
    ] {
        let [body, _] = refused(&pod(&format!("{big}    {field}")));
        let wanted = format!("spec.containers[0].{path}");
        assert_eq!(body.unwrap().path, wanted);
    }
    let mounts = format!("volumeMounts: [{{name: v, mountPath: /v, subPathExpr: '{word}'}}]");
    let [_, parts] = refused(&pod(&format!("{big}    {mounts}")));
    let wanted = "spec.containers[0].volumeMounts[0].subPathExpr";
    assert_eq!(parts.unwrap().path, wanted);
}

#[test]
fn one_large_annotation_in_many_variables_is_refused() {
    let note = "n".repeat(200_000);
    let one = "{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['a']\"}}}";
    let many = |count: usize| {
        let env = format!("env: [{}]", vec![one; count].join(", "));
        pod(&env).replace(
            "{name: p}",
            &format!("{{name: p, annotations: {{a: {note}}}}}"),
        )
    };
    assert_eq!(refused(&many(31))[0], None);
    let path = refused(&many(32))[0].clone().unwrap().path;
    assert_eq!(path, "spec.containers[0].env[31].valueFrom");
}

#[test]
fn one_large_annotation_in_many_files_is_refused() {
    let note = "n".repeat(200_000);
    let problem = |count: usize| {
        let file =
            |at: usize| format!("{{path: f{at}, fieldRef: {{fieldPath: metadata.annotations}}}}");
        let files: Vec<String> = (0..count).map(file).collect();
        let text = pod("volumeMounts: [{name: v, mountPath: /v}]").replace(
            "{name: p}",
            &format!("{{name: p, annotations: {{a: {note}}}}}"),
        );
        let volume = format!("downwardAPI: {{items: [{}]}}", files.join(", "));
        let text = text.replace("emptyDir: {}", &volume);
        let pod = reading(&text).unwrap().pod;
        volume_plans(&pod, &world::node(), &DockerFacts::default(), 0).err()
    };
    assert_eq!(problem(20), None);
    let problem = problem(21).unwrap();
    assert_eq!(problem.path, "spec.volumes[0].downwardAPI.items[20]");
    assert!(problem.text.contains("4194304 bytes"), "{problem}");
}

#[test]
fn words_of_a_probe_are_bounded() {
    let text = pod(&format!(
        "env: [{{name: A, value: {}}}]",
        "x".repeat(100_000)
    ));
    let pod = reading(&text).unwrap().pod;
    let container = &pod.pod.spec.as_ref().unwrap().containers[0];
    let words = |count: usize| vec!["$(A)".to_owned(); count];
    assert_eq!(expand_static(container, &words(62)).unwrap().len(), 62);
    assert!(expand_static(container, &words(63)).is_err());
}

#[test]
fn openings_of_names_that_never_end_hold_nobody_up() {
    let began = Instant::now();
    let text = "$(".repeat(450_000);
    let text = pod(&format!(
        "env: [{{name: A, value: '{text}'}}, {{name: B, value: '$(A)'}}]"
    ));
    assert_eq!(refused(&text)[0], None);
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
}

#[test]
fn a_long_line_of_scalars_holds_nobody_up() {
    let words = |word: &str, count: usize| format!("args: [{}]", vec![word; count].join(","));
    assert!(reading(&pod(&words("a", 190_000))).is_ok());
    assert!(reading(&pod(&words("\"a\"", 190_000))).is_ok());
    assert!(reading(&pod(&words("!!str 1", 100_000))).is_ok());
    // What stands before the word is looked at anew for each of its aliases.
    let name = "n".repeat(500_000);
    let lists = format!(
        "args: &l [&{name} a]\n    x: [{}]",
        vec!["*l"; 20_000].join(",")
    );
    let problems = reading(&pod(&lists)).unwrap_err();
    assert_eq!(problems[0].path, "spec.containers[0].x");
}

#[test]
fn aliases_of_a_long_text_are_refused() {
    for letter in ["x", "1"] {
        let text = letter.repeat(400_000);
        let list = |count: usize| format!("args: [&a {text}, {}]", vec!["*a"; count].join(", "));
        let problem = &reading(&pod(&list(20))).unwrap_err()[0];
        let said = "more than 4194304 bytes in all texts";
        assert!(problem.text.contains(said), "{problem}");
    }
    let few = format!("args: [&a {}, *a, *a]", "x".repeat(400_000));
    assert!(reading(&pod(&few)).is_ok());
}

#[test]
fn unknown_fields_of_a_configuration_are_told_in_part() {
    let dir = Scratch::new();
    let mut text =
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n".to_owned();
    for at in 0..60_000 {
        let _ = writeln!(text, "field{at}: 1");
    }
    dir.put("kubelet.yaml", &text);
    let line = format!(
        "--hostname-override=n --config={}/kubelet.yaml",
        dir.path().display()
    );
    let Ok(Command::Run(flags)) = parse(line.split_whitespace().map(Into::into)) else {
        panic!("{line}");
    };
    let began = Instant::now();
    let problems = settings(&flags, None).unwrap_err();
    assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    assert_eq!(problems.len(), 101);
    assert!(
        problems[0].contains("kubelet.yaml:3: field0: unknown field"),
        "{}",
        problems[0]
    );
    assert!(
        problems[100].ends_with("59900 more problems are not told"),
        "{}",
        problems[100]
    );
}
