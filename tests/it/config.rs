//! Settings from files, drop-ins and flags: who wins, and what is said of what is wrong.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use staticlet::cli::{Command, RunFlags, help, parse};
use staticlet::config::{Effective, Settings, Whence, settings};
use staticlet::decide::ReclaimLimits;

use crate::support::scratch::Scratch;

const HEAD: &str = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";

fn flags(line: &str) -> RunFlags {
    match parse(line.split_whitespace().map(Into::into)) {
        Ok(Command::Run(flags)) => flags,
        other => panic!("{line}: {other:?}"),
    }
}

/// A directory with `kubelet.yaml` and `conf.d`.
struct Files(Scratch);

impl Files {
    fn new(config: &str, dropins: &[(&str, &str)]) -> Files {
        let dir = Scratch::new();
        std::fs::create_dir(dir.path().join("conf.d")).unwrap();
        dir.put("kubelet.yaml", &format!("{HEAD}{config}"));
        for (name, text) in dropins {
            dir.put(&format!("conf.d/{name}"), text);
        }
        Files(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn set(&self, more: &str) -> Result<Settings, Vec<String>> {
        let dir = self.0.path().display();
        let line = format!(
            "--hostname-override=n --config={dir}/kubelet.yaml --config-dir={dir}/conf.d {more}"
        );
        settings(&flags(&line), None)
    }
}

fn one<'a>(settings: &'a Settings, name: &str) -> &'a Effective {
    let mut all = settings.effective.iter();
    all.find(|one| one.name() == name).unwrap()
}

#[test]
fn every_flag_and_no_other_is_a_setting() {
    let set = settings(&flags("--hostname-override=n"), None).unwrap();
    let shown: BTreeSet<&str> = set.effective.iter().map(|one| one.flag).collect();
    let text = help(None);
    let told = text.lines().filter_map(|line| line.strip_prefix("  --"));
    let told = told.map(|line| line.split(['=', ' ']).next().unwrap());
    let told: BTreeSet<&str> = told
        .filter(|flag| *flag != "version")
        .chain(["v", ""])
        .collect();
    assert_eq!(shown, told);
    let names: BTreeSet<String> = set.effective.iter().map(Effective::name).collect();
    assert_eq!(names.len(), set.effective.len(), "each once");
    // The clock of a default is that of the kubelet.
    assert_eq!(set.file_check, Duration::from_secs(20));
    assert_eq!(set.node.root_dir, "/var/lib/staticlet");
    assert_eq!(set.node.run_dir, staticlet::cli::RUN_DIR);
    assert_eq!(set.node.docker_socket, "/var/run/docker.sock");
    assert_eq!(set.node.log_bytes_max, 10 << 20);
    assert_eq!(set.node.crash_wait_max_seconds, 300);
    assert_eq!(set.doors.len(), 1);
}

#[test]
fn limits_for_images_are_the_kubelets_and_have_to_fit_each_other() {
    let limits = |line: &str| {
        let set = settings(&flags(&format!("--hostname-override=n {line}")), None);
        set.map(|set| {
            let ReclaimLimits {
                high_percent,
                low_percent,
                age_min,
                age_max,
            } = set.reclaim;
            (
                high_percent,
                low_percent,
                age_min.as_secs(),
                age_max.as_secs(),
            )
        })
    };
    assert_eq!(limits(""), Ok((85, 80, 120, 0)));
    assert_eq!(
        limits(
            "--image-gc-high-threshold=100 --image-gc-low-threshold 9 --minimum-image-ttl-duration=1h"
        ),
        Ok((100, 9, 3600, 0))
    );
    assert_eq!(limits("--minimum-image-ttl-duration=0").unwrap().2, 120);
    for (line, words) in [
        (
            "--image-gc-low-threshold=85",
            "must be less than --image-gc-high-threshold=85",
        ),
        (
            "--image-gc-high-threshold=101",
            "must be a number from 0 to 100",
        ),
        (
            "--image-gc-high-threshold=-1",
            "must be a number from 0 to 100",
        ),
        ("--minimum-image-ttl-duration=soon", "is no time"),
    ] {
        let said = limits(line).unwrap_err();
        assert!(
            said.len() == 1 && said[0].contains(words),
            "{line}: {said:?}"
        );
    }
    let files = Files::new(
        "imageGCHighThresholdPercent: 70\nimageGCLowThresholdPercent: 60\nimageMinimumGCAge: 3m\nimageMaximumGCAge: 168h\n",
        &[],
    );
    let set = files.set("").unwrap().reclaim;
    assert_eq!((set.high_percent, set.low_percent), (70, 60));
    assert_eq!(set.age_max, Duration::from_secs(7 * 24 * 3600));
    let files = Files::new("imageMaximumGCAge: 2m\n", &[]);
    let said = files.set("").unwrap_err();
    assert!(
        said[0].contains("imageMaximumGCAge: must be more than"),
        "{said:?}"
    );
}

