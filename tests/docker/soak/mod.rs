//! Fifty pods for half an hour while everything around them goes wrong; at the end each is what it should be, and then
//! nothing is left of any.
//!
//! `STATICLET_SOAK=seconds` says how long, 120 among all tests, 1800 by `tests/run soak`. dockerd is one of the test's own,
//! since it is restarted. The agent is killed early only: its memory is watched from then on, and a line laid through it.

mod chaos;
mod leaks;
mod pods;

use std::thread;
use std::time::{Duration, Instant};

use crate::support::agent::eventually;
use crate::support::dice::Dice;
use chaos::Stage;
use leaks::Watch;

/// How long among all tests; with what comes before and after some three minutes.
const SHORT_SECONDS: u64 = 120;

/// From this length on the bar of the project holds; in a shorter run what the heap reaches once looks like a slope.
const LONG_SECONDS: u64 = 1200;

/// The bar: anonymous memory of the agent, KiB a minute.
const SLOPE_MAX: f64 = 1.0;

/// The bar of a short run: KiB from the end of the warm-up to the end.
const SHORT_GROWTH_MAX: f64 = 1024.0;

/// Dockerd ends this often in a run.
const RESTARTS: u32 = 4;

#[test]
#[ignore = "needs dockerd"]
fn fifty_pods_outlive_what_goes_wrong_and_leave_nothing_behind() {
    let given = std::env::var("STATICLET_SOAK").ok();
    let seconds = given
        .and_then(|text| text.parse().ok())
        .unwrap_or(SHORT_SECONDS);
    let seed = std::env::var("STATICLET_SEED").ok();
    let seed = seed
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| u64::from(std::process::id()));
    println!("soak of {seconds} s, STATICLET_SEED={seed}");
    let mut dice = Dice::new(seed);
    let mut stage = Stage::new();
    stage.settle();
    let before = leaks::Open::of(stage.agent.pid());

    let time = Duration::from_secs(seconds);
    let warm_up = time / 5;
    let begin = Instant::now();
    while begin.elapsed() < warm_up {
        stage.disturb(&mut dice);
        if dice.one_in(20) {
            stage.kill_agent();
        }
        thread::sleep(Duration::from_millis(200 + dice.below(800)));
    }
    let mut watch = Watch::default();
    let (mut restarts, mut acts) = (0, 0);
    while begin.elapsed() < time {
        let due = warm_up + (time - warm_up) * (restarts * 2 + 1) / (RESTARTS * 2);
        if begin.elapsed() > due {
            stage.restart_dockerd(restarts % 2 == 0);
            restarts += 1;
        }
        stage.disturb(&mut dice);
        acts += 1;
        watch.sample(stage.agent.pid());
        thread::sleep(Duration::from_millis(200 + dice.below(800)));
    }
    println!(
        "{acts} disturbances and {restarts} restarts of dockerd after the warm-up: {:?}",
        stage.done
    );
    assert!(stage.agent.is_alive(), "{}", stage.agent.log());

    stage.heal();
    stage.settle();
    let after = leaks::Open::of(stage.agent.pid());
    println!("before: {before:?}\nafter: {after:?}\n{watch}");
    stage.leave();
    eventually(
        &stage.agent,
        "as many files and jobs are open as before",
        Duration::from_secs(60),
        || leaks::Open::of(stage.agent.pid()).is_within(&before),
    );
    let (slope, growth) = (watch.slope(), watch.growth());
    if seconds >= LONG_SECONDS {
        assert!(slope < SLOPE_MAX, "memory grows by {slope:.2} KiB a minute");
    } else {
        assert!(growth < SHORT_GROWTH_MAX, "memory grew by {growth:.0} KiB");
    }
}
