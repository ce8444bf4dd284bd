//! What `--help` prints.

use super::flags::{HONOURED, HONOURED_BOOL};

const HEAD: &str = "\
staticlet runs Kubernetes static pods on Docker Engine, without a kubelet.

  staticlet --pod-manifest-path=/etc/kubelet.d     run the pods of that directory, for ever
  staticlet --config=FILE                          the same, told by a KubeletConfiguration
  staticlet config [-o text|json] [FLAG...]        the settings that these flags make, and where each was said
  staticlet status [-o table|json] [--run-dir DIR] show them; exit code 0: all are well
  staticlet check [-o text|json] PATH...           what is wrong with manifests, by file, line and field;
                                                   needs neither Docker nor root; - is standard input
  staticlet fields [PREFIX]                        every field of a Pod, and what becomes of it here

Try it:
  mkdir -p /etc/kubelet.d
  staticlet --pod-manifest-path=/etc/kubelet.d &
  cp pod.yaml /etc/kubelet.d/      a v1 Pod, as `kubectl apply` takes it: it starts
  staticlet status                 what runs, and why something does not
  rm /etc/kubelet.d/pod.yaml       it stops

Only names that end in .yaml, .yml or .json are manifests. Stopping the agent leaves the pods alone.

Flags:
";

const TAIL: &str = "\
Other flags of a kubelet are accepted with a warning where they mean nothing here.

Exit codes: 0 fine; 1 status: something is not well, check: a problem, fields: no such field; 100 wrong use or settings; 111 the system failed, try again.
";

/// The whole text.
pub fn help() -> String {
    let mut text = HEAD.to_owned();
    let mut line = |flag: String, what: &str| text.push_str(&format!("  {flag:<38} {what}\n"));
    for (name, value, what) in HONOURED {
        line(format!("--{name}={value}"), what);
    }
    for (name, what) in HONOURED_BOOL {
        line(format!("--{name}"), what);
    }
    line("-v N, --v=N".to_owned(), "log more: 4 debug, 6 trace");
    line("--version".to_owned(), "print the version");
    text.push('\n');
    text.push_str(TAIL);
    text
}
