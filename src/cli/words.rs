//! Every command with its flags, as data: what may be typed, what `--help` says, what a shell completes, and the manual.

use std::ffi::OsString;

use super::flags::{HONOURED, HONOURED_BOOL};
use super::typed::{Stop, Typed};
use super::{Command, lint, pods, run, shell};

/// A command.
#[derive(Debug)]
pub(super) struct Words {
    /// What is typed for it.
    pub(super) name: &'static str,
    /// What follows beside flags: `POD` is one, `[POD]` one or none, `PATH...` some, `[POD...]` any number; empty: nothing.
    pub(super) takes: &'static str,
    /// What it does, in some words.
    pub(super) what: &'static str,
    /// What else is to be known.
    pub(super) more: &'static str,
    /// Its flags, `--help` aside.
    pub(super) flags: &'static [&'static Flag],
    /// What it looks like.
    pub(super) example: &'static str,
    /// How it is read.
    pub(super) read: Read,
}

/// How what was typed becomes a command.
#[derive(Debug)]
pub(super) enum Read {
    /// By its own flags.
    Own(fn(Typed) -> Result<Command, Stop>),
    /// By those of the agent, and its own besides.
    Agent(fn(Vec<OsString>) -> Result<Command, Vec<String>>),
}

/// A flag of a command, or of the agent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    /// Its letter, if it has one.
    pub(super) short: Option<char>,
    /// Its name without the dashes.
    pub(super) long: &'static str,
    /// What its value is: words with `|` between are all that there are; empty: it takes none.
    pub(super) value: &'static str,
    /// What it does.
    pub(super) what: &'static str,
}

impl Flag {
    pub(super) const fn new(long: &'static str, value: &'static str, what: &'static str) -> Flag {
        Flag {
            short: None,
            long,
            value,
            what,
        }
    }

    pub(super) const fn letter(self, letter: char) -> Flag {
        Flag {
            short: Some(letter),
            ..self
        }
    }

    /// The values that there are; empty where any will do.
    pub(super) fn choices(&self) -> Vec<&'static str> {
        if self.value.contains('|') {
            self.value.split('|').collect()
        } else {
            Vec::new()
        }
    }

    /// Every way in which it is typed.
    pub(super) fn names(&self) -> Vec<String> {
        let letter = self.short.map(|letter| format!("-{letter}"));
        let long = Some(format!("--{}", self.long));
        letter.into_iter().chain(long).collect()
    }

    /// As a person would type it.
    pub(super) fn typed(&self) -> String {
        let letter = self.short.map(|letter| format!("-{letter}"));
        letter.unwrap_or_else(|| format!("--{}", self.long))
    }
}

impl Words {
    /// The flag of this name.
    pub(super) fn flag(&self, long: &str) -> Option<&'static Flag> {
        self.flags.iter().copied().find(|flag| flag.long == long)
    }

    /// The flag of this letter.
    pub(super) fn letter(&self, letter: char) -> Option<&'static Flag> {
        let mut flags = self.flags.iter().copied();
        flags.find(|flag| flag.short == Some(letter))
    }

    /// Its flags, with those of the agent where it takes them, and `--help`.
    pub(super) fn all_flags(&self) -> Vec<Flag> {
        let mut flags: Vec<Flag> = self.flags.iter().map(|flag| **flag).collect();
        if let Read::Agent(_) = self.read {
            flags.extend(agent_flags());
        }
        flags.push(HELP);
        flags
    }

    /// How many words it takes at least and at most.
    pub(super) fn counts(&self) -> (usize, usize) {
        let least = usize::from(!self.takes.is_empty() && !self.takes.starts_with('['));
        let most = match self.takes {
            "" => 0,
            takes if takes.contains("...") => usize::MAX,
            _ => 1,
        };
        (least, most)
    }
}

const RUN_DIR: Flag = Flag::new(
    "run-dir",
    "DIR",
    "where the agent publishes; default /run/staticlet",
);
const NODE: Flag = Flag::new(
    "hostname-override",
    "NAME",
    "the node's name; default: the agent's, or the host's",
);

