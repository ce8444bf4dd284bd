//! Words with a grammar of their own: quantities, variables, durations, images, labels, times, command lines.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvVar};
use serde_json::json;
use staticlet::cli;
use staticlet::pod::{ImageRef, Origin, Reading, milli, read};
use staticlet::sys::{Wall, duration, minisign, nearest, shown_url};
use staticlet::translate::{expand_static, own_label, pre_stop, read_identity};

use super::manifest::{NODE, made};
use super::parts;

/// The words of one kind; the first byte says which.
pub(super) fn words(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let words: Vec<&str> = text.split('\n').collect();
    match kind % 9 {
        0 => quantity(&text),
        1 => expansion(&words),
        2 => {
            if let Ok(span) = duration(&text) {
                let again = duration(&format!("{}ns", span.as_nanos())).expect("a duration");
                // Through a float.
                let far = again.abs_diff(span).as_secs_f64();
                assert!(far <= span.as_secs_f64() * 1e-9, "{span:?} is {again:?}");
            }
        }
        3 => image(&text),
        4 => identity(&words),
        5 => {
            if let Some(at) = Wall::parse(&text) {
                let again = Wall::parse(&at.timestamp().to_string());
                assert_eq!(again, Some(at));
            }
            drop(shown_url(&text));
        }
        6 => drop(cli::parse(words.iter().map(Into::into))),
        7 => variables(rest),
        _ => {
            let [key, text, signature] = parts(rest);
            let word = |bytes| String::from_utf8_lossy(bytes).into_owned();
            let _ = minisign::verify(&word(key), text, &word(signature));
            drop(minisign::public_key(&word(key)).map(str::to_owned));
            let _ = nearest(&word(key), ["containers", "initContainers"]);
        }
    }
}

fn quantity(text: &str) {
    let Some(amount) = milli(text) else {
        return;
    };
    assert_eq!(milli(&format!("{amount}m")), Some(amount), "{text}");
    if let Some(opposite) = text.strip_prefix('-') {
        assert_eq!(
            milli(opposite).map(|amount| -amount),
            Some(amount),
            "{text}"
        );
    }
}

/// Variables, one a line, and words that name them.
fn expansion(words: &[&str]) {
    let variable = |line: &&str| {
        let (name, value) = line.split_once('=')?;
        Some(EnvVar {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            value_from: None,
        })
    };
    let container = Container {
        env: Some(words.iter().filter_map(variable).collect()),
        ..Container::default()
    };
    let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let Ok(made) = expand_static(&container, &command) else {
        return;
    };
    assert_eq!(made.len(), command.len());
    assert!(made.iter().map(String::len).sum::<usize>() <= 6 << 20);
    for (word, made) in command.iter().zip(&made) {
        assert!(word.contains('$') || word == made, "{word} is {made}");
    }
}

/// A key, and the file of variables that an init container wrote.
fn variables(data: &[u8]) {
    let [key, text] = parts(data).map(|part| String::from_utf8_lossy(part).into_owned());
    let env = json!([{"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "v", "path": "p", "key": key}}}]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "c", "image": "i", "env": env}]},
    });
    let origin = Origin {
        node_name: "node1".to_owned(),
        from_file: true,
        allow_unknown_fields: false,
    };
    // Not every key is one.
    let Ok(Reading { pod, .. }) = read(pod.to_string().as_bytes(), &origin) else {
        return;
    };
    let containers = pod.pod.spec.iter().flat_map(|spec| &spec.containers);
    for body in containers.filter_map(|container| made(&pod, container, &text)) {
        let value = body.env.first().and_then(|line| line.strip_prefix("A="));
        let value = value.expect("the variable is there");
        assert!(!value.is_empty() && text.contains(value), "{value:?}");
    }
}

fn image(text: &str) {
    let Ok(image) = ImageRef::parse(text) else {
        return;
    };
    let full = image.with_default_tag();
    let again = ImageRef::parse(&full).expect("it is an image");
    assert_eq!(again.with_default_tag(), full);
    assert_eq!(again.repository(), image.repository());
    assert!(!full.contains([' ', '\n', '?', '#']), "{full}");
}

/// A container's name, and its labels, one a line.
fn identity(lines: &[&str]) {
    let Some((name, labels)) = lines.split_first() else {
        return;
    };
    let pairs = labels.iter().filter_map(|line| line.split_once('='));
    let mut labels: BTreeMap<String, String> =
        pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let _ = pre_stop(&labels);
    if let Some((key, value)) = own_label(&NODE.root_dir).split_once('=') {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let Ok(identity) = read_identity(name, &labels, &NODE) else {
        return;
    };
    // They are parts of paths.
    for part in [&identity.key.namespace, &identity.key.name, &identity.uid.0] {
        assert!(
            !part.is_empty() && !part.contains('/') && part != ".." && part != ".",
            "{part:?}"
        );
    }
}
