//! What may happen to a world from outside.

use std::rc::Rc;

use staticlet::state::ContainerState;

use super::agent::World;
use super::engine::{Call, Owner, SANDBOX, Thing};
use super::pods::{KEYS, key_of, random};
use crate::support::dice::Dice;

/// Wall clocks jump by minutes, hours and decades.
const JUMPS_MS: [i64; 6] = [
    -600_000,
    600_000,
    -7_200_000,
    7_200_000,
    -1_500_000_000_000,
    1_500_000_000_000,
];

/// One thing happens, or nothing.
pub(super) fn disturb(world: &mut World, dice: &mut Dice) {
    let n = dice.below(KEYS);
    match dice.below(24) {
        0..=3 => edit(world, n, dice),
        4 => {
            world.engine.say(|| format!("unwanted: {}", key_of(n)));
            world.truth.remove(&key_of(n));
        }
        5 => world.restart(dice),
        6 if dice.one_in(3) => dockerd_restarts(world, dice),
        7 | 8 => {
            let live = |thing: &&Thing| thing.is_ours() && thing.is_live();
            if let Some(id) = any(world, dice, live) {
                world.engine.say(|| format!("somebody kills {id}"));
                world.engine.touched = true;
                world.engine.end(&id, 137);
            }
        }
        9 => {
            if let Some(id) = any(world, dice, |thing| thing.is_ours()) {
                world.engine.say(|| format!("somebody removes {id}"));
                world.engine.touched = true;
                world.engine.gaps = true;
                let _ = world.engine.call(Call::Remove(id));
            }
        }
        10 => {
            let dead = |thing: &&Thing| thing.is_ours() && !thing.is_live();
            if let Some(id) = any(world, dice, dead) {
                odd_state(world, &id, dice);
            }
        }
        11 => {
            let image = *dice.pick(&["a:1", "b:1"]);
            world.engine.say(|| format!("image {image} is removed"));
            world.engine.images.remove(image);
        }
        12 => {
            world.engine.registry = !world.engine.registry;
            let there = world.engine.registry;
            world.engine.say(|| format!("registry: {there}"));
        }
        13 => {
            world.engine.wall_ahead_ms += *dice.pick(&JUMPS_MS);
            world.engine.say(|| "the civil clock jumps".into());
        }
        14 => foreign(world, n, dice),
        15 => world.blind = false,
        16 => {
            world.docker = !world.docker;
            let there = world.docker;
            world.engine.say(|| format!("dockerd answers: {there}"));
        }
        _ => {}
    }
}

/// From here on nothing goes wrong any more, but for what stands in the manifests.
pub(super) fn mend(world: &mut World) {
    world.engine.say(|| "all is mended".into());
    world.blind = false;
    world.docker = true;
    world.engine.registry = true;
    world
        .engine
        .things
        .retain(|thing| thing.owner != Owner::Other);
}

fn any(world: &World, dice: &mut Dice, which: impl Fn(&&Thing) -> bool) -> Option<String> {
    let all: Vec<&Thing> = world.engine.things.iter().filter(which).collect();
    (!all.is_empty()).then(|| dice.pick(&all).id.clone())
}

fn edit(world: &mut World, n: u64, dice: &mut Dice) {
    // Often back to what it was before.
    let old = world.engine.things.iter().map(|thing| &thing.pod);
    let old: Vec<_> = old.filter(|pod| pod.key == key_of(n)).cloned().collect();
    let pod = if !old.is_empty() && dice.one_in(3) {
        dice.pick(&old).clone()
    } else {
        Rc::new(random(n, dice.below(1_000_000), dice))
    };
    world.put(pod);
}

fn dockerd_restarts(world: &mut World, dice: &mut Dice) {
    world.engine.say(|| "dockerd restarts".into());
    let code = *dice.pick(&[0, 137, 143, 255]);
    let ids: Vec<String> = world
        .engine
        .things
        .iter()
        .map(|thing| thing.id.clone())
        .collect();
    for id in ids {
        world.engine.end(&id, code);
    }
    world.engine.late.clear();
    world.engine.touched = true;
}

/// States that dockerd shows now and then.
fn odd_state(world: &mut World, id: &str, dice: &mut Dice) {
    world.engine.touched = true;
    let by_hand = dice.one_in(2);
    let Some(thing) = world.engine.find_mut(id) else {
        return;
    };
    if by_hand {
        thing.by_hand = true;
        let id = id.to_owned();
        world.engine.say(|| format!("somebody starts {id}"));
        let _ = world.engine.call(Call::Start(id));
    } else {
        thing.state = ContainerState::Unknown {
            word: "dead".into(),
        };
        // Nobody knows whether it has run.
        world.engine.gaps = true;
        world.engine.say(|| format!("{id} is dead"));
    }
}

/// A container that is not ours: one with labels that do not parse, or one that has taken a name.
fn foreign(world: &mut World, n: u64, dice: &mut Dice) {
    let Some(pod) = world.truth.get(&key_of(n)).cloned() else {
        return;
    };
    let owner = *dice.pick(&[Owner::Stranger, Owner::Other]);
    let thing = Thing {
        id: world.engine.id(),
        owner,
        pod,
        name: dice.pick(&[SANDBOX, "app", "side"]).to_string(),
        // A stranger's name is no name of ours.
        attempt: if owner == Owner::Other {
            dice.below(2) as u32
        } else {
            1000
        },
        sandbox: String::new(),
        state: crate::support::world::running(),
        starting: false,
        ill: false,
        ends: None,
        seen: None,
        stopped: false,
        by_hand: false,
    };
    world
        .engine
        .say(|| format!("foreign: {:?} {} {}", thing.owner, thing.name, thing.id));
    let _ = world.engine.call(Call::Create(Box::new(thing)));
}
