//! Which calls are broken, and how.

use super::life::{Case, End, Scene};
use crate::support::harm::{Harm, When, Whom};

/// Of the looks of the agent, which are alike, so many are broken.
const LOOKS_MAX: usize = 3;

const HARMS: [Harm; 18] = [
    Harm::Delay,
    Harm::Status(500),
    Harm::Kill(Whom::Caller, When::After),
    Harm::CutBefore,
    Harm::Status(404),
    Harm::Kill(Whom::Agent, When::After),
    Harm::CutAfter,
    Harm::Status(409),
    Harm::Kill(Whom::Caller, When::Late),
    Harm::CutInside,
    Harm::Status(503),
    Harm::Kill(Whom::Agent, When::Late),
    Harm::Garbage,
    Harm::Status(400),
    Harm::Kill(Whom::Caller, When::Before),
    Harm::DropEvents,
    Harm::Kill(Whom::Agent, When::Before),
    Harm::Hang,
];

/// Faults that were mended with this harness are broken again here: the two answers of 500 failed before, the others stand
/// for what was mended from reading.
const FOUND: [(Scene, &str, Harm); 8] = [
    // The pod had the resolv.conf of Docker, and no limit as a whole.
    (
        Scene::Start,
        "job GET /containers/POD.0/json",
        Harm::Status(500),
    ),
    (
        Scene::Start,
        "job GET /containers/POD.0/json",
        Harm::Kill(Whom::Caller, When::Before),
    ),
    // The container was not restarted for a minute.
    (
        Scene::Restart,
        "agent GET /containers/a.0/json",
        Harm::CutBefore,
    ),
    // Its last words were lost.
    (
        Scene::Restart,
        "agent GET /containers/a.0/logs",
        Harm::Status(500),
    ),
    // The log of a container that runs was never linked.
    (
        Scene::Start,
        "job POST /containers/a.0/start",
        Harm::CutAfter,
    ),
    (
        Scene::Start,
        "job POST /containers/a.0/start",
        Harm::Kill(Whom::Caller, When::Late),
    ),
    // A second copy was tried.
    (
        Scene::Start,
        "agent GET /containers/b.0/json",
        Harm::Status(404),
    ),
    // A link to its log was left over.
    (
        Scene::Stop,
        "job DELETE /containers/a.0'",
        Harm::Kill(Whom::Agent, When::After),
    ),
];

/// Every call broken in every way; or the cases whose words contain all of `named`.
pub(super) fn all(plays: &[(Scene, End)], named: &str) -> Vec<Case> {
    let harms = |_: usize| HARMS.to_vec();
    let mut cases = cases(plays, &harms);
    let named: Vec<&str> = named.split(',').filter(|part| *part != "all").collect();
    cases.retain(|case| named.iter().all(|part| format!("{case:?}").contains(part)));
    cases
}

/// Every call broken in one way, each next one in the next; and what has found faults.
pub(super) fn slice(plays: &[(Scene, End)]) -> Vec<Case> {
    let mut cases = cases(plays, &|at| vec![HARMS[at % HARMS.len()]]);
    // What comes after the old version is gone is a start, and has been there.
    cases.retain(|case| case.scene != Scene::Edit || !case.place.0.contains('\''));
    let found = FOUND.map(|(scene, name, harm)| Case {
        scene,
        place: (name.to_owned(), 1),
        harm,
    });
    cases.extend(found);
    cases
}

fn cases(plays: &[(Scene, End)], harms: &dyn Fn(usize) -> Vec<Harm>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (scene, end) in plays {
        let calls = end.calls.iter();
        let calls = calls.filter(|(_, count)| *count <= LOOKS_MAX);
        for place in calls {
            for harm in harms(cases.len()) {
                let is_agent = place.0.starts_with("agent ");
                let harm = if let Harm::Kill(Whom::Caller, when) = harm
                    && is_agent
                {
                    Harm::Kill(Whom::Agent, when)
                } else {
                    harm
                };
                let case = Case {
                    scene: *scene,
                    place: place.clone(),
                    harm,
                };
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
    }
    cases
}
