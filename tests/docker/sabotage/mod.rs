//! Every call that the life of a pod takes is broken once in each way, and the pod has to end as it would have without.
//!
//! `tests/run` runs it by itself, beside no other test: `STATICLET_SABOTAGE=all` is all of it, some 1500 cases in half an
//! hour; `slice` every call in one way, and what has found faults before; parts of what is printed of a case pick those
//! that have them all, as in `STATICLET_SABOTAGE='Restart,DELETE,Kill(Agent'`.

mod cases;
mod life;
mod snapshot;

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;
use std::thread;

use life::{Case, End, SCENES, Scene, Stage};
use snapshot::Snapshot;

/// Agents side by side: two cores are busy with four.
const STAGES: usize = 4;

type Queues = [Mutex<VecDeque<Case>>; 4];

/// Of each case whether its call came, and what was wrong at the end.
type Results = Mutex<Vec<(bool, Option<String>)>>;

#[test]
#[ignore = "needs dockerd"]
fn every_call_broken_once() {
    let Ok(named) = std::env::var("STATICLET_SABOTAGE") else {
        // Not by a macro, whose words the test harness keeps to itself.
        let _ = std::io::stderr().write_all(b"\n*** NOT RUN: sabotage, see tests/run sabotage\n");
        return;
    };
    let plays = rehearse();
    for (scene, end) in &plays {
        println!("{scene:?}: {} calls in {:?}", end.calls.len(), end.took);
        for (name, count) in &end.calls {
            println!("    {name} #{count}");
        }
    }
    let cases = match named.as_str() {
        "slice" => cases::slice(&plays),
        named => cases::all(&plays, named),
    };
    let queues = SCENES.map(|scene| {
        let of = cases.iter().filter(|case| case.scene == scene).cloned();
        Mutex::new(of.collect())
    });
    let wanted: Vec<&Snapshot> = plays.iter().map(|(_, end)| &end.snapshot).collect();
    let results = Results::default();
    thread::scope(|scope| {
        for at in 0..STAGES {
            let (queues, wanted, results) = (&queues, &wanted, &results);
            scope.spawn(move || perform(at, queues, wanted, results));
        }
    });
    let results = results.into_inner().unwrap();
    let faults: Vec<&String> = results
        .iter()
        .filter_map(|(_, fault)| fault.as_ref())
        .collect();
    let met = results.iter().filter(|(met, _)| *met).count();
    println!(
        "{} cases; the call came in {met}; {} did not end as without harm",
        results.len(),
        faults.len()
    );
    for fault in &faults {
        println!("{fault}");
    }
    assert!(faults.is_empty());
    // Not every look comes every time.
    assert!(met * 3 > cases.len() * 2, "{met} of {}", cases.len());
}

/// The scenes without harm: what they end in, and which calls they make.
fn rehearse() -> Vec<(Scene, End)> {
    let mut stage = Stage::new("sabotage");
    // The first sandbox of a new program brings its image along.
    stage.new_pod();
    for scene in SCENES {
        stage.play(scene, None, None);
    }
    stage.new_pod();
    let play = |scene| {
        let end = stage.play(scene, None, None);
        let log = stage.agent.log();
        assert!(end.faults.is_empty(), "{scene:?}: {:#?}\n{log}", end.faults);
        (scene, end)
    };
    SCENES.into_iter().map(play).collect()
}

/// One agent takes cases until there are none; a new one when it failed.
fn perform(at: usize, queues: &Queues, wanted: &[&Snapshot], results: &Results) {
    let is_empty = || queues.iter().all(|queue| queue.lock().unwrap().is_empty());
    let mut stages = 0;
    while !is_empty() {
        stages += 1;
        let mut stage = Stage::new(&format!("sabotage-{at}-{stages}"));
        while !is_empty() && live(&mut stage, queues, wanted, results) {}
    }
}

/// One life of a pod, with a case in each scene for which there still is one; whether all went well.
fn live(stage: &mut Stage, queues: &Queues, wanted: &[&Snapshot], results: &Results) -> bool {
    stage.new_pod();
    for ((scene, queue), wanted) in SCENES.into_iter().zip(queues).zip(wanted) {
        let case = queue.lock().unwrap().pop_front();
        let end = stage.play(scene, case.as_ref(), Some(wanted));
        let shown = match &case {
            Some(case) => format!("{case:?}"),
            None => format!("{scene:?} undisturbed"),
        };
        let came = if end.met { "" } else { " (did not come)" };
        println!("{:6} ms {shown}{came}", end.took.as_millis());
        let fault = (!end.faults.is_empty()).then(|| {
            let log = stage.agent.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            format!("=== {shown}\n{}\n--- log\n{last}", end.faults.join("\n"))
        });
        let is_well = fault.is_none();
        if case.is_some() || !is_well {
            results.lock().unwrap().push((end.met, fault));
        }
        if !is_well {
            return false;
        }
    }
    true
}
