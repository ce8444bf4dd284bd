//! The agent with all that is around it, and what goes wrong there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::pods::{BY_FILE, BY_URL, lasting, manifest};
use crate::support::agent::{Agent, eventually, mounts};
use crate::support::apiserver::{ApiServer, Fault};
use crate::support::dice::Dice;
use crate::support::dockerd::Dockerd;
use crate::support::web::Server;

/// Fifty pods on a busy machine.
const LONG: Duration = Duration::from_secs(400);

/// Those that are killed again and again are not held back for five minutes.
const CONFIG: &str = "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
crashLoopBackOff: {maxContainerRestartPeriod: 10s}
";

/// How often is said what is still waited for.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Who takes part.
pub(super) struct Stage {
    pub(super) agent: Agent,
    /// How often each thing was done.
    pub(super) done: BTreeMap<&'static str, usize>,
    dockerd: Dockerd,
    web: Server,
    api: ApiServer,
    /// The version of each pod that is wanted.
    versions: Vec<u64>,
    uids: Vec<String>,
}

impl Stage {
    /// All of it, started.
    pub(super) fn new() -> Stage {
        let mut agent = Agent::new("soak");
        let mut dockerd = Dockerd::new(&agent.base.join("dockerd"));
        dockerd.start();
        dockerd.load_busybox();
        let (web, api) = (Server::start(), ApiServer::start());
        let kubeconfig = agent.base.join("kubeconfig");
        fs::write(&kubeconfig, api.kubeconfig()).unwrap();
        let config = agent.base.join("config.yaml");
        fs::write(&config, CONFIG).unwrap();
        agent.args.extend([
            dockerd.flag(),
            format!("--config={}", config.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--manifest-url=http://{}/pods", web.at),
            "--http-check-frequency=1s".into(),
            "--file-check-frequency=5s".into(),
            // What is written at every level would be the largest file of the machine.
            "-v=2".into(),
        ]);
        let mut stage = Stage {
            agent,
            done: BTreeMap::new(),
            dockerd,
            web,
            api,
            versions: vec![0; BY_FILE + BY_URL],
            uids: Vec::new(),
        };
        stage.heal();
        stage.agent.start();
        stage
    }

    fn name(pod: usize) -> String {
        format!("p{pod}")
    }

    fn file(pod: usize) -> String {
        format!("p{pod}.yaml")
    }

    fn put(&self, pod: usize) {
        let text = manifest(&Self::name(pod), pod, self.versions[pod]).to_string();
        self.agent.put(&Self::file(pod), &text);
    }

    /// One thing goes wrong, or changes.
    pub(super) fn disturb(&mut self, dice: &mut Dice) {
        let what = *dice.pick(&[
            "edit",
            "edit",
            "edit",
            "edit url",
            "remove",
            "return",
            "spoil",
            "kill",
            "kill",
            "kill",
            "take",
            "take sandbox",
            "kill job",
            "kill job",
            "url",
            "api",
        ]);
        *self.done.entry(what).or_default() += 1;
        let pod = dice.below(BY_FILE as u64) as usize;
        match what {
            "edit" => {
                self.versions[pod] += 1;
                self.put(pod);
            }
            "edit url" => {
                self.versions[BY_FILE + dice.below(BY_URL as u64) as usize] += 1;
                self.serve();
            }
            "remove" => drop(fs::remove_file(self.agent.manifest(&Self::file(pod)))),
            "return" => self.put(pod),
            "spoil" => {
                let bad: &&str = dice.pick(&[
                    "",
                    "{",
                    "kind: Pod\nspec: 1\n",
                    "apiVersion: v1\nkind: Pod\nmetadata: {name: p1}\n",
                ]);
                self.agent.put(&Self::file(pod), bad);
            }
            "kill" => self.one(dice, "c", &["kill"]),
            "take" => self.one(dice, "c", &["rm", "-f"]),
            "take sandbox" => self.one(dice, "POD", &["rm", "-f"]),
            "kill job" => self.kill_job(dice),
            "url" => self.spoil_url(dice),
            _ => self.spoil_api(dice),
        }
    }

    /// Does this to a container of that name, if one runs.
    fn one(&self, dice: &mut Dice, name: &str, act: &[&str]) {
        let filter = format!("name=k8s_{name}_p");
        let out = self.dockerd.docker(&["ps", "-q", "--filter", &filter]);
        let ids = String::from_utf8_lossy(&out.stdout).into_owned();
        let ids: Vec<&str> = ids.lines().collect();
        if !ids.is_empty() {
            let id = ids[dice.below(ids.len() as u64) as usize];
            self.dockerd.docker(&[act, &[id]].concat());
        }
    }

    fn kill_job(&self, dice: &mut Dice) {
        let pid = self.agent.pid();
        let jobs =
            fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let jobs: Vec<&str> = jobs.split_whitespace().collect();
        if !jobs.is_empty() {
            // One that has just ended is no fault.
            let job = jobs[dice.below(jobs.len() as u64) as usize];
            let _ = Command::new("kill").args(["-9", job]).output();
        }
    }

    /// Kill -9, and a new one.
    pub(super) fn kill_agent(&mut self) {
        *self.done.entry("kill agent").or_default() += 1;
        self.agent.end("KILL");
        self.agent.start();
    }

    /// Ends dockerd, lets the agent do without for some seconds, and starts it again.
    pub(super) fn restart_dockerd(&mut self, gently: bool) {
        *self.done.entry("restart dockerd").or_default() += 1;
        self.dockerd.end(if gently { "TERM" } else { "KILL" });
        thread::sleep(Duration::from_secs(3));
        self.dockerd.start();
    }

    fn spoil_url(&self, dice: &mut Dice) {
        match dice.below(6) {
            0 => self.web.says("404 Not Found", "no"),
            1 => self.web.says("500 Internal Server Error", "no"),
            2 => self.web.says("200 OK", ""),
            3 => self.web.says("200 OK", "<html>"),
            4 => self.web.will(|_| thread::sleep(Duration::from_secs(3))),
            _ => self.serve(),
        }
    }

    /// The pods by URL as they are wanted.
    fn serve(&self) {
        let pods = BY_FILE..BY_FILE + BY_URL;
        let items: Vec<Value> = pods
            .map(|pod| manifest(&Self::name(pod), pod, self.versions[pod]))
            .collect();
        let list = json!({"apiVersion": "v1", "kind": "PodList", "items": items});
        self.web.says("200 OK", &list.to_string());
    }

    fn spoil_api(&self, dice: &mut Dice) {
        self.api.heal();
        match dice.below(6) {
            0 => self.api.fault("", Fault::Hang),
            1 => self.api.fault("", Fault::Cut),
            2 => self.api.fault(
                "",
                Fault::Says("500 Internal Server Error".into(), "no".into()),
            ),
            3 => self
                .api
                .fault("GET", Fault::Says("410 Gone".into(), "{}".into())),
            4 => self.api.wipe(),
            _ => {}
        }
    }

    /// Everything around the agent is well, and everything is wanted.
    pub(super) fn heal(&mut self) {
        self.api.heal();
        self.serve();
        (0..BY_FILE).for_each(|pod| self.put(pod));
    }

    /// Waits until each pod is as its manifest says, in one copy, and shown by the API server.
    pub(super) fn settle(&mut self) {
        let (mut well, mut said) = (None, Instant::now());
        eventually(&self.agent, "every pod is as it should be", LONG, || {
            let faults = self.faults();
            if let Some(first) = faults.first() {
                well = None;
                if said.elapsed() > SAY_EVERY {
                    println!("{} faults are waited for, {first} among them", faults.len());
                    said = Instant::now();
                }
                return false;
            }
            well.get_or_insert_with(Instant::now).elapsed() > Duration::from_secs(3)
        });
        let dirs = fs::read_dir(self.agent.base.join("root/pods")).unwrap();
        let uids = dirs.map(|dir| dir.unwrap().file_name().into_string().unwrap());
        self.uids.extend(uids);
    }

    /// What is not as it should be.
    fn faults(&self) -> Vec<String> {
        let ids = self.dockerd.docker(&["ps", "-q"]);
        let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
        let mut call = vec!["inspect"];
        call.extend(ids.lines());
        let inspected = self.dockerd.docker(&call);
        let running: Vec<Value> = serde_json::from_slice(&inspected.stdout).unwrap_or_default();
        let mut faults = Vec::new();
        for (pod, version) in self.versions.iter().enumerate() {
            let full = format!("{}-{}", Self::name(pod), self.agent.node);
            let of = |name: &str| -> Vec<&Value> {
                let is = |one: &&Value| {
                    let labels = &one["Config"]["Labels"];
                    labels["io.kubernetes.pod.name"] == *full
                        && labels["io.kubernetes.container.name"] == name
                };
                running.iter().filter(is).collect()
            };
            if of("POD").len() != 1 {
                faults.push(format!("{full}: {} sandboxes", of("POD").len()));
            }
            for name in lasting(pod) {
                let said = json!(format!("VERSION={version}"));
                let is_current = |one: &&&Value| {
                    one["Config"]["Env"]
                        .as_array()
                        .is_some_and(|env| env.contains(&said))
                };
                let (all, current) = (of(name).len(), of(name).iter().filter(is_current).count());
                if (all, current) != (1, 1) {
                    faults.push(format!(
                        "{full}/{name}: {all} run, {current} in version {version}"
                    ));
                }
            }
            if of("c").len() > 1 {
                faults.push(format!("{full}/c runs more than once"));
            }
            if self.api.pod(&full).is_null() {
                faults.push(format!("{full} has no mirror"));
            }
        }
        faults
    }

    /// Takes every manifest away, and waits until nothing tells of any pod.
    pub(super) fn leave(&mut self) {
        for pod in 0..BY_FILE {
            self.agent.remove(&Self::file(pod));
        }
        self.web.says(
            "200 OK",
            r#"{"apiVersion": "v1", "kind": "PodList", "items": []}"#,
        );
        let mut left = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < LONG {
            left = self.left();
            if left.is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(500));
        }
        panic!("left over: {left:#?}\n{}", self.agent.status());
    }

