//! The agent of the toy world: the loop of the real one without its processes.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use staticlet::decide::{Action, Decision, Limits, Step, decide};
use staticlet::pod::is_sidecar;
use staticlet::pod::{ContainerName, PodKey, PodUid, ValidPod};
use staticlet::state::{
    Before, Container, ContainerState, Desired, DesiredPod, Event, JobEnd, JobKey, Memory, Node,
    Observed, ObservedPod, ProbeKind, Probed, Report, Sandbox, Source, Stranger,
};

use super::engine::{Engine, Owner, Thing};
use super::job::{Job, Mishap, Went, Work};
use super::judge;
use crate::support::dice::Dice;
use crate::support::world::{id, node};

pub(super) const CRASH_MAX: Duration = Duration::from_secs(300);

/// A job that hangs is killed after this long.
const JOB_MAX_MS: u64 = 300_000;

/// What is wanted, what the agent knows, and its jobs.
pub(super) struct World {
    pub(super) engine: Engine,
    /// What the manifests say, whether the agent has read them or not.
    pub(super) truth: BTreeMap<PodKey, Rc<ValidPod>>,
    pub(super) desired: Desired,
    /// The agent has not read all manifests yet.
    pub(super) blind: bool,
    pub(super) memory: Memory,
    pub(super) limits: Limits,
    /// dockerd answers.
    pub(super) docker: bool,
    /// The last look at it went well: without one nothing is decided.
    has_seen: bool,
    pub(super) jobs: BTreeMap<JobKey, Job>,
    /// When something was begun that is no probe, and for which pod.
    pub(super) begun: Vec<(u64, PodKey)>,
    pub(super) last: Observed,
    pub(super) node: Node,
}

impl World {
    pub(super) fn new(dice: &mut Dice, log: bool) -> World {
        World {
            engine: Engine::new(log),
            truth: BTreeMap::new(),
            desired: Desired {
                complete: true,
                ..Desired::default()
            },
            blind: false,
            memory: Memory::default(),
            limits: Limits {
                pod_jobs: 1 + dice.below(4) as usize,
                pulls: 1 + dice.below(2) as usize,
                probes: 1 + dice.below(4) as usize,
            },
            docker: true,
            has_seen: false,
            jobs: BTreeMap::new(),
            begun: Vec::new(),
            last: Observed::default(),
            node: node(),
        }
    }

    /// A manifest is there, or another one than before.
    pub(super) fn put(&mut self, pod: Rc<ValidPod>) {
        self.engine
            .say(|| format!("wanted: {} as {}", pod.key, pod.hash));
        self.truth.insert(pod.key.clone(), pod);
    }

    /// The agent is killed and comes back: its jobs die with it, and all it remembered. It may not find every manifest
    /// at once.
    pub(super) fn restart(&mut self, dice: &mut Dice) {
        self.engine.say(|| "agent restarts".into());
        let jobs = std::mem::take(&mut self.jobs);
        for (_, mut job) in jobs {
            let mishap = *dice.pick(&[Mishap::DieBefore, Mishap::DieAfter, Mishap::DieLate]);
            job.go_on(&mut self.engine, mishap, &mut Vec::new());
        }
        let before = if dice.one_in(2) {
            self.published()
        } else {
            BTreeMap::new()
        };
        self.memory = Memory {
            before,
            ..Memory::default()
        };
        self.desired = Desired::default();
        self.last = Observed::default();
        self.has_seen = false;
        self.blind = dice.one_in(2);
        if self.blind {
            let found = self.truth.values().filter(|_| dice.one_in(2));
            for pod in found {
                want(&mut self.desired, pod);
            }
        }
        // The first thing it does is to look.
        self.tick();
    }

    /// What it had told of containers.
    fn published(&self) -> BTreeMap<staticlet::state::ContainerId, Before> {
        let of = self
            .memory
            .pods
            .values()
            .flat_map(|pod| pod.containers.values());
        let probes = of.flat_map(|of| of.probes.get(&ProbeKind::Startup));
        probes
            .map(|probe| {
                let started = probe.well == Some(true);
                (
                    probe.container.clone(),
                    Before {
                        started,
                        ready: started,
                    },
                )
            })
            .collect()
    }

    fn read(&mut self) {
        if self.blind {
            return;
        }
        self.desired
            .pods
            .retain(|key, _| self.truth.contains_key(key));
        for (key, pod) in &self.truth {
            let same = |known: &DesiredPod| known.pod.hash == pod.hash;
            if !self.desired.pods.get(key).is_some_and(same) {
                want(&mut self.desired, pod);
            }
        }
        self.desired.complete = true;
        self.memory
            .wants(&self.desired, &self.last, self.engine.now());
    }

