//! From any start, with any faults, the world comes to rest where it should, and breaks no rule on the way.
//!
//! A run is made from a number: random manifests and edits of them, then a time of random faults, then a time without.
//! `STATICLET_SEED=n` repeats the run of that number, with its story when it fails; `STATICLET_RUNS=m` makes m runs from
//! there (or from the first).

mod agent;
mod engine;
mod faults;
mod job;
mod judge;
mod pods;

use std::sync::atomic::{AtomicU64, Ordering};

use staticlet::decide::Decision;

use crate::support::dice::Dice;
use agent::World;

/// Runs when nothing else is asked for.
const RUNS: u64 = 20_000;

/// Turns of a world in which everything goes well until it is at rest.
const TURNS_MAX: u32 = 1_500;

/// Worlds with a program that fails for ever are looked at for this long.
const ENOUGH_MS: u64 = 700_000;

/// In the second half of it there are some attempts in vain: at most so many.
const ATTEMPTS_MAX: usize = 100;

const HOUR_MS: u64 = 3_600_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn any_faults_end_in_rest() {
    let seed = number("STATICLET_SEED");
    let runs = number("STATICLET_RUNS").unwrap_or(if seed.is_some() { 1 } else { RUNS });
    let first = seed.unwrap_or(1);
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    let broken = std::thread::scope(|scope| {
        let one = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + runs {
                    return None;
                }
                let told = Told(seed);
                if one_run(seed, false).is_err() {
                    next.store(first + runs, Ordering::Relaxed);
                    return Some(seed);
                }
                drop(told);
            }
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.filter_map(|end| end.unwrap_or(None)).min()
    });
    assert!(
        !PANICKED.load(Ordering::Relaxed),
        "a run panicked, see above"
    );
    if let Some(seed) = broken {
        let story = one_run(seed, true).unwrap_err();
        panic!("{story}\nSTATICLET_SEED={seed} repeats this run");
    }
}

static PANICKED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Says which run it was that panicked.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            PANICKED.store(true, Ordering::Relaxed);
            eprintln!("STATICLET_SEED={} repeats this run", self.0);
        }
    }
}

/// One run; the error is its story.
fn one_run(seed: u64, log: bool) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let mut world = World::new(&mut dice, log);
    let turns = 5 + dice.below(40);
    for _ in 0..turns {
        faults::disturb(&mut world, &mut dice);
        if dice.one_in(3) {
            world.think();
        } else {
            world.tick();
        }
        world.work(Some(&mut dice));
        let ms = if dice.one_in(20) { 20_000 } else { 800 };
        world.engine.pass(dice.below(ms));
        story(&mut world)?;
    }
    faults::mend(&mut world);
    settle(&mut world, ENOUGH_MS)?;
    story(&mut world)
}

/// Lets time pass without any fault until the world is at rest and stays so; or, where a program fails for ever, for a while.
fn settle(world: &mut World, enough_ms: u64) -> Result<(), String> {
    let enough = world.engine.ms + enough_ms;
    let hopeless = judge::is_hopeless(world);
    // What had been begun when the world came to rest.
    let mut rested = None;
    for _ in 0..TURNS_MAX {
        let decision = world.tick();
        let idle = judge::is_quiet(world, &decision);
        if idle {
            judge::at_rest(world, &decision);
        }
        world.work(None);
        story(world)?;
        let calm = idle && world.jobs.is_empty();
        // Probes tick without end, and may hide what else is due.
        let waits = decision.wake.is_some_and(|wake| wake.why != "probe");
        if calm && !waits && !(hopeless && decision.wake.is_some()) {
            if rested == Some(world.begun.len()) {
                return Ok(());
            }
            rested = Some(world.begun.len());
            world.engine.pass(HOUR_MS);
        } else if calm && hopeless && world.engine.ms > enough {
            return are_few(world);
        } else {
            let ms = pause(world, &decision, calm);
            world.engine.pass(ms);
        }
    }
    world
        .engine
        .breaks(|| format!("no rest after {TURNS_MAX} turns"));
    story(world)
}

/// The time to the next turn: a moment while something is under way, and else until something is due.
fn pause(world: &World, decision: &Decision, calm: bool) -> u64 {
    let now = world.engine.now().mono;
    let left = |at: u64| at.saturating_sub(world.engine.ms);
    let hung = world.hung().map(left);
    let wake = decision
        .wake
        .map(|wake| wake.at.since(now).as_millis() as u64);
    let wake_is_probe = decision.wake.is_some_and(|wake| wake.why == "probe");
    let due = world.engine.due().map(left);
    match wake.into_iter().chain(due).chain(hung).min() {
        // A late probe is one as well.
        Some(next) if calm && wake_is_probe => next + 30_000,
        Some(next) if calm && decision.actions.is_empty() => next + 1,
        Some(next) if !calm && hung.is_some() => next + 1,
        // Or there are more probes than may be made side by side.
        Some(_) | None => 60,
    }
}

/// Attempts in vain are not made all the time.
fn are_few(world: &mut World) -> Result<(), String> {
    let since = world.engine.ms.saturating_sub(ENOUGH_MS / 2);
    let late = world.begun.iter().filter(|(at, _)| *at > since).count();
    if late > ATTEMPTS_MAX {
        world
            .engine
            .breaks(|| format!("{late} actions in six minutes"));
    }
    story(world)
}

fn story(world: &mut World) -> Result<(), String> {
    let Some(broken) = &world.engine.broken else {
        return Ok(());
    };
    let log = world.engine.log.iter().flatten();
    let lines: Vec<&str> = log.map(String::as_str).collect();
    Err(format!("{}\n{broken}", lines.join("\n")))
}
