//! A manifest that has to be signed: only what the owner of the key signed is run, and asking for it costs little.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::{World, list};
use staticlet::sources::UrlTrust;

fn owner(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn marked(bytes: &[u8]) -> String {
    STANDARD.encode([b"Ed01234567", bytes].concat())
}

fn key(seed: u8) -> UrlTrust {
    UrlTrust {
        public_key: Some(marked(owner(seed).public_key().as_ref())),
        ..UrlTrust::default()
    }
}

fn sign(seed: u8, text: &str) -> String {
    let signed = owner(seed).sign(text.as_bytes());
    let both = owner(seed).sign(&[signed.as_ref(), b"t"].concat());
    let both = STANDARD.encode(both);
    format!(
        "untrusted comment: c\n{}\ntrusted comment: t\n{both}\n",
        marked(signed.as_ref())
    )
}

impl World {
    /// From now on this manifest, marked with a tag, and this signature.
    fn publishes(&self, tag: &str, manifest: &str, signature: (&str, &str)) {
        let manifest = (
            format!("200 OK\r\nETag: \"{tag}\""),
            manifest.as_bytes().to_vec(),
        );
        let signature = (signature.0.to_owned(), signature.1.as_bytes().to_vec());
        let same = format!("if-none-match: \"{tag}\"");
        self.server.answers(move |asked| {
            if asked.starts_with("GET /pods.minisig?token=secret ") {
                signature.clone()
            } else if asked.contains(&same) {
                ("304 Not Modified".to_owned(), Vec::new())
            } else {
                manifest.clone()
            }
        });
    }

    fn signed(&self, tag: &str, manifest: &str, seed: u8) {
        self.publishes(tag, manifest, ("200 OK", &sign(seed, manifest)));
    }

    fn with_signed_pods() -> World {
        let mut world = World::trusting(key(1));
        world.signed("1", &list(&["a:1", "b:1"]), 1);
        world.ask();
        assert_eq!(world.pods(), ["a:1", "b:1"], "{:?}", world.messages);
        world.messages.clear();
        world
    }
}

#[test]
fn a_signed_manifest_costs_a_304_while_it_is_unchanged() {
    let mut world = World::with_signed_pods();
    let asked = world.server.requests();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(
        asked.iter().all(|head| head.contains("x-key: secret")),
        "{asked:?}"
    );
    world.ask();
    world.ask();
    assert_eq!(
        world.server.requests().len(),
        4,
        "two questions, no signature"
    );
    assert_eq!(world.messages, []);
    world.signed("2", &list(&["a:2"]), 1);
    world.ask();
    assert_eq!(world.pods(), ["a:2"]);
}

#[test]
fn what_the_owner_has_not_signed_is_a_bad_manifest() {
    let (old, new) = (list(&["a:1", "b:1"]), list(&["a:2"]));
    let rows: &[(&str, &str, &str)] = &[
        (
            "404 Not Found",
            "",
            "/pods.minisig?...: the server said 404 Not Found, not 200 OK",
        ),
        (
            "304 Not Modified",
            "",
            "/pods.minisig?...: the server said 304 Not Modified",
        ),
        ("200 OK", "", "the signature is not one that minisign makes"),
        (
            "200 OK",
            "<html>Log in</html>",
            "the signature is not one that minisign makes",
        ),
        (
            "200 OK",
            &"x".repeat(20_000),
            "/pods.minisig?...: the answer has more than 10240 bytes",
        ),
        (
            "200 OK",
            &sign(2, &new),
            "the signature is not of this text",
        ),
        // Between the two questions the manifest was changed.
        (
            "200 OK",
            &sign(1, &old),
            "the signature is not of this text",
        ),
    ];
    for (head, signature, why) in rows {
        let mut world = World::with_signed_pods();
        world.publishes("2", &new, (head, signature));
        world.keeps_its_pods(why);
        world.messages.clear();
        world.signed("2", &new, 1);
        world.ask();
        assert_eq!(world.pods(), ["a:2"], "{why}");
        assert!(world.desired.refusals.is_empty());
    }
}

#[test]
fn what_was_kept_is_held_to_the_key_as_well() {
    let mut world = World::with_signed_pods();
    let kept = |world: &mut World| {
        world.server.will(|_| {});
        world.restart();
        world.ask();
        world.pods()
    };
    assert_eq!(kept(&mut world), ["a:1", "b:1"]);
    // The same manifest, by a new key: nothing happens to its pods, and it is kept with the new signature.
    let mut then = World::with_signed_pods();
    then.trust = key(2);
    then.sources
        .set(super::settings(&then.root, &then.server, &then.trust));
    then.signed("2", &list(&["a:1", "b:1"]), 2);
    then.ask();
    assert_eq!(then.messages, []);
    assert_eq!(kept(&mut then), ["a:1", "b:1"]);
    // What an owner of before has signed is no longer run.
    world.trust = key(2);
    assert_eq!(kept(&mut world), [""; 0]);
    let why: Vec<&str> = world
        .messages
        .iter()
        .map(|message| message.why.as_str())
        .collect();
    assert!(
        why.contains(&"the signature is not of this text"),
        "{why:?}"
    );
}