    /// One look and what comes of it.
    pub(super) fn tick(&mut self) -> Decision {
        self.has_seen = self.docker;
        if self.has_seen {
            self.last = self.look();
            self.engine.touched = false;
            self.memory
                .saw(&self.desired, &self.last, self.engine.now());
        }
        self.think()
    }

    /// Decides on what was seen last, as the agent does when a job has ended.
    pub(super) fn think(&mut self) -> Decision {
        self.read();
        if !self.has_seen {
            return Decision::default();
        }
        let decision = decide(
            &self.desired,
            &self.last,
            &self.memory,
            self.limits,
            self.engine.now(),
        );
        for action in &decision.actions {
            self.begin(action);
        }
        decision
    }

    /// Whether something is under way that is no probe.
    pub(super) fn is_busy(&self) -> bool {
        self.jobs
            .keys()
            .any(|job| !matches!(job, JobKey::Probe(..)))
    }

    /// When the first of the jobs will be killed, if all that there are hang.
    pub(super) fn hung(&self) -> Option<u64> {
        let all: Option<Vec<u64>> = self.jobs.values().map(|job| job.until).collect();
        all?.into_iter().min()
    }

    /// Every job makes one call; with `dice`, some go wrong.
    pub(super) fn work(&mut self, mut dice: Option<&mut Dice>) {
        let keys: Vec<JobKey> = self.jobs.keys().cloned().collect();
        for key in keys {
            let mishap = match &mut dice {
                _ if !self.docker => Mishap::Refused,
                Some(dice) => any_mishap(dice),
                None => Mishap::None,
            };
            self.work_at(&key, mishap);
        }
    }

    fn work_at(&mut self, key: &JobKey, mishap: Mishap) {
        let now = self.engine.ms;
        let Some(job) = self.jobs.get_mut(key) else {
            return;
        };
        if job.cancelled {
            // It was killed over what it was just doing.
            let mishap = if mishap == Mishap::None {
                Mishap::DieBefore
            } else {
                mishap
            };
            if job.until.is_none() {
                job.go_on(&mut self.engine, mishap, &mut Vec::new());
            }
            return self.end(key, JobEnd::Cancelled);
        }
        match job.until {
            Some(until) if until <= now => return self.end(key, JobEnd::Deadline),
            Some(_) => return,
            None => {}
        }
        let mut said = Vec::new();
        let went = job.go_on(&mut self.engine, mishap, &mut said);
        if went == Went::Hangs {
            job.until = Some(now + JOB_MAX_MS);
            self.engine.say(|| format!("{key:?} hangs"));
        }
        for report in said {
            if !is_dull(&report) {
                self.engine.say(|| format!("{key:?} says {report:?}"));
            }
            self.say(key, report);
        }
        match went {
            Went::On | Went::Hangs => {}
            Went::Died => self.end(key, JobEnd::Died("signal: 9".into())),
            Went::Ended(true) => self.end(key, JobEnd::Done),
            Went::Ended(false) => self.end(key, JobEnd::Failed),
        }
    }

    fn begin(&mut self, action: &Action) {
        let now = self.engine.ms;
        judge::action(self, action);
        let (key, work) = match action {
            Action::Cancel { job, .. } => {
                self.engine.say(|| format!("{action:?}"));
                self.fold(&Event::JobCancelled { job: job.clone() });
                if let Some(job) = self.jobs.get_mut(job) {
                    job.cancelled = true;
                }
                return;
            }
            Action::Probe {
                key,
                container,
                id,
                kind,
                ..
            } => {
                let job = JobKey::Probe(key.clone(), container.clone(), *kind);
                (job, Work::Probe { id: id.clone() })
            }
            Action::Pull {
                key,
                container,
                image,
                ..
            } => {
                self.begun.push((now, key.clone()));
                let job = JobKey::Pull(key.clone(), container.clone());
                (
                    job,
                    Work::Pull {
                        image: image.clone(),
                    },
                )
            }
            Action::Pod {
                key, uid, steps, ..
            } => {
                self.begun.push((now, key.clone()));
                let builds = steps.iter().any(Step::builds);
                let wanted = self.desired.pods.get(key).filter(|_| builds);
                let work = Work::Pod {
                    pod: wanted.map(|wanted| Rc::clone(&wanted.pod)),
                    uid: uid.clone(),
                    steps: steps.iter().cloned().collect::<VecDeque<Step>>(),
                    seen: self.memory.pods.get(key).map(|pod| pod.seen),
                };
                (JobKey::Pod(key.clone()), work)
            }
        };
        if !matches!(work, Work::Probe { .. }) {
            self.engine.say(|| format!("{action:?}"));
        }
        if self.jobs.contains_key(&key) {
            return self.engine.breaks(|| format!("two jobs under {key:?}"));
        }
        let (mut starts, mut sandbox, mut wants, mut uid) = (Vec::new(), false, None, None);
        if let Action::Pod { steps, uid: of, .. } = action {
            uid = Some(of.clone());
            let started = steps
                .iter()
                .filter(|step| matches!(step, Step::Start { .. }));
            starts = started
                .filter_map(Step::container)
                .cloned()
                .collect::<Vec<ContainerName>>();
            sandbox = steps
                .iter()
                .any(|step| matches!(step, Step::Sandbox { .. }));
        }
        match &work {
            Work::Pod { pod, .. } => wants = pod.as_ref().map(|pod| pod.hash.clone()),
            Work::Pull { .. } => {
                if let JobKey::Pull(key, _) = &key {
                    wants = self
                        .desired
                        .pods
                        .get(key)
                        .map(|wanted| wanted.pod.hash.clone());
                }
            }
            Work::Probe { .. } => {}
        }
        self.fold(&Event::JobStarted {
            job: key.clone(),
            what: String::new(),
            uid,
            wants,
            starts,
            sandbox,
        });
        self.jobs.insert(key, Job::new(work));
    }

