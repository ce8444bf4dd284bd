//! The life of one pod, in scenes: it is started, a container of it fails and is started again, its manifest is edited,
//! and removed. In each scene one call may be spoilt, and still it has to end as it would have without.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use super::snapshot::{self, Snapshot};
use crate::support::agent::Agent;
use crate::support::engine;
use crate::support::harm::{Harm, Place};
use crate::support::sabotage::Saboteur;

/// The longest wait of the agent between two tries, after several failures, and some more for a machine that is busy.
const CONVERGES: Duration = Duration::from_secs(45);

/// The pause without a call of a job after which nothing more is about to come.
const QUIET: Duration = Duration::from_millis(250);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scene {
    Start,
    Restart,
    Edit,
    Stop,
}

pub(super) const SCENES: [Scene; 4] = [Scene::Start, Scene::Restart, Scene::Edit, Scene::Stop];

/// One call of one scene, broken in one way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub(super) scene: Scene,
    pub(super) place: Place,
    pub(super) harm: Harm,
}

/// How a scene ended.
pub(super) struct End {
    /// All calls that were seen.
    pub(super) calls: Vec<Place>,
    /// The call to be broken was among them.
    pub(super) met: bool,
    pub(super) snapshot: Snapshot,
    /// What is not as it should be.
    pub(super) faults: Vec<String>,
    pub(super) took: Duration,
}

/// An agent behind a saboteur.
pub(super) struct Stage {
    pub(super) agent: Agent,
    saboteur: Saboteur,
    pods: u32,
}

impl Stage {
    pub(super) fn new(name: &str) -> Stage {
        let mut agent = Agent::new(name);
        let base = agent.base.clone();
        let socket = base.join("docker.sock");
        let saboteur = Saboteur::listen(&socket);
        fs::write(
            base.join("config.yaml"),
            format!(
                "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nfileCheckFrequency: 1s\npodLogsDir: {}/logs/pods\ncrashLoopBackOff: {{maxContainerRestartPeriod: 1s}}\n",
                base.display()
            ),
        )
        .unwrap();
        agent.args = vec![
            format!("--config={}/config.yaml", base.display()),
            format!("--container-runtime-endpoint=unix://{}", socket.display()),
        ];
        let mut stage = Stage {
            agent,
            saboteur,
            pods: 0,
        };
        stage.start();
        stage
    }

    fn start(&mut self) {
        self.agent.start();
        self.saboteur.agent_is(self.agent.pid());
    }

    /// The next scene begins with a new pod.
    pub(super) fn new_pod(&mut self) {
        self.pods += 1;
        self.saboteur.new_pod();
    }

    fn pod(&self) -> String {
        format!("p{}", self.pods)
    }

    /// Plays a scene with one call broken, or none, until it ends as the `wanted` one did (or, if there is none, as it
    /// seems right).
    pub(super) fn play(
        &mut self,
        scene: Scene,
        case: Option<&Case>,
        wanted: Option<&Snapshot>,
    ) -> End {
        let begin = Instant::now();
        let plan = case.map(|case| (case.place.clone(), case.harm));
        self.saboteur.begin(plan);
        self.act(scene);
        let mut faults = Vec::new();
        let mut twice = None;
        let mut good = 0;
        let mut snapshot = Snapshot::new();
        while begin.elapsed() < CONVERGES && good < 2 {
            if self.saboteur.has_killed_agent() {
                self.agent.end("KILL");
                self.start();
            }
            twice = twice.or_else(|| self.twice());
            let is_quiet = self.saboteur.is_quiet(QUIET);
            if is_quiet && self.looks(scene) {
                snapshot = self.snapshot();
                faults = wanted.map_or(Vec::new(), |wanted| differences(wanted, &snapshot));
                good = if faults.is_empty() { good + 1 } else { 0 };
            } else {
                faults = vec![format!(
                    "is quiet: {is_quiet}, looks so: {:?}",
                    self.running()
                )];
                good = 0;
            }
            thread::sleep(Duration::from_millis(if good == 0 { 60 } else { 150 }));
        }
        if good >= 2 {
            faults.clear();
        }
        faults.extend(twice);
        let (calls, met) = self.saboteur.end();
        End {
            calls,
            met,
            snapshot,
            faults,
            took: begin.elapsed(),
        }
    }

