//! Numbers in Prometheus' text form 0.0.4: the kubelet's names where it has them, `staticlet_` else.

use std::fmt::Write;

use k8s_openapi::api::core::v1::Pod;

use super::Pulse;
use crate::publish::Published;

/// The page.
pub(super) fn text(pulse: &Pulse, published: Option<&Published>) -> String {
    let mut page = Page::default();
    let name = "kubelet_node_name";
    page.head(name, "gauge", "The node's name. The count is always 1.");
    page.line(name, &[("node", &pulse.node)], 1);
    let name = "kubelet_running_containers";
    page.head(name, "gauge", "Number of containers by state");
    let states = ["running", "exited", "created", "unknown"];
    for (state, count) in states.into_iter().zip(pulse.containers) {
        page.line(name, &[("container_state", state)], count);
    }
    let name = "kubelet_desired_pods";
    page.head(name, "gauge", "The number of pods the manifests want");
    page.line(name, &[("static", "true")], pulse.desired_pods);
    let name = "staticlet_image_archives";
    page.head(name, "gauge", "Archives of the image preload directory");
    let states = ["waiting", "loading", "loaded", "failed"];
    for (state, count) in states.into_iter().zip(pulse.archives) {
        page.line(name, &[("state", state)], count);
    }
    let name = "kubelet_image_garbage_collected_total";
    let help = "Total number of images garbage collected, by reason";
    page.head(name, "counter", help);
    for (reason, count) in ["age", "space"].into_iter().zip(pulse.reclaimed) {
        page.line(name, &[("reason", reason)], count);
    }
    if let Some(percent) = pulse.disk_percent {
        let name = "staticlet_docker_disk_used_percent";
        page.head(name, "gauge", "How full the disk of Docker is");
        page.line(name, &[], percent);
    }
    let name = "staticlet_build_info";
    let help = "The version of the agent. The count is always 1.";
    page.head(name, "gauge", help);
    page.line(name, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    for (name, help, value) in gauges(pulse) {
        let is_count = name.ends_with("_total");
        page.head(name, if is_count { "counter" } else { "gauge" }, help);
        page.line(name, &[], value);
    }
    starts(&mut page, pulse);
    if let Some(published) = published {
        pods(&mut page, &published.items);
    }
    page.text
}

/// Everything that is one number without labels.
fn gauges(pulse: &Pulse) -> [(&'static str, &'static str, u64); 10] {
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let (looks, failed) = pulse.looks;
    [
        (
            "kubelet_running_pods",
            "Number of pods that have a running pod sandbox",
            count(pulse.running_pods),
        ),
        (
            "staticlet_docker_up",
            "1: the last look at dockerd went well",
            u64::from(pulse.docker_error.is_none()),
        ),
        (
            "staticlet_healthy",
            "1: /healthz says ok",
            u64::from(pulse.sickness().is_none()),
        ),
        (
            "staticlet_sources_complete",
            "1: every manifest source has been read once",
            u64::from(pulse.complete),
        ),
        (
            "staticlet_manifests_refused",
            "Manifests that are not followed",
            count(pulse.refused),
        ),
        (
            "staticlet_manifests_last_good",
            "Refused manifests whose last good version goes on",
            count(pulse.last_good),
        ),
        ("staticlet_jobs", "Jobs at work", count(pulse.jobs)),
        ("staticlet_docker_looks_total", "Looks at dockerd", looks),
        (
            "staticlet_docker_look_failures_total",
            "Looks at dockerd that failed",
            failed,
        ),
        (
            "process_start_time_seconds",
            "Start time of the agent since the Unix epoch in seconds",
            u64::try_from(pulse.started).unwrap_or(0),
        ),
    ]
}

fn starts(page: &mut Page, pulse: &Pulse) {
    let name = "kubelet_pod_start_duration_seconds";
    page.head(
        name,
        "histogram",
        "Duration in seconds from seeing a pod for the first time to its containers running",
    );
    let (buckets, count, sum) = pulse.pod_starts.parts();
    for (bound, below) in buckets {
        page.line(
            &format!("{name}_bucket"),
            &[("le", &bound.to_string())],
            below,
        );
    }
    page.line(&format!("{name}_bucket"), &[("le", "+Inf")], count);
    page.line(&format!("{name}_sum"), &[], sum);
    page.line(&format!("{name}_count"), &[], count);
}

fn pods(page: &mut Page, pods: &[Pod]) {
    let restarts = "staticlet_container_restarts";
    page.head(
        restarts,
        "gauge",
        "Restarts of a container, as its status counts them",
    );
    for_containers(pods, |labels, restarted, _| {
        page.line(restarts, labels, restarted)
    });
    let ready = "staticlet_container_ready";
    page.head(ready, "gauge", "1: the container is ready");
    for_containers(pods, |labels, _, is_ready| {
        page.line(ready, labels, u8::from(is_ready))
    });
}

fn for_containers(pods: &[Pod], mut each: impl FnMut(&[(&str, &str)], i32, bool)) {
    for pod in pods {
        let meta = &pod.metadata;
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let name = meta.name.as_deref().unwrap_or_default();
        let statuses = pod.status.iter().flat_map(|status| {
            let init = status.init_container_statuses.iter().flatten();
            init.chain(status.container_statuses.iter().flatten())
        });
        for status in statuses {
            let labels = [
                ("namespace", namespace),
                ("pod", name),
                ("container", &status.name),
            ];
            each(&labels, status.restart_count, status.ready);
        }
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let label = |(name, value): &(&str, &str)| {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        };
        let labels: Vec<String> = labels.iter().map(label).collect();
        let _ = if labels.is_empty() {
            writeln!(self.text, "{name} {value}")
        } else {
            writeln!(self.text, "{name}{{{}}} {value}", labels.join(","))
        };
    }
}
