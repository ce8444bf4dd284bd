//! A toy world: a Docker of a few rules, jobs that are lost or fail at any step, and time that only the test moves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use staticlet::decide::{Action, Decision, ImageChoice, Limits, Step, decide};
use staticlet::pod::{ContainerName, PodKey, PodUid, SpecHash, ValidPod};
use staticlet::state::{
    Container, ContainerId, ContainerState, Desired, Event, FailReason, JobEnd, JobKey, Memory,
    Observed, ObservedPod, Report, Sandbox,
};
use staticlet::sys::Now;

use super::world::{at_ms, exited, id, running, want};

const LIMITS: Limits = Limits {
    pod_jobs: 4,
    pulls: 2,
    probes: 64,
};
pub const CRASH_MAX: Duration = Duration::from_secs(300);

/// A generator that needs no crate: xorshift64*.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// One container of the toy Docker; `POD` is the name of a sandbox.
#[derive(Clone, Debug)]
pub struct Thing {
    pub key: PodKey,
    pub uid: PodUid,
    pub hash: SpecHash,
    pub name: String,
    pub attempt: u32,
    pub sandbox: String,
    pub id: String,
    pub state: ContainerState,
    /// Its postStart hook has not ended; `side` has one.
    pub starting: bool,
}

struct Job {
    steps: Vec<Step>,
    version: Option<ValidPod>,
    uid: PodUid,
    pull: bool,
}

pub struct Toy {
    pub things: Vec<Thing>,
    pub desired: Desired,
    pub memory: Memory,
    pub ms: u64,
    pub image_here: bool,
    pub log: Vec<String>,
    last: Observed,
    jobs: BTreeMap<JobKey, Job>,
    dirs: Vec<PodUid>,
    ids: u64,
    /// What has been started in which sandbox.
    began: BTreeSet<(String, String)>,
}

impl Toy {
    pub fn new() -> Toy {
        Toy {
            things: Vec::new(),
            desired: Desired {
                complete: true,
                ..Desired::default()
            },
            memory: Memory::default(),
            ms: 0,
            image_here: false,
            log: Vec::new(),
            last: Observed::default(),
            jobs: BTreeMap::new(),
            dirs: Vec::new(),
            ids: 0,
            began: BTreeSet::new(),
        }
    }

    pub fn now(&self) -> Now {
        at_ms(self.ms)
    }

    pub fn want(&mut self, pod: ValidPod) {
        want(&mut self.desired, pod);
    }

    /// The agent dies and comes back: every job dies with it, and all it remembered.
    pub fn forget(&mut self) {
        self.log.push("agent restarts".into());
        self.jobs.clear();
        self.memory = Memory::default();
        self.tick();
    }

    /// dockerd restarts: whatever ran has ended.
    pub fn dockerd_restarts(&mut self) {
        self.log.push("dockerd restarts".into());
        let end = exited(255, self.now());
        for thing in self.things.iter_mut().filter(|thing| is_live(thing)) {
            thing.state = end.clone();
        }
    }

    /// One look and what comes of it. Returns the decision.
    pub fn tick(&mut self) -> Decision {
        self.last = self.observed();
        self.memory.saw(&self.desired, &self.last, self.now());
        self.think()
    }

    /// Decides on what was seen last, as the agent does when a job has ended.
    pub fn think(&mut self) -> Decision {
        let observed = self.last.clone();
        let decision = decide(&self.desired, &observed, &self.memory, LIMITS, self.now());
        for action in &decision.actions {
            self.log.push(format!("{:>8} ms {action:?}", self.ms));
            self.begin(action);
        }
        decision
    }

