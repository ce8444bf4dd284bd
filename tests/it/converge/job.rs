//! Jobs of the toy world: one call of a step at a time, so that they can be lost between any two.

use std::collections::VecDeque;
use std::rc::Rc;

use staticlet::decide::{ImageChoice, Step, StopTarget};
use staticlet::pod::{ContainerName, PodUid, ValidPod, container_of};
use staticlet::state::{ContainerId, ContainerState, FailReason, Probed, Report};
use staticlet::sys::Wall;

use super::engine::{Call, Engine, Owner, Refused, SANDBOX, Thing};
use crate::support::world::id;

/// What happens to one call of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    None,
    /// The job dies before it.
    DieBefore,
    /// The job dies when it is done, and before it says so.
    DieAfter,
    /// The job dies, and the call is carried out some time later.
    DieLate,
    /// dockerd refuses.
    Refused,
    /// It is done, and the answer is cut off.
    Cut,
    /// There is no answer until the job's deadline.
    Hang,
}

/// How far a job is after a call.
#[derive(Debug, PartialEq)]
pub(super) enum Went {
    On,
    Died,
    Hangs,
    /// It has ended; whether all went well.
    Ended(bool),
}

/// What a job does.
pub(super) enum Work {
    Pod {
        pod: Option<Rc<ValidPod>>,
        uid: PodUid,
        steps: VecDeque<Step>,
        seen: Option<Wall>,
    },
    Pull {
        image: String,
    },
    Probe {
        id: ContainerId,
    },
}

/// A job under way.
pub(super) struct Job {
    pub(super) work: Work,
    /// The end of it, when it hangs.
    pub(super) until: Option<u64>,
    pub(super) cancelled: bool,
    stage: u32,
    made: Option<String>,
    failed: bool,
}

type Said = Vec<Report>;

impl Job {
    pub(super) fn new(work: Work) -> Job {
        Job {
            work,
            until: None,
            cancelled: false,
            stage: 0,
            made: None,
            failed: false,
        }
    }

    /// Makes the next call.
    pub(super) fn go_on(&mut self, engine: &mut Engine, mishap: Mishap, said: &mut Said) -> Went {
        match mishap {
            Mishap::DieBefore => return Went::Died,
            Mishap::Hang => return Went::Hangs,
            Mishap::None | Mishap::DieAfter | Mishap::DieLate | Mishap::Refused | Mishap::Cut => {}
        }
        match &mut self.work {
            Work::Pull { image } => {
                let image = image.clone();
                pull(engine, &image, mishap, said)
            }
            Work::Probe { id: of } => {
                let live = engine.find(&of.0).filter(|thing| thing.is_live());
                let found = match live.map(|thing| thing.ill) {
                    _ if mishap == Mishap::Refused => Probed::Unknown,
                    Some(false) => Probed::Success,
                    Some(true) | None => Probed::Failure,
                };
                said.push(Report::Probed {
                    id: of.clone(),
                    found,
                    output: String::new(),
                });
                Went::Ended(true)
            }
            Work::Pod { steps, .. } => {
                let Some(step) = steps.front().cloned() else {
                    return Went::Ended(!self.failed);
                };
                self.step(&step, engine, mishap, said)
            }
        }
    }

    fn pod(&self) -> &Rc<ValidPod> {
        match &self.work {
            Work::Pod { pod: Some(pod), .. } => pod,
            Work::Pod { .. } | Work::Pull { .. } | Work::Probe { .. } => {
                panic!("builds without a pod")
            }
        }
    }

    fn uid(&self) -> PodUid {
        match &self.work {
            Work::Pod { uid, .. } => uid.clone(),
            Work::Pull { .. } | Work::Probe { .. } => PodUid(String::new()),
        }
    }

    fn done(&mut self) -> Went {
        if let Work::Pod { steps, .. } = &mut self.work {
            steps.pop_front();
        }
        self.stage = 0;
        self.made = None;
        Went::On
    }

    fn fail(
        &mut self,
        container: Option<ContainerName>,
        reason: FailReason,
        said: &mut Said,
    ) -> Went {
        let goes_on = container.is_some();
        said.push(Report::Failed {
            container,
            reason,
            message: "dockerd 500: toy".into(),
        });
        self.failed = true;
        if goes_on {
            self.done()
        } else {
            Went::Ended(false)
        }
    }

    /// Makes one call that changes something, or lets a mishap have it.
    fn make(
        &mut self,
        engine: &mut Engine,
        call: Call,
        mishap: Mishap,
    ) -> Result<(), Result<Refused, Went>> {
        match mishap {
            Mishap::Refused => Err(Ok(Refused::Conflict)),
            Mishap::DieLate => {
                engine.late.push((engine.ms + 300, call));
                Err(Err(Went::Died))
            }
            Mishap::Cut => {
                let _ = engine.call(call);
                Err(Ok(Refused::Conflict))
            }
            Mishap::DieAfter => {
                let _ = engine.call(call);
                Err(Err(Went::Died))
            }
            Mishap::None | Mishap::DieBefore | Mishap::Hang => engine.call(call).map_err(Ok),
        }
    }

