//! How well a hundred pods with a probe each second keep their period while some of the probed never answer.
//!
//! What counts is when the probed sees its probe: a server of the bench writes it down, so neither the agent's clock nor
//! its word is taken. `BENCH_PROBE_PODS` (100) and `BENCH_PROBE_SECONDS` (60) change what is measured.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::floor::text;
use crate::site::Site;
use crate::{number, table, usage};

/// Every one of so many is accepted and never answered.
const SILENT_EVERY: usize = 10;

/// The bar: how much longer than its second a period may be in the mean of any pod.
const PERIOD_MAX: f64 = 1.10;

/// How long the pods may take to be up.
const UP_TIME: Duration = Duration::from_secs(300);

/// The instants at which each pod was probed.
type Seen = Arc<Mutex<Vec<Vec<Instant>>>>;

/// Starts the pods, lets them be probed, and prints the periods.
pub fn run(site: &Site, agent: u32) -> Result<(), String> {
    let pods = number("BENCH_PROBE_PODS", 100);
    let seconds = number("BENCH_PROBE_SECONDS", 60);
    let seen: Seen = Arc::new(Mutex::new(vec![Vec::new(); pods]));
    let port = serve(seen.clone())?;
    let manifests: Vec<_> = (0..pods)
        .map(|n| (format!("p{n}"), manifest(site, n, port)))
        .collect();
    site.put_texts(&manifests)?;
    let until = Instant::now() + UP_TIME;
    while lock(&seen).iter().any(|times| times.len() < 3) {
        if Instant::now() > until {
            let missing = lock(&seen).iter().filter(|times| times.len() < 3).count();
            return Err(format!("{missing} of {pods} pods are not probed"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    lock(&seen).iter_mut().for_each(Vec::clear);
    let (before, began) = (usage::cpu(agent), Instant::now());
    std::thread::sleep(Duration::from_secs(seconds as u64));
    let used = usage::cpu(agent).saturating_sub(before);
    let percent = used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0;
    let seen = lock(&seen).clone();
    table::head();
    let (silent, answering): (Vec<_>, Vec<_>) =
        seen.iter().enumerate().partition(|(n, _)| is_silent(*n));
    print("answered probes", &answering, began.elapsed());
    print("never answered", &silent, began.elapsed());
    let what = format!("CPU while {pods} pods are probed");
    table::line(
        &what,
        &format!("{} ms", used.as_millis()),
        "",
        percent,
        " %",
        None,
    );
    Ok(())
}

fn is_silent(pod: usize) -> bool {
    pod % SILENT_EVERY == SILENT_EVERY - 1
}

/// The periods of these pods together, and the mean of the pod that fared worst.
fn print(what: &str, pods: &[(usize, &Vec<Instant>)], took: Duration) {
    let gaps = |times: &[Instant]| -> Vec<Duration> {
        times.windows(2).map(|two| two[1] - two[0]).collect()
    };
    let mut all: Vec<Duration> = pods.iter().flat_map(|(_, times)| gaps(times)).collect();
    all.sort();
    let late = all
        .iter()
        .filter(|gap| **gap > Duration::from_millis(1100))
        .count();
    let spread = format!("{}, {late} above 1.1 s", table::spread(&all));
    // Not by the gaps: a pod that is probed once and then no more has none.
    #[allow(clippy::cast_precision_loss)]
    let worst = pods
        .iter()
        .map(|(_, times)| took.as_secs_f64() / times.len() as f64)
        .fold(0.0, f64::max);
    let what = format!("{} pods, {what}, worst mean", pods.len());
    table::line(&what, &spread, "", worst, " s", Some(PERIOD_MAX));
}

/// A pod whose only container is probed at `/<pod>` of the bench's server.
fn manifest(site: &Site, pod: usize, port: u16) -> String {
    let mut manifest = site.manifest(&format!("p{pod}"), 0);
    manifest.push_str(&format!(
        "    readinessProbe:\n      periodSeconds: 1\n      timeoutSeconds: 1\n      httpGet: {{host: 127.0.0.1, port: {port}, path: \
         /{pod}}}\n"
    ));
    manifest
}

/// Answers on a port of the loopback, and writes down who was probed when.
fn serve(seen: Seen) -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(text)?;
    let port = listener.local_addr().map_err(text)?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (at, seen) = (Instant::now(), seen.clone());
            std::thread::spawn(move || answer(stream, at, &seen));
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream, at: Instant, seen: &Seen) {
    let mut request = [0; 1024];
    let Ok(length) = stream.read(&mut request) else {
        return;
    };
    let line = String::from_utf8_lossy(&request[..length]);
    let path = line.split(' ').nth(1).and_then(|path| path.get(1..));
    let Some(pod) = path.and_then(|path| path.parse::<usize>().ok()) else {
        return;
    };
    if let Some(times) = lock(seen).get_mut(pod) {
        times.push(at);
    }
    if is_silent(pod) {
        // Until the prober gives up.
        let _ = stream.read(&mut request);
    } else {
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

fn lock(seen: &Seen) -> std::sync::MutexGuard<'_, Vec<Vec<Instant>>> {
    seen.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
