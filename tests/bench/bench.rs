//! What the agent costs, beside what Docker alone costs for the same containers, in one run of some minutes.
//!
//! `BENCH_IDLE_SECONDS` (60) and `BENCH_PODS` (20; 100 takes long) change what is measured. Numbers are printed with
//! their bars; one that is missed is no failure, since a busy machine misses them too. A word chooses another bench:
//! `probes` (whether a hundred probed pods keep their period), `scale` (from one pod to two hundred) and `think` (the
//! instructions of a decision).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub
)]

mod events;
mod floor;
mod probes;
mod rounds;
mod scale;
mod site;
mod table;
mod think;
mod usage;
#[allow(dead_code)]
#[path = "../support/world.rs"]
mod world;

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use events::Events;
use floor::{Floor, text};
use rounds::{Bench, Many, Single};
use site::{PROGRAM, Site};

/// Rounds of the single pod. More take 4 s each.
const SINGLE_ROUNDS: usize = 7;

/// The bars of the project.
const RATIO_MAX: f64 = 1.10;
const MORE_SECONDS_MAX: f64 = 0.30;
const BINARY_MB_MAX: f64 = 4.0;
const RESIDENT_MB_MAX: f64 = 6.0;
const IDLE_PERCENT_MAX: f64 = 0.3;

