//! A Docker of a few rules: names are unique, what is asked for may be done late, and time is moved by the test alone.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use staticlet::pod::{PodUid, SpecHash, ValidPod, container_of, is_sidecar};
use staticlet::state::{ContainerState, Exit};
use staticlet::status::{Again, Restart};
use staticlet::sys::{Mono, Now, Wall};

use super::pods::{Habit, habit};
use crate::support::world::at_ms;

pub(super) const SANDBOX: &str = "POD";

/// Whose a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Ours,
    /// Has labels of ours that do not parse.
    Stranger,
    /// Somebody else's altogether; its name may be one that we want.
    Other,
}

/// One container.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) id: String,
    pub(super) owner: Owner,
    pub(super) pod: Rc<ValidPod>,
    pub(super) name: String,
    pub(super) attempt: u32,
    /// The id of the sandbox that it joins.
    pub(super) sandbox: String,
    pub(super) state: ContainerState,
    /// Its postStart hook has not ended.
    pub(super) starting: bool,
    /// It fails its probes.
    pub(super) ill: bool,
    /// When it ends by itself, and with which code.
    pub(super) ends: Option<(u64, i32)>,
    /// When the pod was first seen, as its sandbox's label says.
    pub(super) seen: Option<Wall>,
    /// It was asked to end: its exit code is not its own then.
    pub(super) stopped: bool,
    /// Somebody started it by hand.
    pub(super) by_hand: bool,
}

impl Thing {
    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    pub(super) fn is_sandbox(&self) -> bool {
        self.name == SANDBOX
    }

    pub(super) fn is_ours(&self) -> bool {
        self.owner == Owner::Ours
    }

    fn has_name_of(&self, other: &Thing) -> bool {
        self.pod.uid == other.pod.uid && self.name == other.name && self.attempt == other.attempt
    }
}

/// One call that changes something.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Create(Box<Thing>),
    Start(String),
    /// TERM; the end comes some time later.
    Stop(String, u64),
    Remove(String),
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Gone,
    Conflict,
    CannotRun,
}

/// The daemon, its containers, images and directories.
#[derive(Default)]
pub(super) struct Engine {
    pub(super) ms: u64,
    /// What the civil clock is ahead of the other one by.
    pub(super) wall_ahead_ms: i64,
    pub(super) things: Vec<Thing>,
    pub(super) dirs: BTreeSet<PodUid>,
    pub(super) images: BTreeSet<String>,
    pub(super) registry: bool,
    /// Calls whose caller is gone and that take effect at this time.
    pub(super) late: Vec<(u64, Call)>,
    /// The first rule that was broken.
    pub(super) broken: Option<String>,
    pub(super) log: Option<Vec<String>>,
    /// Something has happened by itself since the agent looked last.
    pub(super) touched: bool,
    /// Somebody has removed containers by hand.
    pub(super) gaps: bool,
    runs: BTreeMap<(SpecHash, String), u64>,
    /// What has been started in which sandbox.
    began: BTreeSet<(String, String)>,
    ids: u64,
}

impl Engine {
    /// An empty one; `log` keeps the story.
    pub(super) fn new(log: bool) -> Engine {
        Engine {
            registry: true,
            log: log.then(Vec::new),
            ..Engine::default()
        }
    }

    pub(super) fn now(&self) -> Now {
        let now = at_ms(self.ms);
        Now {
            wall: Wall(now.wall.0 + self.wall_ahead_ms * 1000),
            mono: Mono(now.mono.0),
        }
    }