#[test]
fn drop_ins_win_in_the_order_of_their_names_and_flags_over_them() {
    let last = format!("{HEAD}containerLogMaxFiles: 9\n");
    let files = Files::new(
        "staticPodPath: m\nfileCheckFrequency: 1m\ncontainerLogMaxFiles: 3\nclusterDNS: [10.0.0.1, 10.0.0.2]\n\
         logging: {verbosity: 4}\ncrashLoopBackOff: {maxContainerRestartPeriod: 60s}\n",
        &[
            ("90-last.conf", &last),
            (
                "10-first.conf",
                &format!("{HEAD}containerLogMaxFiles: 7\nclusterDNS: [10.0.0.3]\n"),
            ),
            (
                "20-dir/a.conf",
                &format!("{HEAD}staticPodPath: beside\nlogging: null\n"),
            ),
            (
                "15-json.conf",
                "{\"apiVersion\": \"kubelet.config.k8s.io/v1beta1\", \
                \"kind\": \"KubeletConfiguration\", \"fileCheckFrequency\": null, \"registerNode\": false, \
                \"registerWithTaints\": [{\"key\": \"a\", \"effect\": \"NoSchedule\"}]}",
            ),
            ("30-not.yaml", "not: read"),
        ],
    );
    let set = files.set("--kubeconfig=/k").unwrap();
    assert_eq!(set.node.log_files_max, 9);
    // A list takes the place of the one before.
    assert_eq!(set.node.cluster_dns, ["10.0.0.3"]);
    assert_eq!(set.file_check, Duration::from_secs(20));
    assert_eq!(set.verbosity, 0);
    assert_eq!(set.node.crash_wait_max_seconds, 60);
    assert_eq!(set.manifest_path, Some(files.path("conf.d/20-dir/beside")));
    assert_eq!(set.api.as_ref().unwrap().register, None);
    let from = |name: &str| one(&set, name).whence.clone();
    let dropin = |name: &str| Whence::Files(vec![files.path("conf.d").join(name)]);
    assert_eq!(from("--container-log-max-files"), dropin("90-last.conf"));
    assert_eq!(from("--cluster-dns"), dropin("10-first.conf"));
    assert_eq!(from("--register-with-taints"), dropin("15-json.conf"));
    assert_eq!(one(&set, "--register-with-taints").value, "a=:NoSchedule");
    assert_eq!(from("--file-check-frequency"), Whence::Default);
    assert_eq!(
        from("crashLoopBackOff.maxContainerRestartPeriod"),
        Whence::Files(vec![files.path("kubelet.yaml")])
    );
    let set = files.set("--container-log-max-files=4 -v 2").unwrap();
    assert_eq!(set.node.log_files_max, 4);
    assert_eq!(one(&set, "--container-log-max-files").whence, Whence::Flag);
    assert_eq!(set.verbosity, 2);
}

#[test]
fn maps_of_drop_ins_are_merged_and_no_secret_is_shown() {
    let files = Files::new(
        "staticPodURL: http://me:key@h/p?token=x\nstaticPodURLHeader: {A: [one, two], B: [three], C: [x]}\n",
        &[(
            "1.conf",
            &format!("{HEAD}staticPodURLHeader: {{B: [four], C: null, D: [five]}}\n"),
        )],
    );
    let set = files.set("").unwrap();
    let url = set.manifest_url.as_ref().unwrap();
    let headers: Vec<String> = url
        .headers
        .iter()
        .map(|(k, v)| format!("{k}:{v}"))
        .collect();
    assert_eq!(headers, ["A:one", "A:two", "B:four", "D:five"]);
    let shown = one(&set, "--manifest-url-header");
    assert_eq!(shown.value, "A:...,A:...,B:...,D:...");
    let both = vec![files.path("kubelet.yaml"), files.path("conf.d/1.conf")];
    assert_eq!(shown.whence, Whence::Files(both));
    assert_eq!(one(&set, "--manifest-url").value, "http://h/p?...");
    // A changed secret is a change all the same.
    let other = Files::new("staticPodURL: http://me:key@h/p?token=y\n", &[])
        .set("")
        .unwrap();
    let names: Vec<String> = set.differences(&other).map(|(old, _)| old.name()).collect();
    assert!(names.contains(&"--manifest-url".to_owned()), "{names:?}");
}