const ROOT_DIR: Flag = Flag::new(
    "root-dir",
    "DIR",
    "what the agent's pods own; default: the agent's, or /var/lib/staticlet",
);
const DOCKER: Flag = Flag::new(
    "container-runtime-endpoint",
    "URL",
    "dockerd; default: the agent's, or DOCKER_HOST",
);
const CONTAINER: Flag = Flag::new("container", "NAME", "which container of the pod").letter('c');

pub(super) const HELP: Flag = Flag::new("help", "", "print this").letter('h');

/// The flags of the agent itself, in the order of `--help`.
pub(super) fn agent_flags() -> Vec<Flag> {
    let valued = HONOURED.iter();
    let valued = valued.map(|(long, value, what)| Flag::new(long, value, what));
    let bare = HONOURED_BOOL.iter();
    let bare = bare.map(|(long, what)| Flag::new(long, "", what));
    let verbose = Flag::new("v", "N", "log more: 4 debug, 6 trace").letter('v');
    valued.chain(bare).chain([verbose]).collect()
}

/// All of them, in the order of `--help`.
pub(super) const COMMANDS: &[Words] = &[
    Words {
        name: "config",
        takes: "[FLAG...]",
        what: "show the settings that the agent's flags make, and where each was said",
        more: "Takes every flag of the agent (see staticlet --help), and starts nothing.",
        flags: &[&Flag::new("output", "text|json", "how to print it").letter('o')],
        example: "staticlet config --config=/etc/staticlet/config.yaml",
        read: Read::Agent(run::config),
    },
    Words {
        name: "plan",
        takes: "PATH",
        what: "show what would change if these were the manifests, and do nothing",
        more: "A path is a manifest or a directory of them. Takes every flag of the agent (see staticlet --help); give it those that the \
agent has. Needs dockerd. The manifest URL is not asked: the last good answer counts.",
        flags: &[&Flag::new("output", "text|json", "how to print it").letter('o')],
        example: "staticlet plan --config=/etc/staticlet/config.yaml ./manifests",
        read: Read::Agent(run::plan),
    },
    Words {
        name: "doctor",
        takes: "[FLAG...]",
        what: "look for what would keep pods from running on this machine",
        more: "One line for each thing: ok, warn or bad, what it is, and what to do. Takes every flag of the agent (see staticlet \
--help); give it those that the agent has. Changes nothing. Exit code 1: something is bad.",
        flags: &[&Flag::new("output", "text|json", "how to print it").letter('o')],
        example: "staticlet doctor --config=/etc/staticlet/config.yaml",
        read: Read::Agent(run::doctor),
    },
    Words {
        name: "status",
        takes: "[POD]",
        what: "show the pods; exit code 0: all are well",
        more: "With a POD (name or namespace/name, with or without the node's name at its end) everything about that one: containers, \
probes, conditions, what happened last, why it does not run and when that is tried again. Below the table is a line for each thing that is not as it should be. The state is what the agent published: a dead \
agent's is shown as well, with its age.",
        flags: &[
            &Flag::new(
                "output",
                "table|wide|json|name",
                "text, a v1 PodList (one Pod with POD), or names alone",
            )
            .letter('o'),
            &Flag::new("watch", "", "again whenever it changes").letter('w'),
            &RUN_DIR,
        ],
        example: "staticlet status --watch\nstaticlet status -o json | jq -r '.items[].status.podIP'",
        read: Read::Own(pods::status),
    },
    Words {
        name: "logs",
        takes: "POD",
        what: "print the log of a container",
        more: "A pod is its name, or namespace/name, with or without the name of the node at its end. Standard output and standard \
error come as one. With -f it ends when the container does. Needs no agent.",
        flags: &[
            &CONTAINER,
            &Flag::new("follow", "", "go on as the log grows").letter('f'),
            &Flag::new("previous", "", "of the newest instance that has ended").letter('p'),
            &Flag::new("tail", "N", "the last N lines; default: all"),
            &Flag::new("since", "TIME", "what was said in this time: 90s, 10m, 2h"),
            &Flag::new("timestamps", "", "begin each line with its time"),
            &NODE,
            &RUN_DIR,
            &ROOT_DIR,
            &DOCKER,
        ],
        example: "staticlet logs static-web -f --tail 20\nstaticlet logs kube-system/etcd -p --since 10m",
        read: Read::Own(pods::logs),
    },
    Words {
        name: "wait",
        takes: "[POD...]",
        what: "wait until pods are ready, or gone",
        more: "Without a pod, for all of them. Exit code 0: it is so. Exit code 1: the time is over, or it cannot come to be, as \
when the manifest is refused; a line for each pod says why. A pod that has done all it should counts as ready. To see an \
edit that was made just before, what is found has to hold for 2 seconds.",
        flags: &[
            &Flag::new("for", "ready|gone", "what to wait for; default ready"),
            &Flag::new("timeout", "TIME", "how long; default 30s, 0: look once"),
            &NODE,
            &RUN_DIR,
            &ROOT_DIR,
            &DOCKER,
        ],
        example: "staticlet wait --timeout 2m && echo all pods are ready\nrm /etc/kubelet.d/web.yaml && staticlet wait --for=gone web",
        read: Read::Own(pods::wait),
    },
    Words {
        name: "restart",
        takes: "POD",
        what: "stop the containers of a pod, and see that the agent starts them again",
        more: "Each has its preStop hook and its grace period, sidecars come last. The next attempt is the agent's, which has to run: \
after restarts that follow each other closely it waits, as after crashes. One with restartPolicy Never would stay as it \
is and is refused; one with OnFailure that ends with 0 is removed, with its log, so that it is started again.",
        flags: &[
            &CONTAINER,
            &Flag::new(
                "timeout",
                "TIME",
                "how long to wait for the next attempt; default 30s",
            ),
            &NODE,
            &RUN_DIR,
            &ROOT_DIR,
            &DOCKER,
        ],
        example: "staticlet restart static-web -c web",
        read: Read::Own(pods::restart),
    },
    Words {
        name: "stop",
        takes: "",
        what: "end every pod in order, before the machine goes down",
        more: "Each pod ends as if its manifest had been removed: preStop hooks, grace periods, sidecars last, then what it has on \
disk, emptyDirs too. The manifests stay, and an agent that is started afterwards brings all pods back. An agent that \
runs has to be stopped first.",
        flags: &[
            &Flag::new("all", "", "every pod; there is no other way"),
            &Flag::new(
                "timeout",
                "TIME",
                "kill what has not ended by then; default: whole grace periods",
            ),
            &NODE,
            &RUN_DIR,
            &ROOT_DIR,
            &DOCKER,
        ],
        example: "systemctl stop staticlet && staticlet stop --all --timeout 1m && poweroff",
        read: Read::Own(pods::stop),
    },
    Words {
        name: "check",
        takes: "PATH...",
        what: "say what is wrong with manifests, by file, line and field",
        more: "A path is a manifest, a directory of them, or - for standard input. Needs neither Docker, nor an agent, nor root. \
Exit code 1: there is a problem.",
        flags: &[
            &Flag::new("output", "text|json", "how to print it").letter('o'),
            &NODE,
            &Flag::new(
                "allow-unknown-fields",
                "",
                "unknown fields are a warning, not a problem",
            ),
        ],
        example: "staticlet check pod.yaml && cp pod.yaml /etc/kubelet.d",
        read: Read::Own(lint::check),
    },
    Words {
        name: "fields",
        takes: "[PREFIX]",
        what: "list every field of a Pod, and what becomes of it here",
        more: "With a prefix, those whose path begins like it.",
        flags: &[],
        example: "staticlet fields spec.containers.livenessProbe",
        read: Read::Own(lint::fields),
    },
    Words {
        name: "completion",
        takes: "bash|zsh|fish",
        what: "print what makes a shell complete commands, flags and pods",
        more: "For one session as below. To have it always write it to /etc/bash_completion.d/staticlet, to _staticlet in a \
directory of zsh's fpath, or to /etc/fish/completions/staticlet.fish.",
        flags: &[],
        example: "eval \"$(staticlet completion bash)\"\nstaticlet completion fish | source",
        read: Read::Own(shell::completion),
    },
    Words {
        name: "man",
        takes: "",
        what: "print the manual page",
        more: "",
        flags: &[],
        example: "staticlet man | man -l -",
        read: Read::Own(shell::man),
    },
];

/// The command of this name.
pub(super) fn command(name: &str) -> Option<&'static Words> {
    COMMANDS.iter().find(|command| command.name == name)
}
