//! `staticlet status POD` of a pod that has trouble, on a real dockerd.

use crate::support::agent::{Agent, SOON, eventually};

#[test]
#[ignore = "needs dockerd"]
fn a_pod_with_trouble_is_described() {
    let agent = Agent::started("describe");
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: d}\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  \
        - {name: crash, image: 'busybox:1', imagePullPolicy: Never, command: [sh, -c, 'echo oops > /dev/termination-log; exit 3']}\n  \
        - name: ill\n    image: busybox:1\n    imagePullPolicy: Never\n    command: [sh, -c, 'sleep 100000']\n    \
        readinessProbe: {exec: {command: [sh, -c, 'echo no; exit 1']}, periodSeconds: 1}\n    \
        livenessProbe: {exec: {command: ['true']}, periodSeconds: 1}\n";
    agent.put("d.yaml", text);
    let id = agent.wait_running("d", "ill");
    let manifest = format!("Manifest    {}\n", agent.manifest("d.yaml").display());
    let docker = format!("  Docker    {} running, pid ", &id[..12]);
    let wanted = [
        manifest.as_str(),
        docker.as_str(),
        "Status      CrashLoopBackOff, 0/2 ready",
        "Container crash\n  State     Waiting: CrashLoopBackOff\n  Ready     no\n  Last      Error, exit code 3, ",
        "  Why       CrashLoopBackOff: exited with 3 (Error): oops; next attempt in ",
        "  Probe     liveness: succeeds\n",
        "  Probe     readiness: fails; last: Readiness probe failed: no\n",
        "  ContainersReady            False  since ",
        "Normal   Started           crash: Container started\n",
        "Warning  Unhealthy         ill: Readiness probe failed: no\n",
    ];
    let mut missing = Vec::new();
    eventually(&agent, "all of it is told", SOON, || {
        let (text, said, code) = agent.typed(&["status", "d"]);
        let lacks = wanted.iter().filter(|line| !text.contains(**line));
        let now: Vec<String> = lacks.map(|line| format!("{line:?}")).collect();
        if now != missing {
            println!("{code} {said}lacks {now:#?}\n{text}");
            missing = now;
        }
        code == 1 && missing.is_empty()
    });
}

#[test]
#[ignore = "needs dockerd"]
fn the_doctor_finds_docker_and_takes_no_port_of_a_running_pod_for_taken() {
    let agent = Agent::started("doctor");
    let text = |name: &str| {
        let port = "ports: [{containerPort: 80, hostPort: 28493}]";
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  \
             - {{name: c, image: 'busybox:1', imagePullPolicy: Never, command: [sleep, '100000'], {port}}}\n"
        )
    };
    agent.put("one.yaml", &text("one"));
    agent.wait_running("one", "c");
    let asked = || {
        let node = format!("--hostname-override={}", agent.node);
        let root = format!("--root-dir={}/root", agent.base.display());
        let path = format!("--pod-manifest-path={}/manifests", agent.base.display());
        agent.typed(&["doctor", &node, &root, &path]).0
    };
    let text_of_one = asked();
    for line in [
        "ok: docker: ",
        "ok: cgroup: version ",
        "ok: docker disk: ",
        "ok: agent: ",
        "ok: manifests: 1 pods ",
    ] {
        assert!(
            text_of_one.contains(line),
            "{line:?} is not in\n{text_of_one}"
        );
    }
    assert!(
        text_of_one.contains("ok: ports: 1 of the machine"),
        "{text_of_one}"
    );
    agent.put("two.yaml", &text("two"));
    let all = asked();
    let taken = format!(
        "28493/TCP is wanted by default/two-{n} and taken by container k8s_POD_one-{n}_default_",
        n = agent.node
    );
    assert!(all.contains(&taken), "{all}");
    assert!(
        !all.contains(&format!("one-{} and taken", agent.node)),
        "{all}"
    );
}