    fn act(&mut self, scene: Scene) {
        let pod = self.pod();
        let file = format!("{pod}.yaml");
        match scene {
            Scene::Start => self.agent.put(&file, &manifest(&pod, 1)),
            Scene::Edit => self.agent.put(&file, &manifest(&pod, 2)),
            Scene::Stop => self.agent.remove(&file),
            Scene::Restart => {
                for id in self.agent.running(&pod, "a") {
                    engine::call("POST", &format!("/containers/{id}/kill"), None);
                }
            }
        }
    }

    /// Whether the right containers run; all else is compared then.
    fn looks(&self, scene: Scene) -> bool {
        let wanted = match scene {
            Scene::Start => vec!["POD.0", "a.0", "b.0"],
            Scene::Restart => vec!["POD.0", "a.1", "b.0"],
            Scene::Edit => vec!["POD.0'", "a.0'", "b.0'"],
            Scene::Stop => vec![],
        };
        self.running() == wanted
    }

    /// What runs, sandboxes included.
    fn running(&self) -> Vec<String> {
        let all = self.agent.all(&self.pod());
        let running = all.iter().filter(|one| one["State"] == "running");
        let mut names: Vec<String> = running
            .filter_map(|one| self.saboteur.name_of(one["Id"].as_str()?))
            .collect();
        names.sort();
        names
    }

    /// Two live copies of a container, ever.
    fn twice(&self) -> Option<String> {
        let running = self.running();
        let mut copies = running.iter().map(|name| name.split('.').next());
        let first = copies.next()?;
        let mut before = first;
        for copy in copies {
            if copy == before {
                return Some(format!("two live copies at a time: {running:?}"));
            }
            before = copy;
        }
        None
    }

    fn snapshot(&mut self) -> Snapshot {
        let (pod, uids) = (self.pod(), self.saboteur.versions());
        snapshot::take(&mut self.agent, &pod, &uids)
    }
}

fn differences(wanted: &Snapshot, found: &Snapshot) -> Vec<String> {
    let missing = wanted.difference(found).map(|line| format!("- {line}"));
    let more = found.difference(wanted).map(|line| format!("+ {line}"));
    missing.chain(more).collect()
}

fn manifest(pod: &str, version: u32) -> String {
    const TEXT: &str = "apiVersion: v1
kind: Pod
metadata: {name: NAME, annotations: {version: 'VERSION'}}
spec:
  terminationGracePeriodSeconds: 2
  dnsPolicy: None
  dnsConfig: {nameservers: [192.0.2.7], searches: [sabotage.test]}
  resources: {limits: {memory: 96Mi}}
  volumes: [{name: v, emptyDir: {}}]
  initContainers:
  - name: i
    image: busybox:1
    imagePullPolicy: Never
    command: [sh, -c, echo init >>/v/log]
    volumeMounts: [{name: v, mountPath: /v}]
  containers:
";
    const CONTAINER: &str = "  - name: CONTAINER
    image: busybox:1
    imagePullPolicy: Never
    command: [sh, -c, \"trap 'exit 0' TERM; echo last words; while :; do sleep 1000 & wait; done\"]
    terminationMessagePolicy: FallbackToLogsOnError
    volumeMounts: [{name: v, mountPath: /v}]
";
    let head = TEXT
        .replace("NAME", pod)
        .replace("VERSION", &version.to_string());
    head + &CONTAINER.replace("CONTAINER", "a") + &CONTAINER.replace("CONTAINER", "b")
}
