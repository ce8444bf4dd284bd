//! What may be typed, and what is said to what may not.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use staticlet::cli::{Command, RunFlags, parse};
use staticlet::config::{Settings, settings};

fn typed(line: &str) -> Result<Command, Vec<String>> {
    parse(line.split_whitespace().map(OsString::from))
}

fn flags(line: &str) -> RunFlags {
    match typed(line) {
        Ok(Command::Run(flags)) => flags,
        other => panic!("{line}: {other:?}"),
    }
}

fn set(line: &str) -> Result<Settings, Vec<String>> {
    settings(&flags(line), None)
}

#[test]
fn flags_are_typed_as_for_a_kubelet() {
    let long = flags("--pod-manifest-path /a --cluster-dns=10.0.0.1 --cluster_dns 10.0.0.2 -v 4");
    assert_eq!(long.values["pod-manifest-path"], "/a");
    assert_eq!(long.values["cluster-dns"], "10.0.0.1,10.0.0.2");
    assert_eq!(long.values["v"], "4");
    assert_eq!(flags("--v=6").values["v"], "6");
}

#[test]
fn a_flag_without_effect_is_one_warning() {
    let flags = flags("--fail-swap-on=false --cgroup-driver systemd");
    let said = [
        "--fail-swap-on has no effect in staticlet",
        "--cgroup-driver has no effect in staticlet",
    ];
    assert_eq!(flags.warnings, said);
}

#[test]
fn wrong_use_says_what_to_do() {
    let rows = [
        (
            "--pod-manifst-path=/a",
            "unknown flag --pod-manifst-path; did you mean --pod-manifest-path?",
        ),
        (
            "--seccomp-default",
            "--seccomp-default=true is not in this version yet; leave the flag away",
        ),
        ("--config", "--config needs a value"),
        (
            "--fail-swap-on=no",
            "--fail-swap-on=no is neither true nor false",
        ),
        (
            "status -o yaml",
            "status: -o yaml is none of table, wide, json, name",
        ),
    ];
    for (line, said) in rows {
        assert_eq!(typed(line), Err(vec![said.to_owned()]), "{line}");
    }
    assert!(typed("--read-only-port=0 --seccomp-default=false").is_ok());
    assert_eq!(typed("job"), Ok(Command::Job));
}

#[test]
fn values_are_checked_together() {
    let line = "--hostname-override=a_b --root-dir=x --cluster-dns=me --file-check-frequency=5 \
        --container-log-max-files=1 --container-runtime-endpoint=unix:///run/containerd/containerd.sock";
    assert_eq!(set(line).unwrap_err().len(), 6);
}

#[test]
fn the_file_is_beaten_by_flags_and_holds_relative_paths() {
    let dir = std::env::temp_dir().join(format!("staticlet-cli-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("kubelet.yaml");
    let text = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: m\n\
        fileCheckFrequency: 1m30s\ncontainerLogMaxFiles: 3\npodPidsLimit: 100\nclusterDNS: [10.0.0.10]\ncgroupDriver: systemd\n\
        crashLoopBackOff: {maxContainerRestartPeriod: 60s}\n";
    std::fs::write(&file, text).unwrap();
    let line = format!("--config={} --hostname-override=My-Node1", file.display());
    let told = set(&line).unwrap();
    assert_eq!(told.manifest_path, Some(dir.join("m")));
    assert_eq!(told.file_check, Duration::from_secs(90));
    assert_eq!(told.node.name, "my-node1");
    assert_eq!(told.node.log_files_max, 3);
    assert_eq!(told.node.pod_pids_max, Some(100));
    assert_eq!(told.node.crash_wait_max_seconds, 60);
    assert_eq!(told.node.cluster_dns, ["10.0.0.10"]);
    assert_eq!(told.warnings.len(), 1);
    let told = set(&format!(
        "{line} --pod-manifest-path=/b --file-check-frequency=5s"
    ))
    .unwrap();
    assert_eq!(told.manifest_path, Some(PathBuf::from("/b")));
    assert_eq!(told.file_check, Duration::from_secs(5));
    std::fs::write(&file, text.replace("staticPodPath", "staticPodPth")).unwrap();
    let said = set(&line).unwrap_err().concat();
    assert!(
        said.ends_with("kubelet.yaml:3: staticPodPth: unknown field; did you mean staticPodPath?"),
        "{said}"
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
