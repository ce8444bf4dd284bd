//! Rules about one container, whether it is an init container or not.

use serde_json::Value;

use super::{env, resources, restart, security};
use crate::pod::probes;
use crate::pod::rules::{Out, invalid, list, one_of, required, text};

pub(super) fn check(container: &Value, spec: &Value, path: &str, out: Out) {
    let image = text(container, "image");
    if image.is_empty() {
        required(format!("{path}.image"), out);
    } else if image.trim() != image {
        invalid(
            &format!("{path}.image"),
            image,
            "must not have leading or trailing whitespace",
            out,
        );
    }
    one_of(
        container,
        "imagePullPolicy",
        path,
        &["Always", "IfNotPresent", "Never"],
        out,
    );
    one_of(
        container,
        "terminationMessagePolicy",
        path,
        &["File", "FallbackToLogsOnError"],
        out,
    );
    security::ids(
        &container["securityContext"],
        &format!("{path}.securityContext"),
        out,
    );
    restart::check(container, path, out);
    env::check(container, list(spec, "volumes"), path, out);
    probes::check(container, path, out);
    resources::check(&container["resources"], &format!("{path}.resources"), out);
}