#[test]
fn everything_wrong_in_all_files_is_told_at_once_by_file_line_and_field() {
    let files = Files::new(
        "fileCheckFrequency: 5\ncontainerLogMaxFiles: 1\nstaticPodPth: /a\ncrashLoopBackOff: {max: 1s}\nfailSwapOn: false\n",
        &[
            ("1.conf", "readOnlyPort: 0\n"),
            (
                "2.conf",
                &format!("{HEAD}clusterDNS: 10.0.0.1\nseccompDefault: true\nhealthzPort: 99999\n"),
            ),
            ("3.conf", ""),
            ("4.conf", "a: [\n"),
        ],
    );
    let said = files.set("").unwrap_err();
    let dir = files.0.path().display().to_string();
    let said: Vec<String> = said.iter().map(|text| text.replace(&dir, "DIR")).collect();
    let wanted = [
        "DIR/kubelet.yaml:3: fileCheckFrequency: must be a string",
        "DIR/kubelet.yaml:5: staticPodPth: unknown field; did you mean staticPodPath?",
        "DIR/kubelet.yaml:6: crashLoopBackOff.max: unknown field",
        "DIR/conf.d/1.conf:1: apiVersion: is missing; write apiVersion: kubelet.config.k8s.io/v1beta1",
        "DIR/conf.d/1.conf:1: kind: is missing; write kind: KubeletConfiguration",
        "DIR/conf.d/2.conf:3: clusterDNS: must be a list of strings",
        "DIR/conf.d/2.conf:4: seccompDefault: is not in this version yet; take it out",
        "--config-dir: DIR/conf.d/3.conf: is empty; it should be a KubeletConfiguration",
        "DIR/kubelet.yaml:4: containerLogMaxFiles=1: must be a number, at least 2",
        "DIR/conf.d/2.conf:5: healthzPort=99999: must be a port, or 0",
    ];
    for line in wanted {
        assert!(said.contains(&line.to_owned()), "{line}\nnot in {said:#?}");
    }
    let broken = said.iter().find(|text| text.contains("4.conf")).unwrap();
    assert!(
        broken.starts_with("--config-dir: DIR/conf.d/4.conf:"),
        "{broken}"
    );
    assert_eq!(said.len(), wanted.len() + 1, "{said:#?}");
}

#[test]
fn a_drop_in_directory_that_is_not_there_is_an_error_and_one_alone_is_enough() {
    let said = settings(
        &flags("--hostname-override=n --config-dir=/nosuch/conf.d"),
        None,
    )
    .unwrap_err();
    assert_eq!(
        said,
        [
            "--config-dir=/nosuch/conf.d: read directory /nosuch/conf.d: No such file or directory (os error 2)"
        ]
    );
    let files = Files::new(
        "",
        &[("1.conf", &format!("{HEAD}staticPodPath: /m\nmaxPods: 3\n"))],
    );
    let line = format!(
        "--hostname-override=n --config-dir={}",
        files.path("conf.d").display()
    );
    let set = settings(&flags(&line), None).unwrap();
    assert_eq!(set.manifest_path, Some(PathBuf::from("/m")));
    let file = files.path("conf.d/1.conf");
    assert_eq!(
        set.warnings,
        [format!(
            "maxPods in {} has no effect in staticlet",
            file.display()
        )]
    );
}

