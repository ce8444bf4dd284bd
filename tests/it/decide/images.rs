//! Which image, and whether a pull comes first.

use super::*;

pub(super) fn rows() -> Vec<Row> {
    let bare = |policy: &str, pull: Pull| {
        let mut w = healthy_with(&["app"], json!({}));
        let list = json!({"containers": [{"name": "app", "image": "busybox:1", "imagePullPolicy": policy}]});
        want(&mut w.desired, pod("v1", &["app"], list));
        w.there("v1").containers.clear();
        w.memory = Default::default();
        w.memory.saw(&w.desired, &w.observed, at(0));
        let known = w.memory.pods.get_mut(&key()).unwrap();
        known.containers.entry(name("app")).or_default().pull = pull;
        w
    };
    let pull = |why| {
        vec![Action::Pull {
            key: key(),
            container: name("app"),
            image: "busybox:1".into(),
            why,
        }]
    };
    let started = |image| {
        let step = Step::Start {
            container: name("app"),
            attempt: 0,
            image,
        };
        vec![act("v1", Why::ContainerNew, vec![step])]
    };
    let same = |_: &mut World| {};
    let held = |held| move |w: &mut World| w.memory.held = held;
    vec![
        row_in(
            bare("Always", Pull::Unknown),
            "Always pulls first",
            same,
            pull(Why::PullAlways),
        ),
        row_in(
            bare("IfNotPresent", Pull::Missing),
            "a missing image is pulled",
            same,
            pull(Why::ImageMissing),
        ),
        row_in(
            bare("IfNotPresent", Pull::Running(Default::default())),
            "a pull under way is waited for",
            same,
            vec![],
        ),
        row_in(
            bare(
                "Always",
                Pull::Done {
                    image_id: "sha256:9".into(),
                },
            ),
            "what was pulled is what is started",
            same,
            started(ImageChoice::Id("sha256:9".into())),
        ),
        row_in(
            bare("Never", Pull::Unknown),
            "Never takes what is there",
            same,
            started(ImageChoice::Never),
        ),
        row_in(
            bare("IfNotPresent", Pull::Missing),
            "a pull waits for an archive that may bring the image",
            held(Held::Pulls),
            vec![],
        ),
        row_in(
            bare("Never", Pull::Unknown),
            "a container is started in a sandbox that runs, whatever archives are loaded",
            held(Held::Starts),
            started(ImageChoice::Never),
        ),
        row(
            "a sandbox that died waits for the archives that were there first",
            |w| {
                w.there("v1").sandboxes[0].state = exited(137, at(90));
                w.memory.held = Held::Starts;
            },
            vec![],
        ),
        row(
            "what is not wanted any more goes, whatever archives are loaded",
            |w| {
                w.desired.pods.clear();
                w.memory.held = Held::Starts;
            },
            vec![act("v1", Why::PodUnwanted, everything_goes("v1"))],
        ),
    ]
}