    /// All that is still there of any pod.
    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (what, call) in [("container", ["ps", "-aq"]), ("volume", ["volume", "ls"])] {
            let out = self.dockerd.docker(&call);
            let lines = String::from_utf8_lossy(&out.stdout).into_owned();
            let lines = lines.lines().filter(|line| !line.starts_with("DRIVER"));
            left.extend(lines.map(|line| format!("{what} {line}")));
        }
        let root = self.agent.base.join("root");
        left.extend(entries(&root.join("pods"), ""));
        left.extend(
            mounts(&root)
                .iter()
                .map(|at| format!("mount {}", at.display())),
        );
        for dir in ["/var/log/pods", "/var/log/containers"] {
            left.extend(entries(Path::new(dir), &format!("-{}_", self.agent.node)));
        }
        let cgroups: Vec<PathBuf> = self.cgroups();
        left.extend(cgroups.iter().map(|at| format!("cgroup {}", at.display())));
        let pods = self.api.objects("/api/v1/namespaces/");
        let mirrors = pods
            .iter()
            .filter(|one| one["kind"] == "Pod" || one["spec"].is_object());
        left.extend(mirrors.map(|one| format!("mirror {}", one["metadata"]["name"])));
        left
    }

    /// Cgroups of pods that were once there.
    fn cgroups(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let controllers = fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten();
        for controller in controllers {
            for class in ["", "burstable", "besteffort"] {
                let parent = controller.path().join("kubepods").join(class);
                let of_pod = |uid: &String| parent.join(format!("pod{uid}"));
                found.extend(self.uids.iter().map(of_pod).filter(|at| at.exists()));
            }
        }
        found
    }
}

/// The names in a directory that have this in them.
fn entries(dir: &Path, part: &str) -> Vec<String> {
    let names = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths = names.map(|entry| entry.path().display().to_string());
    paths.filter(|path| path.contains(part)).collect()
}