    fn step(&mut self, step: &Step, engine: &mut Engine, mishap: Mishap, said: &mut Said) -> Went {
        let uid = self.uid();
        match step {
            Step::Volumes if mishap == Mishap::Refused => {
                self.fail(None, FailReason::FailedMount, said)
            }
            Step::Volumes => {
                engine.dirs.insert(uid);
                self.done()
            }
            // First the mounts, then the directory.
            Step::Cleanup if self.stage < 2 => {
                self.stage += 1;
                Went::On
            }
            Step::Cleanup if mishap == Mishap::Refused => {
                self.fail(None, FailReason::KillContainerError, said)
            }
            Step::Cleanup => {
                let uses =
                    |thing: &&Thing| thing.is_ours() && thing.is_live() && thing.pod.uid == uid;
                let mut uses = engine.things.iter().filter(uses);
                let live = uses.find(|thing| !thing.is_sandbox() && !thing.by_hand);
                if let Some(live) = live.map(|live| live.id.clone()) {
                    engine.breaks(|| format!("directory of {uid} removed under {live}"));
                }
                engine.dirs.remove(&uid);
                self.done()
            }
            Step::Stop { containers } => self.stop(containers, engine, mishap, said),
            Step::Remove { containers } => self.remove(containers, engine, mishap, said),
            Step::PostStart { container, id, .. } => self.hook(container, &id.0, engine, said),
            Step::Sandbox { attempt } => self.sandbox(*attempt, engine, mishap, said),
            Step::Start {
                container,
                attempt,
                image,
            } => self.start((container, *attempt, image), engine, mishap, said),
        }
    }

    fn stop(
        &mut self,
        targets: &[StopTarget],
        engine: &mut Engine,
        mishap: Mishap,
        said: &mut Said,
    ) -> Went {
        if self.stage == 0 {
            for (at, target) in targets.iter().enumerate() {
                let within = 100 + 300 * (at as u64 % 3);
                match self.make(engine, Call::Stop(target.id.0.clone(), within), mishap) {
                    Ok(()) | Err(Ok(Refused::Gone)) => {}
                    Err(Ok(_)) => return self.fail(None, FailReason::KillContainerError, said),
                    Err(Err(went)) => return went,
                }
            }
            self.stage = 1;
            return Went::On;
        }
        let live = |target: &&StopTarget| engine.find(&target.id.0).is_some_and(Thing::is_live);
        let late = targets.iter().filter(live).map(|one| one.id.0.clone());
        let late: Vec<String> = late.collect();
        self.stage += 1;
        if late.is_empty() {
            return self.done();
        }
        // The grace is over: somebody may have started it anew.
        for id in late.iter().filter(|_| self.stage > 40) {
            engine.end(id, 137);
        }
        Went::On
    }

    fn remove(
        &mut self,
        ids: &[ContainerId],
        engine: &mut Engine,
        mishap: Mishap,
        said: &mut Said,
    ) -> Went {
        let Some(next) = ids.get(self.stage as usize) else {
            return self.done();
        };
        match self.make(engine, Call::Remove(next.0.clone()), mishap) {
            Ok(()) | Err(Ok(Refused::Gone)) => {
                self.stage += 1;
                Went::On
            }
            Err(Ok(_)) => self.fail(None, FailReason::KillContainerError, said),
            Err(Err(went)) => went,
        }
    }

    fn hook(
        &mut self,
        container: &ContainerName,
        of: &str,
        engine: &mut Engine,
        said: &mut Said,
    ) -> Went {
        let Some(thing) = engine.find(of).cloned() else {
            said.push(Report::Hooked { id: id(of) });
            return self.done();
        };
        let bad = thing.starting && engine.is_hook_bad(&thing);
        if bad {
            engine.end(of, 137);
        }
        if let Some(thing) = engine.find_mut(of) {
            thing.starting = false;
        }
        said.push(Report::Hooked { id: id(of) });
        if bad {
            return self.fail(
                Some(container.clone()),
                FailReason::PostStartHookError,
                said,
            );
        }
        self.done()
    }

    /// Creates a container; a name that a dead one of the same version holds is freed first, as the real job does.
    fn create(
        &mut self,
        thing: Thing,
        engine: &mut Engine,
        mishap: Mishap,
    ) -> Result<(), Result<Refused, Went>> {
        let holder = engine.things.iter().find(|other| {
            other.is_ours()
                && other.pod.hash == thing.pod.hash
                && other.name == thing.name
                && other.attempt == thing.attempt
                && !other.is_live()
        });
        if let Some(holder) = holder.map(|holder| holder.id.clone()) {
            let _ = engine.call(Call::Remove(holder));
        }
        let made = thing.id.clone();
        self.make(engine, Call::Create(Box::new(thing)), mishap)?;
        self.made = Some(made);
        self.stage = 1;
        Ok(())
    }