    fn fold(&mut self, event: &Event) {
        self.memory.fold(event, CRASH_MAX, self.engine.now());
    }

    fn say(&mut self, job: &JobKey, report: Report) {
        self.fold(&Event::JobSaid {
            job: job.clone(),
            report,
        });
    }

    fn end(&mut self, key: &JobKey, end: JobEnd) {
        if !matches!(key, JobKey::Probe(..)) {
            self.engine.say(|| format!("{key:?} ended: {end:?}"));
        }
        self.jobs.remove(key);
        self.fold(&Event::JobEnded {
            job: key.clone(),
            end,
        });
    }

    fn look(&self) -> Observed {
        let mut observed = Observed {
            dirs: self.engine.dirs.clone(),
            ..Observed::default()
        };
        for thing in &self.engine.things {
            match thing.owner {
                Owner::Other => {}
                Owner::Stranger => observed.strangers.push(Stranger {
                    id: id(&thing.id),
                    name: thing.name.clone(),
                    why: "toy".into(),
                }),
                Owner::Ours => put(&mut observed.pods, thing),
            }
        }
        for pod in observed.pods.values_mut() {
            pod.sandboxes.sort_by_key(|s| std::cmp::Reverse(s.attempt));
            pod.containers.sort_by_key(|c| std::cmp::Reverse(c.attempt));
        }
        observed
    }
}

fn put(pods: &mut BTreeMap<PodUid, ObservedPod>, thing: &Thing) {
    let pod = pods.entry(thing.pod.uid.clone());
    let pod = pod.or_insert_with(|| ObservedPod {
        key: thing.pod.key.clone(),
        uid: thing.pod.uid.clone(),
        sandboxes: Vec::new(),
        containers: Vec::new(),
    });
    let spec = thing.pod.pod.spec.as_ref().unwrap();
    if thing.is_sandbox() {
        let host_network = spec.host_network == Some(true);
        let has_ip = thing.is_live() && !host_network;
        pod.sandboxes.push(Sandbox {
            id: id(&thing.id),
            attempt: thing.attempt,
            state: thing.state.clone(),
            hash: Some(thing.pod.hash.clone()),
            seen: thing.seen,
            ips: has_ip.then(|| "172.17.0.2".into()).into_iter().collect(),
            host_network,
        });
    } else {
        let mut init = spec.init_containers.iter().flatten();
        let sidecar = init.position(|c| c.name == thing.name && is_sidecar(c));
        let is_live = matches!(thing.state, ContainerState::Running { .. });
        pod.containers.push(Container {
            id: id(&thing.id),
            name: ContainerName(thing.name.clone()),
            attempt: thing.attempt,
            sandbox: id(&thing.sandbox),
            state: thing.state.clone(),
            grace_seconds: Some(2),
            sidecar: sidecar.map(|at| at as u32),
            starting: thing.starting && is_live,
            pre_stop: false,
            image: String::new(),
            image_id: String::new(),
        });
    }
}

fn want(desired: &mut Desired, pod: &Rc<ValidPod>) {
    let wanted = DesiredPod {
        pod: Rc::clone(pod),
        source: Source::File("/etc/kubelet.d/pod.yaml".into()),
    };
    desired.pods.insert(pod.key.clone(), wanted);
}

fn any_mishap(dice: &mut Dice) -> Mishap {
    if !dice.one_in(5) {
        return Mishap::None;
    }
    *dice.pick(&[
        Mishap::DieBefore,
        Mishap::DieAfter,
        Mishap::DieLate,
        Mishap::Refused,
        Mishap::Cut,
        Mishap::Hang,
    ])
}

/// A healthy probe is not worth a line of the story.
fn is_dull(report: &Report) -> bool {
    matches!(
        report,
        Report::Probed {
            found: Probed::Success,
            ..
        }
    )
}