    pub fn is_busy(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Every job does one step; with `dice`, some fail, some die.
    pub fn work(&mut self, mut dice: Option<&mut Dice>) {
        let keys: Vec<JobKey> = self.jobs.keys().cloned().collect();
        for key in keys {
            let mut lot = |n| dice.as_deref_mut().is_some_and(|dice| dice.one_in(n));
            if lot(12) {
                self.end(&key, JobEnd::Died("signal 9".into()));
            } else if lot(10) {
                self.fail(&key, None, FailReason::CreatePodSandboxError);
            } else {
                // A step may be done and its report lost.
                self.step(&key, lot(15));
            }
        }
    }

    fn observed(&self) -> Observed {
        let mut pods: BTreeMap<PodUid, ObservedPod> = BTreeMap::new();
        let mut things: Vec<&Thing> = self.things.iter().collect();
        things.sort_by_key(|thing| std::cmp::Reverse(thing.attempt));
        for thing in things {
            let pod = pods
                .entry(thing.uid.clone())
                .or_insert_with(|| ObservedPod {
                    key: thing.key.clone(),
                    uid: thing.uid.clone(),
                    sandboxes: Vec::new(),
                    containers: Vec::new(),
                });
            if thing.name == "POD" {
                let ips = if is_live(thing) {
                    vec!["172.17.0.2".into()]
                } else {
                    vec![]
                };
                pod.sandboxes.push(Sandbox {
                    id: id(&thing.id),
                    attempt: thing.attempt,
                    state: thing.state.clone(),
                    hash: Some(thing.hash.clone()),
                    seen: None,
                    ips,
                    host_network: false,
                });
            } else {
                pod.containers.push(Container {
                    id: id(&thing.id),
                    name: ContainerName(thing.name.clone()),
                    attempt: thing.attempt,
                    sandbox: id(&thing.sandbox),
                    state: thing.state.clone(),
                    grace_seconds: Some(2),
                    sidecar: (thing.name == "sidecar").then_some(1),
                    starting: thing.starting && is_live(thing),
                    pre_stop: false,
                    image: String::new(),
                    image_id: String::new(),
                });
            }
        }
        Observed {
            pods,
            dirs: self.dirs.iter().cloned().collect(),
            ..Observed::default()
        }
    }

    fn begin(&mut self, action: &Action) {
        let wants = |key: &PodKey| {
            self.desired
                .pods
                .get(key)
                .map(|wanted| (*wanted.pod).clone())
        };
        let (key, job, starts) = match action {
            Action::Cancel { job, .. } => {
                self.fold(Event::JobCancelled { job: job.clone() });
                return self.end(&job.clone(), JobEnd::Cancelled);
            }
            // No pod of the toy world has any.
            Action::Probe { .. } => return,
            Action::Pull { key, container, .. } => {
                let job = Job {
                    steps: Vec::new(),
                    version: wants(key),
                    uid: PodUid(String::new()),
                    pull: true,
                };
                (
                    JobKey::Pull(key.clone(), container.clone()),
                    job,
                    Vec::new(),
                )
            }
            Action::Pod {
                key, uid, steps, ..
            } => {
                let is_start =
                    |step: &&Step| matches!(step, Step::Start { .. } | Step::Sandbox { .. });
                let builds = steps.iter().any(|step| is_start(&step));
                let starts = steps.iter().filter_map(|step| match step {
                    Step::Start { container, .. } => Some(container.clone()),
                    _ => None,
                });
                let starts = starts.collect();
                let job = Job {
                    steps: steps.clone(),
                    version: wants(key).filter(|_| builds),
                    uid: uid.clone(),
                    pull: false,
                };
                (JobKey::Pod(key.clone()), job, starts)
            }
        };
        assert!(
            !self.jobs.contains_key(&key),
            "two jobs under one key\n{}",
            self.log.join("\n")
        );
        let sandbox = job
            .steps
            .iter()
            .any(|step| matches!(step, Step::Sandbox { .. }));
        self.fold(Event::JobStarted {
            job: key.clone(),
            what: String::new(),
            wants: job.version.as_ref().map(|pod| pod.hash.clone()),
            starts,
            sandbox,
        });
        self.jobs.insert(key, job);
    }

    fn fold(&mut self, event: Event) {
        self.memory.fold(&event, CRASH_MAX, at_ms(self.ms));
    }

    fn say(&mut self, job: &JobKey, report: Report) {
        self.fold(Event::JobSaid {
            job: job.clone(),
            report,
        });
    }

    fn end(&mut self, key: &JobKey, end: JobEnd) {
        self.jobs.remove(key);
        self.fold(Event::JobEnded {
            job: key.clone(),
            end,
        });
    }

    fn fail(&mut self, key: &JobKey, container: Option<ContainerName>, reason: FailReason) {
        let message = "dockerd 500: toy".into();
        self.say(
            key,
            Report::Failed {
                container,
                reason,
                message,
            },
        );
        self.end(key, JobEnd::Failed);
    }

    fn step(&mut self, key: &JobKey, lose_report: bool) {
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        if job.pull {
            self.image_here = true;
            let report = Report::Pulled {
                image_id: "sha256:1".into(),
                note: String::new(),
            };
            self.say(key, report);
            return self.end(key, JobEnd::Done);
        }
        if job.steps.is_empty() {
            return self.end(key, JobEnd::Done);
        }
        let step = job.steps.remove(0);
        let (version, uid) = (job.version.clone(), job.uid.clone());
        let report = match step {
            Step::Volumes => {
                self.dirs.push(uid);
                None
            }
            Step::Cleanup => {
                self.dirs.retain(|dir| *dir != uid);
                None
            }
            Step::Stop { containers } => {
                for target in containers {
                    self.stop(&target.id);
                }
                None
            }
            Step::PostStart { id, .. } => {
                let of = self.things.iter_mut().filter(|thing| thing.id == id.0);
                of.for_each(|thing| thing.starting = false);
                Some(Report::Hooked { id })
            }
            Step::Remove { containers } => {
                self.things
                    .retain(|thing| !containers.iter().any(|gone| gone.0 == thing.id));
                None
            }
            Step::Sandbox { attempt } => {
                let version = version.unwrap();
                let made = self.create(&version, "POD", attempt, String::new());
                made.map(|made| Report::SandboxUp { id: id(&made) })
            }
            Step::Start {
                container,
                attempt,
                image,
            } => {
                if image == ImageChoice::Local && !self.image_here {
                    return self.say(key, Report::ImageMissing { container });
                }
                let version = version.unwrap();
                let pause = self
                    .things
                    .iter()
                    .rev()
                    .find(|t| t.uid == version.uid && t.name == "POD" && is_live(t));
                let Some(pause) = pause.map(|pause| pause.id.clone()) else {
                    return self.fail(key, Some(container), FailReason::CreateContainerError);
                };
                let made = self.create(&version, &container.0, attempt, pause);
                if let (Some(made), Some(job)) = (&made, self.jobs.get_mut(key)) {
                    let hook = Step::PostStart {
                        container: container.clone(),
                        id: id(made),
                        attempt,
                    };
                    job.steps.insert(0, hook);
                }
                made.map(|made| Report::Started {
                    container,
                    id: id(&made),
                    attempt,
                })
            }
        };
        if let Some(report) = report.filter(|_| !lose_report) {
            self.say(key, report);
        }
    }

    /// A name that is taken is refused, as Docker does.
    fn create(
        &mut self,
        pod: &ValidPod,
        name: &str,
        attempt: u32,
        sandbox: String,
    ) -> Option<String> {
        let taken =
            |thing: &Thing| thing.uid == pod.uid && thing.name == name && thing.attempt == attempt;
        if self.things.iter().any(taken) {
            return None;
        }
        self.in_turn(pod, name, &sandbox);
        self.ids += 1;
        let made = format!("id{}", self.ids);
        self.things.push(Thing {
            key: pod.key.clone(),
            uid: pod.uid.clone(),
            hash: pod.hash.clone(),
            name: name.into(),
            attempt,
            sandbox,
            id: made.clone(),
            starting: name == "side",
            state: if name == "init" {
                exited(i32::from(self.ids.is_multiple_of(4)), self.now())
            } else {
                running()
            },
        });
        Some(made)
    }

    /// Nothing is started in a sandbox before every init container that comes before it has been.
    fn in_turn(&mut self, pod: &ValidPod, name: &str, sandbox: &str) {
        let init = pod.pod.spec.as_ref().unwrap().init_containers.iter();
        let before = init
            .flatten()
            .map(|c| c.name.as_str())
            .take_while(|n| *n != name);
        for earlier in before.filter(|_| name != "POD") {
            let began = (sandbox.to_owned(), earlier.to_owned());
            assert!(
                self.began.contains(&began),
                "{name} before {earlier}\n{}",
                self.log.join("\n")
            );
        }
        self.began.insert((sandbox.to_owned(), name.to_owned()));
    }

    fn stop(&mut self, stopped: &ContainerId) {
        let end = exited(143, self.now());
        if let Some(thing) = self.things.iter_mut().find(|thing| thing.id == stopped.0) {
            thing.state = end;
        }
    }
}

pub fn is_live(thing: &Thing) -> bool {
    matches!(thing.state, ContainerState::Running { .. })
}