    fn sandbox(
        &mut self,
        attempt: u32,
        engine: &mut Engine,
        mishap: Mishap,
        said: &mut Said,
    ) -> Went {
        let result = match self.made.clone() {
            None => {
                let thing = self.thing(SANDBOX, attempt, String::new(), engine);
                self.create(thing, engine, mishap).map(|()| Went::On)
            }
            Some(made) if self.stage == 1 => {
                self.stage = 2;
                self.make(engine, Call::Start(made), mishap)
                    .map(|()| Went::On)
            }
            Some(made) => {
                if !engine.find(&made).is_some_and(Thing::is_live) || mishap == Mishap::Refused {
                    return self.fail(None, FailReason::CreatePodSandboxError, said);
                }
                said.push(Report::SandboxUp { id: id(&made) });
                return self.done();
            }
        };
        match result {
            Ok(went) | Err(Err(went)) => went,
            Err(Ok(_)) => self.fail(None, FailReason::CreatePodSandboxError, said),
        }
    }

    fn start(
        &mut self,
        (container, attempt, choice): (&ContainerName, u32, &ImageChoice),
        engine: &mut Engine,
        mishap: Mishap,
        said: &mut Said,
    ) -> Went {
        let made = self.made.clone();
        match (self.stage, made) {
            (0, _) | (_, None) => {
                let spec = self.pod().pod.spec.as_ref().unwrap();
                let image = container_of(spec, &container.0).and_then(|c| c.image.clone());
                let is_here = image.is_some_and(|image| engine.images.contains(&image));
                match choice {
                    ImageChoice::Never if !is_here => {
                        return self.fail(
                            Some(container.clone()),
                            FailReason::ErrImageNeverPull,
                            said,
                        );
                    }
                    ImageChoice::Local | ImageChoice::Id(_) if !is_here => {
                        said.push(Report::ImageMissing {
                            container: container.clone(),
                        });
                        return self.done();
                    }
                    ImageChoice::Never | ImageChoice::Local | ImageChoice::Id(_) => {}
                }
                let Some(pause) = engine.sandbox(&self.uid()).map(|pause| pause.id.clone()) else {
                    return self.fail(
                        Some(container.clone()),
                        FailReason::CreateContainerError,
                        said,
                    );
                };
                let thing = self.thing(&container.0, attempt, pause, engine);
                match self.create(thing, engine, mishap) {
                    Ok(()) => Went::On,
                    Err(Err(went)) => went,
                    Err(Ok(_)) => self.fail(
                        Some(container.clone()),
                        FailReason::CreateContainerError,
                        said,
                    ),
                }
            }
            (1, Some(made)) => match self.make(engine, Call::Start(made), mishap) {
                Ok(()) => {
                    self.stage = 2;
                    Went::On
                }
                Err(Err(went)) => went,
                Err(Ok(_)) => {
                    self.fail(Some(container.clone()), FailReason::RunContainerError, said)
                }
            },
            (2, Some(made)) => {
                said.push(Report::Started {
                    container: container.clone(),
                    id: id(&made),
                    attempt,
                });
                self.stage = 3;
                Went::On
            }
            (_, Some(made)) => self.hook(container, &made, engine, said),
        }
    }

    fn thing(&self, name: &str, attempt: u32, sandbox: String, engine: &mut Engine) -> Thing {
        let seen = match &self.work {
            Work::Pod { seen, .. } => *seen,
            Work::Pull { .. } | Work::Probe { .. } => None,
        };
        Thing {
            id: engine.id(),
            owner: Owner::Ours,
            pod: self.pod().clone(),
            name: name.into(),
            attempt,
            sandbox,
            state: ContainerState::Created,
            starting: false,
            ill: false,
            ends: None,
            seen,
            stopped: false,
            by_hand: false,
        }
    }
}

fn pull(engine: &mut Engine, image: &str, mishap: Mishap, said: &mut Said) -> Went {
    let is_there = engine.registry && image != super::pods::LOST_IMAGE && mishap != Mishap::Refused;
    let is_here = engine.images.contains(image);
    if is_there {
        engine.images.insert(image.to_owned());
    }
    if mishap == Mishap::DieAfter || mishap == Mishap::DieLate {
        return Went::Died;
    }
    if is_there || is_here {
        let note = if is_there { "" } else { "registry away" };
        said.push(Report::Pulled {
            image_id: "sha256:1".into(),
            note: note.into(),
        });
        return Went::Ended(true);
    }
    said.push(Report::Failed {
        container: None,
        reason: FailReason::ErrImagePull,
        message: "no such host".into(),
    });
    Went::Ended(false)
}
