//! Pods of the shape that kubeadm writes for a control plane: on the node's network, probed by HTTPS, with files of the
//! node, critical, and never without requests.

use std::fs;

use crate::support::agent::{Agent, FOREVER, SOON, eventually};
use crate::support::engine;
use crate::support::image;
use crate::support::tls::{Wants, server};

fn manifest(agent: &Agent, component: &str, port: u16) -> String {
    let base = agent.base.display();
    format!(
        "apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/{component}.advertise-address.endpoint: 192.0.2.10:6443
  labels: {{component: {component}, tier: control-plane}}
  name: {component}
  namespace: kube-system
spec:
  containers:
  - command: [sh, -c, \"{FOREVER}\"]
    image: busybox:1
    imagePullPolicy: IfNotPresent
    name: {component}
    ports:
    - {{containerPort: {port}, name: probe-port, protocol: TCP}}
    livenessProbe: &probe
      failureThreshold: 2
      httpGet: {{host: 127.0.0.1, path: /livez, port: probe-port, scheme: HTTPS}}
      initialDelaySeconds: 1
      periodSeconds: 1
      timeoutSeconds: 15
    readinessProbe:
      <<: *probe
      failureThreshold: 3
      initialDelaySeconds: 0
    startupProbe:
      <<: *probe
      failureThreshold: 24
    resources: {{requests: {{cpu: 25m, memory: 10Mi}}}}
    volumeMounts:
    - {{mountPath: /etc/kubernetes/pki, name: k8s-certs, readOnly: true}}
    - {{mountPath: /etc/kubernetes/{component}.conf, name: kubeconfig, readOnly: true}}
  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext: {{seccompProfile: {{type: RuntimeDefault}}}}
  terminationGracePeriodSeconds: 2
  volumes:
  - {{hostPath: {{path: {base}/pki, type: DirectoryOrCreate}}, name: k8s-certs}}
  - {{hostPath: {{path: {base}/{component}.conf, type: FileOrCreate}}, name: kubeconfig}}
status: {{}}
"
    )
}

#[test]
#[ignore = "needs dockerd"]
fn a_control_plane_comes_up_and_is_probed_by_https() {
    image::busybox();
    let mut agent = Agent::new("kubeadm");
    agent.start();
    let components = [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ];
    let port = server(Wants::Nothing);
    for component in components {
        let text = manifest(&agent, component, port);
        agent.put(&format!("{component}.yaml"), &text);
    }
    let line = |component: &str| {
        let status = agent.status();
        let line = status.lines().find(|line| line.contains(component));
        line.unwrap_or_default().to_owned()
    };
    for component in components {
        eventually(&agent, "ready by its probes", SOON, || {
            line(component).contains("1/1")
        });
        assert!(agent.base.join(format!("{component}.conf")).is_file());
        let id = agent.wait_running(component, component);
        let host = &engine::inspect(&id)["HostConfig"];
        // -997, or what the machine allows.
        let score = host["OomScoreAdj"].as_i64().unwrap();
        assert!((-997..=0).contains(&score), "{score}");
    }
    // Nothing serves there: not ready, and started anew once the liveness probe has failed twice.
    let text = manifest(&agent, "etcd", 9);
    let text = text.replace("failureThreshold: 24", "failureThreshold: 2");
    fs::write(agent.manifest("etcd.yaml"), text).unwrap();
    eventually(&agent, "etcd is started anew", SOON, || {
        let line = line("etcd");
        line.contains("0/1") && agent.log().contains("why=Startup")
    });
    assert!(line("kube-apiserver").contains("1/1"));
}
