//! What a service manager hears of a real agent: ready, its status, and a loop that turns.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

type Heard = [(Instant, String)];

#[test]
fn a_service_manager_hears_of_the_agent() {
    let base = format!("notify-{}", std::process::id());
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(base);
    std::fs::create_dir_all(base.join("m")).unwrap();
    let dir = base.display();
    let config = base.join("config.yaml");
    let text = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nclusterDomain: a\npodLogsDir: /a\nstaticPodPath: /a\n";
    std::fs::write(&config, text).unwrap();
    let socket = UnixDatagram::bind(base.join("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_staticlet"))
        .args([
            format!("--pod-manifest-path={dir}/m"),
            format!("--config={dir}/config.yaml"),
        ])
        .args([
            format!("--root-dir={dir}/root"),
            format!("--run-dir={dir}/run"),
        ])
        .arg(format!(
            "--container-runtime-endpoint=unix://{dir}/none.sock"
        ))
        .args(["--hostname-override=n1", "--healthz-port=0"])
        .env("NOTIFY_SOCKET", base.join("notify"))
        .env("WATCHDOG_USEC", "1000000")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut heard: Vec<(Instant, String)> = Vec::new();
    let mut until = |what: &str, is_so: &dyn Fn(&Heard) -> bool| {
        let end = Instant::now() + Duration::from_secs(20);
        while !is_so(&heard) {
            assert!(Instant::now() < end, "never: {what}: {heard:?}");
            let mut bytes = [0; 4096];
            let count = socket.recv(&mut bytes).unwrap();
            let text = String::from_utf8(bytes[..count].to_vec()).unwrap();
            heard.push((Instant::now(), text));
        }
    };
    let count = |heard: &Heard, word: &str| {
        heard
            .iter()
            .filter(|(_, text)| text.starts_with(word))
            .count()
    };
    until("ready", &|heard| count(heard, "READY=1") == 1);
    until("status", &|heard| {
        count(heard, "STATUS=0 pods wanted, 0 running; dockerd: ") > 0
    });
    until("watchdog", &|heard| count(heard, "WATCHDOG=1") > 5);

    let changed = text.replace(": a", ": b").replace(": /a", ": /b") + "logging: {verbosity: 4}\n";
    std::fs::write(&config, changed).unwrap();
    let kill = |signal: &str| {
        let pid = agent.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    kill("-HUP");
    until("reloading", &|heard| {
        count(heard, "RELOADING=1\nMONOTONIC_USEC=") == 1
    });
    until("ready again", &|heard| count(heard, "READY=1") == 2);
    std::fs::write(&config, "nonsense: 1\n").unwrap();
    kill("-HUP");
    until("ready once more", &|heard| count(heard, "READY=1") == 3);
    kill("-TERM");
    until("stopping", &|heard| count(heard, "STOPPING=1") == 1);
    assert!(agent.wait().unwrap().success());
    let log = agent.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&log.stderr);
    assert_eq!(
        log.matches("changed setting needs a restart").count(),
        1,
        "{log}"
    );
    assert!(
        log.contains("needs a restart why=\"podLogsDir: /b instead of /a\""),
        "{log}"
    );
    for taken in [
        "--cluster-domain: b instead of a, for containers that are made from now on",
        "-v: 4 instead of 0",
    ] {
        let line = format!("changed setting taken up why={taken:?}");
        assert_eq!(log.matches(&line).count(), 1, "{taken}: {log}");
    }
    assert!(
        log.contains("DEBUG setting why=\"--cluster-domain=b ("),
        "{log}"
    );
    assert!(log.contains("nonsense: unknown field"), "{log}");
    let feeds = heard
        .iter()
        .filter(|(_, text)| text.starts_with("WATCHDOG"));
    let feeds: Vec<Instant> = feeds.map(|(at, _)| *at).collect();
    let gap = feeds.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    assert!(
        gap < Duration::from_secs(1),
        "the watchdog would have bitten: {gap:?}"
    );
    let _ = std::fs::remove_dir_all(&base);
}
