//! Which of several manifests of one pod is followed. Pure.
//!
//! The one that was followed before stays, whatever else turns up beside it: a backup copy must never take over, not
//! even when it still describes the version that runs. Where nothing was followed before (the agent has just started)
//! the one whose version runs wins, and else the first by name.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::pod::{PodKey, PodUid, ValidPod};
use crate::state::{DesiredPod, Source};
use crate::sys::InOrder;

/// One manifest that could be followed.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// What it says.
    pub(super) pod: Rc<ValidPod>,
    /// Where it is.
    pub(super) source: Source,
    /// It is about to go: any other manifest of the same pod is better.
    pub(super) leaving: bool,
}

/// A manifest that is not followed because another one is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loser {
    /// Where it is.
    pub(super) source: Source,
    /// The pod it describes.
    pub(super) key: PodKey,
    /// The one that is followed.
    pub(super) winner: Source,
    /// The pod of that one; another one than `key` when both claim one UID.
    pub(super) winner_key: PodKey,
}

/// What came out of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Every pod that is wanted, each from one manifest.
    pub(super) pods: BTreeMap<PodKey, DesiredPod>,
    /// The other manifests, by source.
    pub(super) losers: Vec<Loser>,
    /// Which manifest is to stay. Those that were only first by name are not in it: as soon as it is known which
    /// version runs, that one is followed.
    pub(super) stays: BTreeMap<PodKey, Source>,
}

/// Picks one manifest for each pod, and one pod for each UID. `before` is `stays` of the last look.
pub(super) fn resolve(
    candidates: Vec<Candidate>,
    before: &BTreeMap<PodKey, Source>,
    running: &dyn Fn(&PodKey) -> Option<PodUid>,
) -> Outcome {
    let mut by_key: BTreeMap<PodKey, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_key
            .entry(candidate.pod.key.clone())
            .or_default()
            .push(candidate);
    }
    let mut losers = Vec::new();
    let mut stays = BTreeMap::new();
    let mut winners: Vec<Candidate> = Vec::new();
    for (key, mut rivals) in by_key {
        let uid = if rivals.len() > 1 {
            running(&key)
        } else {
            None
        };
        let is_new = |rival: &Candidate| before.get(&key) != Some(&rival.source);
        let runs_not = |rival: &Candidate| uid.as_ref() != Some(&rival.pod.uid);
        rivals.order_by(|a, b| {
            let rank_a = (a.leaving, is_new(a), runs_not(a), &a.source);
            rank_a.cmp(&(b.leaving, is_new(b), runs_not(b), &b.source))
        });
        let alone = rivals.iter().filter(|rival| !rival.leaving).count() < 2;
        let mut rivals = rivals.into_iter();
        let Some(winner) = rivals.next() else {
            continue;
        };
        let runs = uid.as_ref() == Some(&winner.pod.uid);
        if alone || runs || before.get(&key) == Some(&winner.source) {
            stays.insert(key.clone(), winner.source.clone());
        }
        losers.extend(rivals.filter(|rival| !rival.leaving).map(|rival| Loser {
            source: rival.source,
            key: key.clone(),
            winner: winner.source.clone(),
            winner_key: key.clone(),
        }));
        winners.push(winner);
    }
    let (pods, twins) = one_pod_per_uid(winners, before);
    for twin in &twins {
        stays.remove(&twin.key);
    }
    losers.extend(twins);
    losers.order_by(|a, b| a.source.cmp(&b.source));
    Outcome {
        pods,
        losers,
        stays,
    }
}

