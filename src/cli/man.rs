//! The manual page, made from the table of commands and the words of `--help`.

use super::help::{EXIT_CODES, OTHERS, capital, usage};
use super::words::{COMMANDS, Flag, Words, agent_flags};

const ABOUT: &str = "\
staticlet runs Kubernetes static pods on Docker Engine, without a kubelet. Put the manifest of a v1 Pod into a directory: \
the pod runs. Its container dies: it is started again. Edit the file: the pod is replaced. Remove the file: the pod goes. \
Stopping the agent leaves the pods alone. Only names that end in .yaml, .yml or .json are manifests.";

const FILES: &[(&str, &str)] = &[
    (
        "/var/lib/staticlet",
        "what pods own on this machine, and the last good version of each manifest (--root-dir)",
    ),
    (
        "/run/staticlet/pods.json",
        "what the agent publishes (--run-dir): a v1 PodList with the state of each pod",
    ),
    (
        "/var/log/pods, /var/log/containers",
        "links to the logs of containers",
    ),
];

/// The page, in the language of man(7).
pub fn man(version: &str) -> String {
    let mut page = format!(
        ".TH STATICLET 8 \"\" \"staticlet {version}\"\n.SH NAME\nstaticlet \\- Kubernetes static pods on Docker Engine, without a kubelet\n.SH SYNOPSIS\n"
    );
    synopsis(&mut page, "staticlet", "[FLAGS]");
    for of in COMMANDS {
        let usage = usage(of);
        let rest = usage.strip_prefix("staticlet ").unwrap_or(&usage);
        page.push_str(".br\n");
        synopsis(&mut page, "staticlet", rest);
    }
    page.push_str(&format!(".SH DESCRIPTION\n{}\n", plain(ABOUT)));
    page.push_str(".SH OPTIONS\nThe flags of the agent are those of a kubelet.\n");
    agent_flags().iter().for_each(|one| flag(&mut page, one));
    page.push_str(&format!(".PP\n{}\n.SH COMMANDS\n", plain(OTHERS)));
    COMMANDS.iter().for_each(|of| command(&mut page, of));
    page.push_str(".SH EXIT STATUS\n");
    for (code, what) in EXIT_CODES {
        item(&mut page, &code.to_string(), what);
    }
    page.push_str(".SH FILES\n");
    for (path, what) in FILES {
        item(&mut page, &format!("\\fI{}\\fR", plain(path)), what);
    }
    page.push_str(".SH SEE ALSO\n.BR docker (1)\n");
    page
}

fn synopsis(page: &mut String, name: &str, rest: &str) {
    page.push_str(&format!(".B {name}\n{}\n", plain(rest)));
}

fn command(page: &mut String, of: &Words) {
    let head = format!("{} {}", of.name, of.takes);
    page.push_str(&format!(
        ".SS {}\n{}\n",
        plain(head.trim_end()),
        plain(&capital(of.what))
    ));
    if !of.more.is_empty() {
        page.push_str(&plain(of.more));
        page.push('\n');
    }
    of.flags.iter().for_each(|one| flag(page, one));
    page.push_str(".PP\nFor example:\n.PP\n.nf\n.RS\n");
    page.push_str(&plain(of.example));
    page.push_str("\n.RE\n.fi\n");
}

fn flag(page: &mut String, flag: &Flag) {
    let names = flag.names().into_iter();
    let names: Vec<String> = names
        .map(|name| format!("\\fB{}\\fR", plain(&name)))
        .collect();
    let mut head = names.join(", ");
    if !flag.value.is_empty() {
        head.push_str(&format!(" \\fI{}\\fR", plain(flag.value)));
    }
    item(page, &head, flag.what);
}

/// A paragraph under a head, which is roff already.
fn item(page: &mut String, head: &str, what: &str) {
    page.push_str(&format!(".TP\n{head}\n{}\n", plain(what)));
}

/// Text that roff takes as it is: backslashes and dashes are themselves, and no line begins with a dot or a quote.
fn plain(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    let lines = text.lines().map(|line| {
        if line.starts_with(['.', '\'']) {
            format!("\\&{line}")
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
