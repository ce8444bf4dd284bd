//! Hooks and the stop signal in a manifest: their defaults, and what may stand in them.
//!
//! Source: kubernetes `core/v1/defaults.go` SetDefaults_HTTPGetAction, `core/validation` validateLifecycle.

use serde_json::{Value, json};

use super::Problem;
use super::probes::handler;
use super::rules::{Out, text};

const HOOKS: [&str; 2] = ["postStart", "preStop"];

/// What can be sent to a Linux process (core/v1 `Signal`), but for the real-time signals.
const SIGNALS: &str = "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT \
                       STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX";

/// Hands every default of the hooks of a container to `visit`.
pub(super) fn defaults(container: &mut Value, visit: &mut dyn FnMut(&mut Value, &str, Value)) {
    for hook in HOOKS {
        let get = container.pointer_mut(&format!("/lifecycle/{hook}/httpGet"));
        if let Some(get) = get.filter(|get| get.is_object()) {
            visit(get, "path", json!("/"));
            visit(get, "scheme", json!("HTTP"));
        }
    }
}

/// Everything wrong with the lifecycle of a container.
pub(super) fn check(container: &Value, spec: &Value, path: &str, out: Out) {
    let lifecycle = &container["lifecycle"];
    let path = format!("{path}.lifecycle");
    for name in HOOKS {
        if lifecycle[name].is_object() {
            hook(&lifecycle[name], spec, &format!("{path}.{name}"), out);
        }
    }
    let signal = text(lifecycle, "stopSignal");
    if signal.is_empty() {
        return;
    }
    let path = format!("{path}.stopSignal");
    if text(&spec["os"], "name").is_empty() {
        let text = "Forbidden: may not be set for containers with empty `spec.os.name`";
        out.push(Problem::new(path.as_str(), text).hint("add os: {name: linux}"));
    }
    if !is_signal(signal) {
        let text = format!("Unsupported value: {signal:?}");
        out.push(Problem::new(path, text).hint("one like SIGTERM, SIGINT or SIGRTMIN+3"));
    }
}

fn hook(hook: &Value, spec: &Value, path: &str, out: Out) {
    let kinds = ["exec", "httpGet", "tcpSocket", "sleep"];
    let mut given = kinds.iter().filter(|kind| hook[**kind].is_object());
    if given.next().is_none() {
        let problem = Problem::new(path, "Required value: must specify a handler type");
        out.push(problem.hint("one of exec, httpGet, sleep"));
    }
    for kind in given {
        let text = "Forbidden: may not specify more than 1 handler type";
        out.push(Problem::new(format!("{path}.{kind}"), text));
    }
    let grace = spec["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    let seconds = hook["sleep"]["seconds"].as_i64().unwrap_or(0);
    if !(0..=grace).contains(&seconds) {
        let why =
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
        let text = format!("Invalid value: {seconds}: {why}");
        out.push(Problem::new(format!("{path}.sleep"), text));
    }
    handler(hook, path, out);
}

fn is_signal(signal: &str) -> bool {
    let Some(name) = signal.strip_prefix("SIG") else {
        return false;
    };
    let offset = |of: &str, max: u32| {
        let number = name.strip_prefix(of);
        let number = number.filter(|number| !number.starts_with('0') && !number.starts_with('+'));
        number.is_some_and(|number| number.parse().is_ok_and(|n: u32| (1..=max).contains(&n)))
    };
    SIGNALS.split_whitespace().any(|known| known == name)
        || offset("RTMIN+", 15)
        || offset("RTMAX-", 14)
}

#[cfg(test)]
mod tests {
    use super::is_signal;

    #[test]
    fn signals_are_known_by_their_names() {
        for good in [
            "SIGTERM",
            "SIGUSR1",
            "SIGRTMIN",
            "SIGRTMIN+15",
            "SIGRTMAX-14",
        ] {
            assert!(is_signal(good), "{good}");
        }
        for bad in [
            "TERM",
            "SIGterm",
            "15",
            "SIG",
            "SIGRTMIN+16",
            "SIGRTMIN+0",
            "SIGRTMAX-",
            "SIGRTMIN++1",
        ] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
