//! `staticlet check` and `staticlet fields`, as they are typed.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A directory of its own, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir =
            std::env::temp_dir().join(format!("staticlet-check-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a call printed, and its exit code; run in `dir`, with `input`.
fn typed(dir: &Dir, line: &str, input: &str) -> (String, i32) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_staticlet"))
        .args(line.split_whitespace())
        .current_dir(&dir.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    (text, output.status.code().unwrap())
}

const GOOD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: c, image: nginx}\n";

#[test]
fn a_directory_is_read_as_the_agent_reads_it() {
    let dir = Dir::new("directory");
    dir.put("a.yaml", GOOD);
    dir.put("a.yaml.bak", GOOD);
    dir.put(".hidden.yaml", "nonsense");
    fs::create_dir(dir.0.join("sub")).unwrap();
    let (text, code) = typed(&dir, "check --hostname-override=Node1 .", "");
    let wanted = "./a.yaml: ok: pod default/web-node1\n\
        ./a.yaml.bak: ignored: only names that end in .yaml, .yml or .json (lower case) are manifests\n\
        ./sub: ignored: sub-directories are not read\n";
    assert_eq!((text.as_str(), code), (wanted, 0));
    let (text, code) = typed(
        &dir,
        "check --hostname-override=n a.yaml.bak a.yaml.bak",
        "",
    );
    assert_eq!(
        (text.as_str(), code),
        ("a.yaml.bak: ok: pod default/web-n\n", 0)
    );
    let (text, code) = typed(&dir, "check sub", "");
    assert_eq!((text.as_str(), code), ("no manifests\n", 0));
}

#[test]
fn every_problem_is_told_in_one_go() {
    let dir = Dir::new("problems");
    dir.put(
        "bad.yaml",
        &GOOD.replace("{name: c, image: nginx}", "{name: C, imagee: \"a\\e[1mb\"}"),
    );
    dir.put("list.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
    dir.put("good.yaml", GOOD);
    let (text, code) = typed(
        &dir,
        "check bad.yaml list.yaml good.yaml gone.yaml -",
        &format!("{GOOD}---\n{GOOD}"),
    );
    assert_eq!(code, 1, "{text}");
    for wanted in [
        "imagee: unknown field; did you mean image?\n",
        "spec.containers[0].name: Invalid value: \"C\"",
        "spec.containers[0].image: Required value\n",
        "kind: this is a v1 List; only a v1 Pod runs here, one in a file\n",
        "good.yaml: ok: pod default/web-",
        "gone.yaml: No such file or directory",
        "-:7: a second document begins here; one file holds one pod: split the file\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    let (text, code) = typed(
        &dir,
        "check --allow-unknown-fields -",
        &format!("{GOOD}extra: 1\n"),
    );
    assert!(text.contains("warning: extra: unknown field\n"), "{text}");
    assert_eq!(code, 0, "{text}");
}

#[test]
fn two_files_of_one_pod_are_a_problem() {
    let dir = Dir::new("conflict");
    dir.put("a.yaml", GOOD);
    dir.put("b.yml", &GOOD.replace("nginx", "httpd"));
    let (text, code) = typed(&dir, "check -o json --hostname-override=n .", "");
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 1, "{text}");
    assert_eq!(all["manifests"][0]["problems"], serde_json::json!([]));
    assert_eq!(
        all["manifests"][1]["problems"][0]["text"],
        "pod default/web-n is defined by ./a.yaml as well, and that one is followed"
    );
    assert_eq!(all["manifests"][1]["pod"], "default/web-n");
}

#[test]
fn wrong_use_of_check_and_fields_is_100() {
    let dir = Dir::new("misuse");
    for (line, wanted) in [
        ("check", "check: no path given"),
        ("check -o yaml x", "check: -o yaml is neither text nor json"),
        ("check --frob x", "--frob"),
        ("check --hostname-override=a_b x", "is no node name"),
        ("fields a b", "it takes one PREFIX"),
    ] {
        let (text, code) = typed(&dir, line, "");
        assert!(text.contains(wanted), "{line}: {text}");
        assert_eq!(code, 100, "{line}");
    }
}

#[test]
fn fields_are_looked_up_by_the_beginning_of_their_path() {
    let dir = Dir::new("fields");
    let (text, code) = typed(&dir, "fields", "");
    assert_eq!(code, 0);
    for state in ["honoured", "carried", "refused", "dropped"] {
        assert!(text.contains(&format!("  {state}")), "{state}");
    }
    assert!(text.lines().count() > 806);
    let (text, _) = typed(&dir, "fields spec.containers[0].env[3].value", "");
    assert!(
        text.contains("spec.containers[].env[].valueFrom.fieldRef.fieldPath"),
        "{text}"
    );
    let (text, code) = typed(&dir, "fields spec.contaners.name", "");
    assert!(
        text.contains("did you mean spec.containers.name?"),
        "{text}"
    );
    assert_eq!(code, 1);
}

#[test]
fn the_manifests_of_kubeadm_are_fine() {
    let dir = Dir::new("kubeadm");
    let manifests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/kubeadm");
    let (text, code) = typed(
        &dir,
        &format!("check --hostname-override=n {manifests}"),
        "",
    );
    assert_eq!(code, 0, "{text}");
    for name in [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ] {
        let wanted = format!("{name}.yaml: ok: pod kube-system/{name}-n\n");
        assert!(text.contains(&wanted), "{text}");
    }
}