#[test]
fn the_command_prints_each_setting_with_its_source() {
    let files = Files::new(
        "staticPodPath: /m\nmaxPods: 3\n",
        &[("1.conf", &format!("{HEAD}containerLogMaxFiles: 7\n"))],
    );
    let line = "config --config=kubelet.yaml --config-dir=conf.d --file-check-frequency=5s --hostname-override=N1";
    let (text, said, code) = files.0.typed(line);
    assert_eq!((said.as_str(), code), ("", 0));
    let row = |name: &str| {
        let mut rows = text.lines();
        let row = rows
            .find(|row| row.starts_with(&format!("{name} ")))
            .unwrap();
        row.split_whitespace()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let file = |name: &str| files.path(name).display().to_string();
    assert_eq!(
        row("--pod-manifest-path"),
        ["/m".to_owned(), file("kubelet.yaml")]
    );
    assert_eq!(
        row("--container-log-max-files"),
        ["7".to_owned(), file("conf.d/1.conf")]
    );
    assert_eq!(row("--file-check-frequency"), ["5s", "flag"]);
    assert_eq!(row("--hostname-override"), ["n1", "flag"]);
    assert_eq!(row("--root-dir"), ["/var/lib/staticlet", "default"]);
    assert_eq!(row("--manifest-url"), ["-", "default"]);
    assert!(text.ends_with(&format!(
        "\nwarning: maxPods in {} has no effect in staticlet\n",
        file("kubelet.yaml")
    )));

    let (text, _, code) = files.0.typed(&format!("{line} -o json"));
    assert_eq!(code, 0);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let settings = value["settings"].as_array().unwrap();
    let one = settings
        .iter()
        .find(|one| one["flag"] == "container-log-max-files")
        .unwrap();
    let wanted = serde_json::json!({"flag": "container-log-max-files", "field": "containerLogMaxFiles", "value": "7",
        "from": "file", "files": [file("conf.d/1.conf")], "changeNeeds": "reload, new containers"});
    assert_eq!(*one, wanted);

    let (text, said, code) = files.0.typed("config --config=nosuch -v 11");
    assert_eq!((text.as_str(), code), ("", 100));
    assert!(
        said.contains("nosuch: No such file")
            && said.contains("-v=11: must be a level from 0 to 10"),
        "{said}"
    );
}

#[test]
fn a_reload_is_a_start_with_the_old_settings_where_a_restart_is_needed() {
    // Each flag with two values.
    let pairs: Vec<(&str, [&str; 2])> = vec![
        ("pod-manifest-path", ["/a", "/b"]),
        ("file-check-frequency", ["5s", "6s"]),
        ("allow-unknown-fields", ["true", "false"]),
        ("allow-untrusted-manifests", ["true", "false"]),
        ("manifest-url", ["http://a/", "http://b/"]),
        ("manifest-url-header", ["A:1", "A:2"]),
        ("manifest-url-ca-file", ["/a", "/b"]),
        ("manifest-url-client-cert", ["/a", "/b"]),
        ("manifest-url-client-key", ["/a", "/b"]),
        ("manifest-url-sha256", ["", &*"0".repeat(64).leak()]),
        (
            "manifest-url-public-key",
            ["", "tests/fixtures/minisign/owner.pub"],
        ),
        ("http-check-frequency", ["5s", "6s"]),
        ("image-preload-dir", ["/a", "/b"]),
        ("image-gc-high-threshold", ["90", "91"]),
        ("image-gc-low-threshold", ["70", "71"]),
        ("minimum-image-ttl-duration", ["1m", "3m"]),
        ("hostname-override", ["a", "b"]),
        ("node-ip", ["10.0.0.1", "10.0.0.2"]),
        ("root-dir", ["/a", "/b"]),
        ("run-dir", ["/a", "/b"]),
        ("container-runtime-endpoint", ["unix:///a", "unix:///b"]),
        ("pod-infra-container-image", ["a", "b"]),
        ("cluster-dns", ["10.0.0.1", "10.0.0.2"]),
        ("cluster-domain", ["a", "b"]),
        ("resolv-conf", ["/a", "/b"]),
        ("container-log-max-size", ["1Mi", "2Mi"]),
        ("container-log-max-files", ["2", "3"]),
        ("pod-max-pids", ["10", "20"]),
        ("healthz-port", ["1", "2"]),
        ("healthz-bind-address", ["10.0.0.1", "10.0.0.2"]),
        ("read-only-port", ["3", "4"]),
        ("address", ["10.0.0.1", "10.0.0.2"]),
        ("kubeconfig", ["/a", "/b"]),
        ("register-node", ["true", "false"]),
        ("node-labels", ["a=b", "a=c"]),
        ("node-status-update-frequency", ["5s", "6s"]),
        ("register-with-taints", ["a=b:NoSchedule", "a=c:NoSchedule"]),
        ("v", ["1", "2"]),
    ];
    let set = |choose: &dyn Fn(&str) -> usize| {
        let line = pairs
            .iter()
            .map(|(flag, values)| format!("--{flag}={} ", values[choose(flag)]));
        settings(&flags(&line.collect::<String>()), None).unwrap()
    };
    let (old, new) = (set(&|_| 0), set(&|_| 1));
    let tested: BTreeSet<&str> = pairs.iter().map(|(flag, _)| *flag).collect();
    let all = old.effective.iter().map(|one| one.flag);
    let missed: Vec<&str> = all.filter(|flag| !tested.contains(flag)).collect();
    assert_eq!(
        missed,
        ["config", "config-dir", "", "", "", "", ""],
        "given by file only, or not to be changed"
    );
    assert_eq!(old.differences(&new).count(), pairs.len());
    let restart: BTreeSet<&str> = old
        .effective
        .iter()
        .filter(|one| one.needs_restart())
        .map(|one| one.flag)
        .collect();
    assert!(restart.contains("root-dir") && !restart.contains("manifest-url"));
    let mixed = set(&|flag| usize::from(!restart.contains(flag)));
    assert_eq!(old.reloaded(new), mixed);
}