fn main() -> ExitCode {
    // cargo passes `--bench` besides.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => on_a_site(measure),
        ["probes"] => on_a_site(|site, events, agent, _| {
            rounds::warm_up(site, events)?;
            probes::run(site, agent)
        }),
        ["scale"] => on_a_site(|site, events, agent, _| {
            rounds::warm_up(site, events)?;
            scale::run(site, events, agent)
        }),
        ["think"] => think::run(),
        ["decide", pods, rounds] => match (pods.parse(), rounds.parse()) {
            (Ok(pods), Ok(rounds)) => think::decide_often(pods, rounds),
            _ => Err("decide wants two numbers".into()),
        },
        _ => Err("the words are: nothing, probes, scale, think".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures with an agent of its own, whose log is shown where that goes wrong.
fn on_a_site(
    measure: impl FnOnce(&mut Site, &Events, u32, f64) -> Result<(), String>,
) -> Result<(), String> {
    let began = Instant::now();
    println!("load before: {}", load());
    let events = Events::follow("/var/run/docker.sock");
    let mut site = Site::new()?;
    let agent = site.start_agent()?;
    let alone = resident_mb(agent);
    let result = measure(&mut site, &events, agent, alone);
    if result.is_err() {
        eprintln!("the end of the agent's log:\n{}", site.log_tail());
    }
    println!(
        "load after: {}, took {} s",
        load(),
        began.elapsed().as_secs()
    );
    result
}

fn measure(site: &mut Site, events: &Events, agent: u32, alone: f64) -> Result<(), String> {
    site.pause_image = rounds::warm_up(site, events)?;
    let floor = Floor::new(site.floor_node(), site.pause_image.clone(), &site.image)?;
    let bench = Bench {
        site,
        events,
        floor: &floor,
    };
    let mut single = Single::default();
    for _ in 0..SINGLE_ROUNDS {
        bench.single_floor(&mut single)?;
        bench.single_agent(&mut single, || resident_mb(agent))?;
    }
    table::head();
    print_single(&single);
    let pods = number("BENCH_PODS", 20);
    let many = bench.many(pods)?;
    print_many(&many, pods);
    print_sizes(&single, agent, alone, pods);
    print_idle(agent, pods);
    print_spawn()
}

fn print_single(single: &Single) {
    let beside = |what: &str, agent: &[Duration], floor: &[Duration], bar: Option<f64>| {
        let number = table::ratio(agent, floor);
        let (agent, floor) = (table::spread(agent), table::spread(floor));
        table::line(what, &agent, &floor, number, " x", bar);
    };
    let above = |what: &str, agent: &[Duration], floor: &[Duration], bar: Option<f64>| {
        let number = table::more(agent, floor);
        let (agent, floor) = (table::spread(agent), table::spread(floor));
        table::line(what, &agent, &floor, number, " s", bar);
    };
    beside("1 pod up", &single.up, &single.floor_up, Some(RATIO_MAX));
    above(
        "container killed to running",
        &single.again,
        &single.floor_container,
        Some(MORE_SECONDS_MAX),
    );
    let edit: Vec<Duration> = single
        .floor_stop
        .iter()
        .zip(&single.floor_up)
        .map(|(stop, up)| *stop + *up)
        .collect();
    above(
        "edit to new version running",
        &single.edit,
        &edit,
        Some(MORE_SECONDS_MAX),
    );
    above(
        "edit, old ended to new running",
        &single.outage,
        &edit,
        Some(MORE_SECONDS_MAX),
    );
    above(
        "manifest removed to gone",
        &single.gone,
        &single.floor_gone,
        None,
    );
}

fn print_many(many: &Many, pods: usize) {
    for (workers, times) in &many.floor {
        println!(
            "    floor, {pods} pods by {workers}: {}",
            table::spread(times)
        );
    }
    let (workers, best) = many.best();
    table::line(
        &format!("{pods} pods up"),
        &table::spread(&many.agent),
        &format!("{} by {workers}", table::spread(best)),
        table::ratio(&many.agent, best),
        " x",
        Some(RATIO_MAX),
    );
}

fn print_sizes(single: &Single, agent: u32, alone: f64, pods: usize) {
    let bytes = std::fs::metadata(PROGRAM).map_or(0, |file| file.len());
    let line = |what: &str, number: f64, unit: &str, bar: Option<f64>| {
        table::line(what, "", "", number, unit, bar);
    };
    #[allow(clippy::cast_precision_loss)]
    line("binary", bytes as f64 / 1e6, " MB", Some(BINARY_MB_MAX));
    line("resident, no pod", alone, " MB", Some(RESIDENT_MB_MAX));
    line(
        "resident, 1 pod",
        single.resident_mb,
        " MB",
        Some(RESIDENT_MB_MAX),
    );
    let bar = (pods <= 20).then_some(RESIDENT_MB_MAX);
    line(
        &format!("resident, {pods} pods"),
        resident_mb(agent),
        " MB",
        bar,
    );
    #[allow(clippy::cast_precision_loss)]
    let peak = usage::memory_kib(agent, "VmHWM") as f64 * 1024.0 / 1e6;
    line("resident, at most so far", peak, " MB", None);
    let jobs = usage::children(agent);
    #[allow(clippy::cast_precision_loss)]
    let jobs_mb = jobs.iter().map(|pid| resident_mb(*pid)).sum::<f64>();
    line(
        &format!("resident, its {} jobs", jobs.len()),
        jobs_mb,
        " MB",
        None,
    );
    #[allow(clippy::cast_precision_loss)]
    line("threads", usage::threads(agent) as f64, "", Some(1.0));
}

fn print_idle(agent: u32, pods: usize) {
    let seconds = number("BENCH_IDLE_SECONDS", 60);
    let (before, began) = (usage::cpu(agent), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds as u64));
    let used = usage::cpu(agent).saturating_sub(before);
    let percent = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    let bar = (pods <= 20).then_some(IDLE_PERCENT_MAX);
    let what = format!("idle {seconds} s with {pods} pods");
    let measured = format!("{} ms of CPU", used.as_millis());
    table::line(&what, &measured, "", percent, " %", bar);
}

/// A job that is told nothing ends at once: what is left is the cost of a process.
fn print_spawn() -> Result<(), String> {
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        Command::new(PROGRAM)
            .arg("job")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(text)?;
        times.push(began.elapsed());
    }
    let median = table::median(&times).as_secs_f64() * 1000.0;
    table::line("one job, started to ended", "", "", median, " ms", None);
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn resident_mb(pid: u32) -> f64 {
    usage::memory_kib(pid, "VmRSS") as f64 * 1024.0 / 1e6
}

fn number(name: &str, default: usize) -> usize {
    let given = std::env::var(name).ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.trim().to_owned()
}
