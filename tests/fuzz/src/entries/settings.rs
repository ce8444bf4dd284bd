//! Files of settings: what may stand in a kubeconfig, and in a KubeletConfiguration with a drop-in.

use std::sync::LazyLock;

use staticlet::apiserver;
use staticlet::cli::{Command, RunFlags, parse};
use staticlet::config::settings;
use staticlet::sys::Kind;

use super::{is_short, parts, scratch};

/// A kubeconfig, and what its plugin says.
pub(super) fn kubeconfig(data: &[u8]) {
    let [text, answer] = parts(data);
    // Files that it may name would be those of the machine.
    if String::from_utf8_lossy(text).contains("..") {
        return;
    }
    let path = scratch().join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    match apiserver::read(&path) {
        Ok(access) => {
            assert!(access.server.starts_with("http"), "{}", access.server);
            assert!(!access.server.ends_with('/'), "{}", access.server);
            let is_line = |text: &str| !text.contains(['\r', '\n']);
            assert!(access.authorization.iter().all(|shown| is_line(&shown.0)));
            assert!(access.acting_as.iter().all(|(_, value)| is_line(value)));
            if let Some(plugin) = &access.plugin {
                match plugin.read(answer) {
                    Ok(credential) => {
                        let text = serde_json::to_string(&credential).unwrap();
                        assert_eq!(credential, serde_json::from_str(&text).unwrap());
                    }
                    Err(error) => is_short(&error),
                }
            }
            drop(apiserver::Api::new(access));
        }
        Err(error) => {
            assert_ne!(error.kind(), Kind::Unavailable, "{error}");
            is_short(&error);
        }
    }
}

static FLAGS: LazyLock<RunFlags> = LazyLock::new(|| {
    let dir = scratch();
    let dir = dir.display();
    let line =
        format!("--hostname-override=n --config={dir}/kubelet.yaml --config-dir={dir}/conf.d");
    match parse(line.split_whitespace().map(Into::into)) {
        Ok(Command::Run(flags)) => flags,
        other => panic!("{line}: {other:?}"),
    }
});

/// A configuration, and a drop-in over it.
pub(super) fn configuration(data: &[u8]) {
    let [config, dropin] = parts(data);
    let dir = scratch();
    std::fs::create_dir_all(dir.join("conf.d")).unwrap();
    std::fs::write(dir.join("kubelet.yaml"), config).unwrap();
    std::fs::write(dir.join("conf.d/1.conf"), dropin).unwrap();
    match settings(&FLAGS, None) {
        Ok(once) => {
            // The same files give the same settings.
            let again = settings(&FLAGS, None).expect("it was fine a moment ago");
            assert_eq!(once.effective.len(), again.effective.len());
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            assert!(problems.len() < 300, "{} problems", problems.len());
        }
    }
}
