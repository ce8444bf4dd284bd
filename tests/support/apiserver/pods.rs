//! The rules of the API server that are about pods alone.
//!
//! Source: `pkg/registry/core/pod/strategy.go`, `pkg/apis/core/validation`, `plugin/pkg/admission/priority` of Kubernetes 1.36.

use serde_json::Value;

/// What admission makes of the priority.
///
/// # Errors
/// There is no such class, or a number that is not its own.
pub fn priority(spec: &Value) -> Result<u64, String> {
    let priority = match spec["priorityClassName"].as_str() {
        None => 0,
        Some("system-cluster-critical") => 2_000_000_000,
        Some("system-node-critical") => 2_000_001_000,
        Some(name) => {
            return Err(format!(
                "pods is forbidden: no PriorityClass with name {name} was found"
            ));
        }
    };
    let said = &spec["priority"];
    if !said.is_null() && *said != priority {
        let said = "the integer value of priority must not be provided in pod spec";
        return Err(said.to_owned());
    }
    Ok(priority)
}

/// How long a pod that is deleted stays: as it is asked for, else as its spec says; one that has ended goes at once.
pub fn grace(pod: &Value, options: &Value) -> u64 {
    let phase = &pod["status"]["phase"];
    if *phase == "Failed" || *phase == "Succeeded" {
        return 0;
    }
    let asked = options["gracePeriodSeconds"].as_u64();
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_u64();
    asked.or(own).unwrap_or(30)
}

/// Why a status may not follow another one.
pub fn status_refused(old: &Value, new: &Value) -> Option<String> {
    let policy = new["spec"]["restartPolicy"].as_str().unwrap_or("Always");
    let (was, is) = (&old["status"], &new["status"]);
    for list in ["containerStatuses", "initContainerStatuses"] {
        let all = was[list].as_array().into_iter().flatten();
        for (n, before) in all.enumerate() {
            let ended = &before["state"]["terminated"];
            let may = ended.is_null()
                || policy == "Always"
                || (policy == "OnFailure" && ended["exitCode"] != 0);
            let mut after = is[list].as_array().into_iter().flatten();
            let after = after.find(|one| one["name"] == before["name"]);
            if !may && after.is_some_and(|after| after["state"]["terminated"].is_null()) {
                return Some(format!(
                    "status.{list}[{n}].state: Forbidden: may not be transitioned to non-terminated state"
                ));
            }
        }
    }
    for (one, list) in [("podIP", "podIPs"), ("hostIP", "hostIPs")] {
        let first = &is[list][0]["ip"];
        if !is[list].is_null() && *first != is[one] {
            return Some(format!(
                "status.{list}[0].ip: Invalid value: must be equal to `{one}`"
            ));
        }
    }
    (was["qosClass"] != is["qosClass"])
        .then(|| "status.qosClass: Invalid value: field is immutable".to_owned())
}