/// Containers are told apart by UID, so two pods that claim the same one would be taken for one.
fn one_pod_per_uid(
    mut winners: Vec<Candidate>,
    before: &BTreeMap<PodKey, Source>,
) -> (BTreeMap<PodKey, DesiredPod>, Vec<Loser>) {
    let is_new = |one: &Candidate| before.get(&one.pod.key) != Some(&one.source);
    winners.order_by(|a, b| {
        let rank_a = (is_new(a), a.leaving, &a.source);
        rank_a.cmp(&(is_new(b), b.leaving, &b.source))
    });
    let mut pods = BTreeMap::new();
    let mut losers = Vec::new();
    let mut owners: BTreeMap<PodUid, (PodKey, Source)> = BTreeMap::new();
    for Candidate { pod, source, .. } in winners {
        let key = pod.key.clone();
        if let Some((winner_key, winner)) = owners.get(&pod.uid) {
            losers.push(Loser {
                source,
                key,
                winner: winner.clone(),
                winner_key: winner_key.clone(),
            });
            continue;
        }
        owners.insert(pod.uid.clone(), (key.clone(), source.clone()));
        pods.insert(key, DesiredPod { pod, source });
    }
    (pods, losers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::SpecHash;

    fn file(name: &str) -> Source {
        Source::File(format!("/m/{name}"))
    }

    fn key(name: &str) -> PodKey {
        PodKey {
            namespace: "default".to_owned(),
            name: name.to_owned(),
        }
    }

    /// `a.yaml web 1` is pod web with UID 1 in file a.yaml; a `!` after it means that it is leaving.
    fn candidate(text: &str) -> Candidate {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (name, pod, uid) = (word(), word(), word());
        Candidate {
            source: file(&name),
            leaving: uid.ends_with('!'),
            pod: Rc::new(ValidPod {
                key: key(&pod),
                uid: PodUid(uid.trim_end_matches('!').to_owned()),
                hash: SpecHash(uid.clone()),
                pod: k8s_openapi::api::core::v1::Pod::default(),
            }),
        }
    }

    /// What it shows, the candidates, which file was followed before for pod web, which UID of web runs, then what comes
    /// out: which files are followed, by pod, and which are not.
    type Row = (
        &'static str,
        &'static [&'static str],
        &'static str,
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    );
    const ROWS: [Row; 10] = [
        ("alone", &["a web 1"], "", "", &["a"], &[]),
        ("two pods", &["a web 1", "b db 2"], "", "", &["b", "a"], &[]),
        (
            "first by name",
            &["b web 1", "a web 2"],
            "",
            "",
            &["a"],
            &["b"],
        ),
        (
            "the one that runs",
            &["a web 1", "b web 2"],
            "",
            "2",
            &["b"],
            &["a"],
        ),
        (
            "the one before",
            &["a web 1", "b web 2"],
            "b",
            "",
            &["b"],
            &["a"],
        ),
        (
            "an edited file beside its old copy",
            &["a web 1", "b web 2"],
            "b",
            "1",
            &["b"],
            &["a"],
        ),
        (
            "a renamed file",
            &["a web 1!", "b web 1"],
            "a",
            "1",
            &["b"],
            &[],
        ),
        (
            "a removed file, still settling",
            &["a web 1!"],
            "a",
            "1",
            &["a"],
            &[],
        ),
        (
            "one UID, two pods",
            &["a web 1", "b db 1"],
            "",
            "",
            &["a"],
            &["b"],
        ),
        (
            "three files",
            &["a web 1", "b web 2", "c web 3"],
            "",
            "3",
            &["c"],
            &["a", "b"],
        ),
    ];

    #[test]
    fn one_manifest_is_followed_for_each_pod() {
        for (what, candidates, before, uid, followed, refused) in ROWS {
            let before = [(key("web"), file(before))].into();
            let running = |_: &PodKey| Some(PodUid(uid.to_owned()));
            let candidates = candidates.iter().map(|text| candidate(text)).collect();
            let Outcome { pods, losers, .. } = resolve(candidates, &before, &running);
            let pods: Vec<Source> = pods.into_values().map(|pod| pod.source).collect();
            let losers: Vec<Source> = losers.into_iter().map(|loser| loser.source).collect();
            assert_eq!(
                pods,
                followed.iter().map(|name| file(name)).collect::<Vec<_>>(),
                "{what}"
            );
            assert_eq!(
                losers,
                refused.iter().map(|name| file(name)).collect::<Vec<_>>(),
                "{what}"
            );
        }
    }

    #[test]
    fn a_conflict_is_decided_once() {
        let look = |texts: &[&str], stays: &BTreeMap<PodKey, Source>, uid: &str| {
            let candidates = texts.iter().map(|text| candidate(text)).collect();
            resolve(candidates, stays, &|_| Some(PodUid(uid.to_owned())))
        };
        let by_name = look(&["a web 1", "b web 2"], &BTreeMap::new(), "");
        assert_eq!(by_name.stays, BTreeMap::new(), "nobody knows yet what runs");
        let runs = look(&["a web 1", "b web 2"], &by_name.stays, "2");
        assert_eq!(runs.stays, [(key("web"), file("b"))].into());
        let edited = look(&["a web 1", "b web 3"], &runs.stays, "1");
        assert_eq!(edited.stays, runs.stays);

        let first = look(&["b db 1"], &BTreeMap::new(), "");
        let twin = look(&["a web 1", "b db 1"], &first.stays, "");
        let again = look(&["a web 1", "b db 1"], &twin.stays, "");
        assert_eq!(
            (first.stays, twin.losers),
            (again.stays, again.losers),
            "one UID"
        );
    }
}
