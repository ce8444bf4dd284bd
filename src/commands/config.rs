//! `staticlet config`: every setting as these flags and files make it, and where it was said.

use serde_json::json;

use super::{Outcome, docker_host, misuse, print};
use crate::cli::{Output, RunFlags};
use crate::config::{self, Effective, Settings};

/// Prints the settings that an agent would have that is started like this; starts nothing.
pub fn config(flags: &RunFlags, output: Output) -> Outcome {
    let settings = match config::settings(flags, docker_host().as_deref()) {
        Ok(settings) => settings,
        Err(problems) => return misuse(&problems),
    };
    match output {
        Output::Table | Output::Name => print(&text(&settings)),
        Output::Json => {
            let value = json!({"settings": settings.effective, "warnings": settings.warnings});
            print(&format!("{value:#}\n"));
        }
    }
    Outcome::Fine
}

fn text(settings: &Settings) -> String {
    let value = |one: &Effective| match one.value.as_str() {
        "" => "-".to_owned(),
        value => value.to_owned(),
    };
    let all = &settings.effective;
    let names = all.iter().map(|one| one.name().len()).max().unwrap_or(0);
    let values = all.iter().map(|one| value(one).len()).max().unwrap_or(0);
    let mut out = format!("{:<names$}  {:<values$}  FROM\n", "SETTING", "VALUE");
    for one in all {
        let (name, value) = (one.name(), value(one));
        out.push_str(&format!(
            "{name:<names$}  {value:<values$}  {}\n",
            one.whence
        ));
    }
    if !settings.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &settings.warnings {
        out.push_str(&format!("warning: {warning}\n"));
    }
    out
}
