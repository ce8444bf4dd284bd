//! What more pods cost: from one to two hundred, on one machine in one run.
//!
//! `BENCH_SCALE` (`1,10,50,100,200`) says how many pods, `BENCH_IDLE_SECONDS` (60) how long each number of them is
//! watched at rest. CPU is of the agent and all its jobs together. Memory is what is resident of the agent, and of it and all
//! its jobs, the pages of the program that they share counted once.

use std::time::{Duration, Instant};

use staticlet::docker::Docker;

use crate::events::Events;
use crate::floor::text;
use crate::rounds::{kill_app, started};
use crate::site::Site;
use crate::{number, table, usage};

/// Containers killed for each number of pods.
const KILLS: usize = 5;

/// After the last start: log links, first status, and dockerd's own work settle.
const SETTLE: Duration = Duration::from_secs(10);

/// Prints one row for each number of pods.
pub fn run(site: &Site, events: &Events, agent: u32) -> Result<(), String> {
    let given = std::env::var("BENCH_SCALE").unwrap_or_else(|_| "1,10,50,100,200".into());
    println!(
        "{:>5} {:>10} {:>11} {:>17} {:>8} {:>12} {:>22} {:>26}",
        "pods",
        "up",
        "CPU at rest",
        "of it for a pod",
        "memory",
        "with its jobs",
        "dockerd lists them in",
        "killed to running"
    );
    let mut there = 0;
    for word in given.split(',') {
        let pods: usize = word
            .trim()
            .parse()
            .map_err(|_| format!("BENCH_SCALE: {word:?} is no number"))?;
        if pods <= there {
            return Err("BENCH_SCALE: each number is to be larger than the one before".into());
        }
        let names: Vec<String> = (there..pods).map(|n| format!("s{n}")).collect();
        events.clear();
        let began = site.put(&names, 0)?;
        let up = started(events, site, pods - there)? - began;
        std::thread::sleep(SETTLE);
        let seconds = number("BENCH_IDLE_SECONDS", 60) as u64;
        let rest = rest(agent, Duration::from_secs(seconds));
        let killed = names.get(..names.len().min(KILLS)).unwrap_or_default();
        print(
            pods,
            up,
            &rest,
            (&lists(site)?, &restarts(site, events, killed)?),
        );
        there = pods;
    }
    Ok(())
}

/// What agent and jobs take while nothing happens.
struct Rest {
    /// Of one core.
    percent: f64,
    own_mb: f64,
    all_mb: f64,
}

#[allow(clippy::cast_precision_loss)]
fn rest(agent: u32, time: Duration) -> Rest {
    let (before, began) = (usage::cpu(agent), Instant::now());
    std::thread::sleep(time);
    let used = usage::cpu(agent).saturating_sub(before).as_secs_f64();
    let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
    let all = usage::children(agent).into_iter().chain([agent]);
    Rest {
        percent: used / began.elapsed().as_secs_f64() * 100.0,
        own_mb: megabytes(usage::memory_kib(agent, "VmRSS")),
        all_mb: megabytes(all.map(usage::shared_kib).sum()),
    }
}

#[allow(clippy::cast_precision_loss)]
fn print(pods: usize, up: Duration, rest: &Rest, (lists, restarts): (&[Duration], &[Duration])) {
    println!(
        "{pods:>5} {:>8.1} s {:>9.2} % {:>15.4} % {:>5.2} MB {:>9.2} MB {:>22} {:>26}",
        up.as_secs_f64(),
        rest.percent,
        rest.percent / pods as f64,
        rest.own_mb,
        rest.all_mb,
        table::spread(lists),
        table::spread(restarts),
    );
}

/// How long dockerd takes for the list, which the agent asks for at each look.
fn lists(site: &Site) -> Result<Vec<Duration>, String> {
    let docker = Docker::new(site.socket(), None);
    let mut times = Vec::new();
    for _ in 0..KILLS {
        let began = Instant::now();
        docker.list().map_err(text)?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// One kill for each of these pods: a second would be held back.
fn restarts(site: &Site, events: &Events, pods: &[String]) -> Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    for pod in pods {
        events.clear();
        let began = kill_app(site, pod)?;
        times.push(started(events, site, 1)? - began);
        std::thread::sleep(Duration::from_secs(1));
    }
    Ok(times)
}
