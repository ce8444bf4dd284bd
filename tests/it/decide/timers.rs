//! Back-off as it grows, through memory and decision together.

use super::*;

#[test]
fn the_back_off_of_a_crash_loop_is_the_kubelets() {
    let mut w = healthy_with(&["app"], json!({}));
    let mut now = 100_000;
    let mut waits = Vec::new();
    for attempt in 0..8 {
        // It dies one second after its start; dockerd's clock and ours agree.
        w.newest("v1", container("v1", "app", attempt, exited(1, at_ms(now))));
        w.memory.saw(&w.desired, &w.observed, at_ms(now));
        let died = now;
        let mut actions = Vec::new();
        for _ in 0..3 {
            let decision = decide(&w.desired, &w.observed, &w.memory, LIMITS, at_ms(now));
            actions = decision.actions;
            match decision.wake {
                Some(wake) => now += wake.at.since(at_ms(now).mono).as_millis() as u64,
                None => break,
            }
        }
        let start = vec![act(
            "v1",
            Why::ContainerExited { code: 1 },
            vec![start("app", attempt + 1)],
        )];
        let only_start: Vec<Action> = actions.into_iter().collect();
        assert_eq!(only_start, start);
        waits.push((now - died) / 1000);
        let started = Event::JobStarted {
            job: JobKey::Pod(key()),
            what: String::new(),
            uid: None,
            wants: None,
            starts: vec![name("app")],
            sandbox: false,
        };
        w.memory.fold(&started, CRASH_MAX, at_ms(now));
        w.memory.fold(
            &Event::JobEnded {
                job: JobKey::Pod(key()),
                end: JobEnd::Done,
            },
            CRASH_MAX,
            at_ms(now),
        );
        now += 1000;
    }
    assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn a_clock_that_jumps_by_years_makes_no_back_off_of_years() {
    for jump_years in [-50_i64, 50] {
        let mut w = healthy_with(&["app"], json!({}));
        let mut died = at(100);
        died.wall.0 += jump_years * 365 * 86_400 * 1_000_000;
        w.newest("v1", container("v1", "app", 0, exited(1, died)));
        w.memory.saw(&w.desired, &w.observed, at(100));
        let app = w
            .memory
            .pods
            .get_mut(&key())
            .unwrap()
            .containers
            .get_mut(&name("app"))
            .unwrap();
        app.crash = Some(Crash {
            wait_ms: 40_000,
            started: at(90).mono,
        });
        let now = at(101);
        let decision = decide(&w.desired, &w.observed, &w.memory, LIMITS, now);
        assert_eq!(decision.actions, vec![]);
        let wait = decision.wake.unwrap().at.since(now.mono);
        assert_eq!(wait, Duration::from_secs(39), "{jump_years} years");
    }
}

#[test]
fn a_failed_pull_is_tried_again_after_10_s_doubling_to_300() {
    let mut w = healthy_with(&["app"], json!({}));
    let job = JobKey::Pull(key(), name("app"));
    let mut waits = Vec::new();
    let mut now = 0;
    for _ in 0..7 {
        let started = Event::JobStarted {
            job: job.clone(),
            what: String::new(),
            uid: None,
            wants: None,
            starts: vec![],
            sandbox: false,
        };
        w.memory.fold(&started, CRASH_MAX, at(now));
        let report = Report::Failed {
            container: Some(name("app")),
            reason: FailReason::ErrImagePull,
            message: "manifest unknown".into(),
        };
        w.memory.fold(
            &Event::JobSaid {
                job: job.clone(),
                report,
            },
            CRASH_MAX,
            at(now),
        );
        w.memory.fold(
            &Event::JobEnded {
                job: job.clone(),
                end: JobEnd::Failed,
            },
            CRASH_MAX,
            at(now),
        );
        let failure = w.memory.pods[&key()].containers[&name("app")]
            .failure
            .clone()
            .unwrap();
        let wait = failure.retry.since(at(now).mono).as_secs();
        waits.push(wait);
        now += wait;
    }
    assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn a_job_that_dies_without_a_word_is_tried_again_later() {
    let mut w = healthy();
    let job = JobKey::Pod(key());
    let end = JobEnd::Died("signal 9".into());
    w.memory
        .fold(&Event::JobEnded { job, end }, CRASH_MAX, at(100));
    let failure = w.memory.pods[&key()].failure.clone().unwrap();
    assert_eq!(failure.reason, FailReason::JobError);
    assert_eq!(failure.retry, at(101).mono);
}