    pub(super) fn say(&mut self, text: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!("{:>8} ms {}", self.ms, text()));
        }
    }

    /// Notes that a rule does not hold.
    pub(super) fn breaks(&mut self, rule: impl FnOnce() -> String) {
        if self.broken.is_none() {
            let rule = rule();
            self.say(|| format!("BROKEN: {rule}"));
            self.broken = Some(rule);
        }
    }

    pub(super) fn id(&mut self) -> String {
        self.ids += 1;
        format!("id{}", self.ids)
    }

    pub(super) fn find(&self, id: &str) -> Option<&Thing> {
        self.things.iter().find(|thing| thing.id == id)
    }

    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Thing> {
        self.things.iter_mut().find(|thing| thing.id == id)
    }

    /// The newest live sandbox of a pod.
    pub(super) fn sandbox(&self, uid: &PodUid) -> Option<&Thing> {
        let ours = self.things.iter().filter(|thing| {
            thing.is_ours() && thing.is_sandbox() && thing.is_live() && thing.pod.uid == *uid
        });
        ours.max_by_key(|thing| thing.attempt)
    }

    /// Time goes on: what is due ends, what was asked for late is done.
    pub(super) fn pass(&mut self, ms: u64) {
        self.ms += ms;
        let now = self.ms;
        let due: Vec<(String, i32)> = self
            .things
            .iter()
            .filter(|thing| thing.is_live())
            .filter_map(|thing| {
                thing
                    .ends
                    .filter(|(at, _)| *at <= now)
                    .map(|(_, code)| (thing.id.clone(), code))
            })
            .collect();
        for (id, code) in due {
            self.end(&id, code);
        }
        while let Some(at) = self.late.iter().position(|(at, _)| *at <= now) {
            let (_, call) = self.late.remove(at);
            self.touched = true;
            self.say(|| format!("late: {}", words(&call)));
            let _ = self.call(call);
        }
    }

    /// When something happens by itself next.
    pub(super) fn due(&self) -> Option<u64> {
        let ends = self.things.iter().filter(|thing| thing.is_live());
        let ends = ends.filter_map(|thing| thing.ends.map(|(at, _)| at));
        ends.chain(self.late.iter().map(|(at, _)| *at)).min()
    }

    /// A container ends, and with a sandbox the network of those that joined it, which they do not notice.
    pub(super) fn end(&mut self, id: &str, code: i32) {
        let finished = self.now().wall;
        let Some(thing) = self.find_mut(id) else {
            return;
        };
        let ContainerState::Running { started } = thing.state else {
            return;
        };
        thing.state = ContainerState::Exited(Exit {
            code,
            reason: if code == 0 { "Completed" } else { "Error" }.into(),
            message: String::new(),
            started,
            finished,
        });
        thing.ends = None;
        let name = thing.name.clone();
        self.say(|| format!("{name} {id} ended with {code}"));
    }

    pub(super) fn call(&mut self, call: Call) -> Result<(), Refused> {
        match call {
            Call::Create(thing) => self.create(*thing),
            Call::Start(id) => self.start(&id),
            Call::Stop(id, within) => {
                let at = self.ms + within;
                let thing = self.find_mut(&id).ok_or(Refused::Gone)?;
                thing.stopped |= thing.is_live();
                let sooner = thing.ends.is_none_or(|(ends, _)| at < ends);
                if thing.is_live() && sooner {
                    thing.ends = Some((at, 143));
                }
                Ok(())
            }
            Call::Remove(id) => {
                let before = self.things.len();
                self.things.retain(|thing| thing.id != id);
                if before == self.things.len() {
                    Err(Refused::Gone)
                } else {
                    Ok(())
                }
            }
        }
    }

    fn create(&mut self, thing: Thing) -> Result<(), Refused> {
        if self.things.iter().any(|other| other.has_name_of(&thing)) {
            return Err(Refused::Conflict);
        }
        self.things.push(thing);
        Ok(())
    }

    fn start(&mut self, id: &str) -> Result<(), Refused> {
        let thing = self.find(id).ok_or(Refused::Gone)?.clone();
        match thing.state {
            ContainerState::Running { .. } => return Ok(()),
            ContainerState::Created | ContainerState::Exited(_) => {}
            ContainerState::Unknown { .. } => return Err(Refused::Conflict),
        }
        let key = (thing.pod.hash.clone(), thing.name.clone());
        let run = self.runs.entry(key).or_default();
        *run += 1;
        let (habit, times) = if thing.is_sandbox() {
            (Habit::Ends(0), 0)
        } else {
            habit(&thing.pod, &thing.name)
        };
        let habit = Some(habit).filter(|_| *run <= times);
        let joins = thing.is_sandbox() || self.find(&thing.sandbox).is_some_and(Thing::is_live);
        let now = self.now().wall;
        if habit == Some(Habit::CannotRun) || !joins {
            let exit = Exit {
                code: 127,
                reason: "ContainerCannotRun".into(),
                message: String::new(),
                started: now,
                finished: now,
            };
            if let Some(thing) = self.find_mut(id) {
                thing.state = ContainerState::Exited(exit);
            }
            return Err(Refused::CannotRun);
        }
        if !thing.by_hand {
            self.may_start(&thing);
        }
        let spec = thing.pod.pod.spec.as_ref().unwrap();
        let init = spec.init_containers.iter().flatten();
        let is_init = init.clone().any(|c| c.name == thing.name && !is_sidecar(c));
        let ends = match habit {
            Some(Habit::Ends(code)) => Some((self.ms + 700, code)),
            // A sequence goes on when this one has ended.
            _ if is_init => Some((self.ms + 400, 0)),
            Some(Habit::Ill | Habit::BadHook | Habit::CannotRun) | None => None,
        };
        let hooked = container_of(spec, &thing.name).is_some_and(|c| {
            c.lifecycle
                .as_ref()
                .is_some_and(|lifecycle| lifecycle.post_start.is_some())
        });
        if let Some(thing) = self.find_mut(id) {
            thing.state = ContainerState::Running { started: now };
            thing.ends = ends;
            thing.ill = habit == Some(Habit::Ill);
            thing.starting = hooked;
        }
        self.began.insert((thing.sandbox, thing.name));
        Ok(())
    }

    /// Whether the postStart hook of this run fails.
    pub(super) fn is_hook_bad(&self, thing: &Thing) -> bool {
        let key = (thing.pod.hash.clone(), thing.name.clone());
        let run = self.runs.get(&key).copied().unwrap_or(0);
        let (habit, times) = habit(&thing.pod, &thing.name);
        habit == Habit::BadHook && run <= times
    }

    /// What always holds when one of ours starts.
    fn may_start(&mut self, thing: &Thing) {
        let who = format!("{} of {} as {}", thing.name, thing.pod.hash, thing.id);
        let same = |other: &&Thing| {
            other.is_ours()
                && other.pod.key == thing.pod.key
                && other.name == thing.name
                && other.id != thing.id
        };
        if let Some(twin) = self
            .things
            .iter()
            .filter(same)
            .find(|other| other.is_live() && !other.by_hand)
        {
            let twin = twin.id.clone();
            self.breaks(|| format!("two live copies: {who} started beside {twin}"));
        }
        let newest = self.things.iter().filter(same).filter(|other| {
            other.pod.uid == thing.pod.uid && other.state != ContainerState::Created
        });
        let newest = newest.map(|other| other.attempt).max();
        // Where somebody removed one there may be a gap.
        let is_next =
            |newest: u32| thing.attempt == newest + 1 || (self.gaps && thing.attempt > newest);
        if newest.is_some_and(|newest| !is_next(newest)) {
            let attempt = thing.attempt;
            self.breaks(|| format!("wrong count: {who} is attempt {attempt} after {newest:?}"));
        }
        if !thing.is_sandbox() {
            if !self.dirs.contains(&thing.pod.uid) {
                self.breaks(|| format!("no directory: {who} started without its volumes"));
            }
            self.in_turn(thing, &who);
            self.not_again(thing, &who);
        }
    }

    /// Nothing is started in a sandbox before every init container that comes before it has been.
    fn in_turn(&mut self, thing: &Thing, who: &str) {
        let spec = thing.pod.pod.spec.as_ref().unwrap();
        let init = spec.init_containers.iter().flatten();
        let before: Vec<String> = init
            .map(|c| c.name.clone())
            .take_while(|name| *name != thing.name)
            .collect();
        for earlier in before {
            if !self
                .began
                .contains(&(thing.sandbox.clone(), earlier.clone()))
            {
                self.breaks(|| format!("out of turn: {who} started before {earlier}"));
            }
        }
    }

    /// What has ended for good is not run again as long as there is a trace of it.
    fn not_again(&mut self, thing: &Thing, who: &str) {
        let spec = thing.pod.pod.spec.as_ref();
        let list = spec.map_or(&[][..], |spec| &spec.containers);
        let Some(of) = list.iter().find(|c| c.name == thing.name) else {
            return;
        };
        let rule = Restart::of(spec, Some(of));
        let ended = self.things.iter().any(|other| {
            let same =
                other.is_ours() && other.pod.hash == thing.pod.hash && other.name == thing.name;
            let ContainerState::Exited(exit) = &other.state else {
                return false;
            };
            let own = !other.stopped || rule.is_never();
            same && own && rule.after(exit.code) == Again::No
        });
        if ended {
            self.breaks(|| format!("run again: {who} had ended for good"));
        }
    }
}

pub(super) fn words(call: &Call) -> String {
    match call {
        Call::Create(thing) => format!(
            "create {} {} of {} as {}",
            thing.name, thing.attempt, thing.pod.hash, thing.id
        ),
        Call::Start(id) => format!("start {id}"),
        Call::Stop(id, within) => format!("stop {id} within {within} ms"),
        Call::Remove(id) => format!("remove {id}"),
    }
}
