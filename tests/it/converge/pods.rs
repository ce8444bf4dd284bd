//! Random pods, and what their programs do, which stands in `args`.

use serde_json::{Value, json};
use staticlet::pod::{PodKey, PodUid, SpecHash, ValidPod};

use crate::support::dice::Dice;
use crate::support::world::pod;

/// How often something happens that never ends.
pub(super) const FOR_EVER: u64 = 1_000_000;

/// Every pod is one of these.
pub(super) const KEYS: u64 = 3;

/// Nobody can pull it, and it is not here.
pub(super) const LOST_IMAGE: &str = "lost:1";

/// What the program of a container does in its first `times` runs; in later ones all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// It ends with this code.
    Ends(i32),
    /// It cannot be started.
    CannotRun,
    /// It runs and fails its liveness probe.
    Ill,
    /// Its postStart hook fails.
    BadHook,
}

pub(super) fn key_of(n: u64) -> PodKey {
    PodKey {
        namespace: "default".into(),
        name: format!("pod{n}-node1"),
    }
}

/// What a container does, and in how many runs.
pub(super) fn habit(pod: &ValidPod, name: &str) -> (Habit, u64) {
    let spec = pod.pod.spec.as_ref().unwrap();
    let mut all = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers);
    let Some(container) = all.find(|c| c.name == name) else {
        return (Habit::Ends(0), 0);
    };
    let args = container.args.as_deref().unwrap_or_default();
    let times = args[1].parse().unwrap();
    let habit = match args[0].as_str() {
        "cannot" => Habit::CannotRun,
        "ill" => Habit::Ill,
        "hook" => Habit::BadHook,
        code => Habit::Ends(code.parse().unwrap()),
    };
    (habit, times)
}

/// Whether a program never comes to do what it should, or its image is nowhere.
pub(super) fn is_hopeless(pod: &ValidPod) -> bool {
    let spec = pod.pod.spec.as_ref().unwrap();
    let init = spec.init_containers.iter().flatten();
    let mut all = init.chain(&spec.containers);
    all.any(|c| {
        habit(pod, &c.name).1 == FOR_EVER
            || c.image.as_deref() == Some(LOST_IMAGE)
            || c.image_pull_policy.as_deref() == Some("Never")
    })
}

/// Version `serial` of pod `n`.
pub(super) fn random(n: u64, serial: u64, dice: &mut Dice) -> ValidPod {
    let policy = *dice.pick(&["Always", "Always", "Always", "OnFailure", "Never"]);
    let mut init = Vec::new();
    if dice.one_in(3) {
        for at in 0..=dice.below(2) {
            init.push(random_init(&format!("init{at}"), dice));
        }
    }
    let mut containers = Vec::new();
    for name in ["app", "side", "third"]
        .into_iter()
        .take(1 + dice.below(3) as usize)
    {
        containers.push(random_regular(name, dice));
    }
    let mut patch = json!({
        "restartPolicy": policy, "containers": containers, "hostNetwork": dice.one_in(8),
    });
    if !init.is_empty() {
        patch["initContainers"] = Value::Array(init);
    }
    if dice.one_in(20) {
        patch["activeDeadlineSeconds"] = json!(20 + dice.below(100));
    }
    let mut made = pod("x", &[], patch);
    made.key = key_of(n);
    // Some manifests fix their UID.
    let uid = if dice.one_in(4) {
        format!("pod{n}-fixed")
    } else {
        format!("pod{n}-v{serial}")
    };
    made.uid = PodUid(uid);
    made.hash = SpecHash(format!("pod{n}-v{serial}"));
    made
}

fn random_image(dice: &mut Dice) -> Value {
    let image = if dice.one_in(25) {
        LOST_IMAGE
    } else {
        dice.pick(&["a:1", "b:1"])
    };
    let policy = match dice.below(12) {
        0 => "Never",
        1..=3 => "Always",
        _ => "IfNotPresent",
    };
    json!({"image": image, "imagePullPolicy": policy})
}

fn times(dice: &mut Dice) -> u64 {
    match dice.below(8) {
        0 => FOR_EVER,
        1..=4 => 0,
        few => few - 4,
    }
}

fn random_init(name: &str, dice: &mut Dice) -> Value {
    let mut made = random_image(dice);
    made["name"] = json!(name);
    let word = *dice.pick(&["1", "3", "cannot"]);
    made["args"] = json!([word, times(dice).to_string()]);
    match dice.below(6) {
        0 | 1 => {
            made["restartPolicy"] = json!("Always");
            add_probes(&mut made, dice);
        }
        2 => made["restartPolicy"] = json!(dice.pick(&["OnFailure", "Never"])),
        _ => {}
    }
    made
}

fn random_regular(name: &str, dice: &mut Dice) -> Value {
    let mut made = random_image(dice);
    made["name"] = json!(name);
    let word = *dice.pick(&["0", "1", "3", "42", "cannot", "ill", "hook"]);
    made["args"] = json!([word, times(dice).to_string()]);
    if word == "hook" || dice.one_in(8) {
        made["lifecycle"] = json!({"postStart": {"exec": {"command": ["hook"]}}});
    }
    add_probes(&mut made, dice);
    if dice.one_in(6) {
        made["restartPolicy"] = json!(dice.pick(&["Always", "OnFailure", "Never"]));
        let action = *dice.pick(&["Restart", "RestartAllContainers"]);
        let rule = json!({"action": action, "exitCodes": {"operator": "In", "values": [42]}});
        made["restartPolicyRules"] = json!([rule]);
    }
    made
}

fn add_probes(made: &mut Value, dice: &mut Dice) {
    let probe = json!({"exec": {"command": ["probe"]}, "periodSeconds": 5, "failureThreshold": 2});
    if made["args"][0] == "ill" || dice.one_in(8) {
        made["livenessProbe"] = probe.clone();
    }
    if dice.one_in(8) {
        made["startupProbe"] = probe;
    }
}
