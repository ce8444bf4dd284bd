//! What jobs say about the API server.

use serde::{Deserialize, Serialize};

use crate::apiserver::Credential;
use crate::pod::PodKey;

/// What a watch of the API server follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Watched {
    /// The pods of this node.
    Pods,
    /// The Node.
    Node,
}

/// What came of calls to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApiSaid {
    /// The Node is there.
    Node {
        /// Its UID; another one means that it was deleted and made anew.
        uid: String,
    },
    /// The Lease was renewed.
    Leased,
    /// The status of the Node was told.
    NodeTold {
        /// Of what it said of the machine.
        digest: String,
    },
    /// The mirrors were listed.
    Listed {
        /// The version of each.
        versions: Vec<String>,
    },
    /// A mirror is as it should be after a change.
    Told {
        /// Of which pod.
        key: PodKey,
        /// What was done, in a word.
        what: String,
        /// Its version now.
        version: String,
    },
    /// A pod cannot be shown.
    Trouble {
        /// Which.
        key: PodKey,
        /// Why.
        why: String,
    },
    /// Something about the Node, its Lease or the mirrors as a whole is refused; the server answers.
    Refused {
        /// What, and why.
        why: String,
    },
    /// A watch is open: nothing is missed from here on.
    Watching,
    /// A watch sent what cannot be followed, or is not allowed.
    WatchBroke {
        /// What was wrong.
        why: String,
    },
    /// So many events were told.
    EventsTold {
        /// How many, from the first one given.
        count: usize,
    },
    /// The server is busy, and said when to come again.
    Wait {
        /// After how many seconds.
        seconds: u64,
    },
    /// A credential plugin was asked.
    Credential(Credential),
    /// The server does not take the credential any more.
    Denied,
    /// Somebody wrote a mirror.
    Touched {
        /// Its version now.
        version: String,
    },
    /// The watch saw the Node come or go.
    NodeSeen {
        /// Its UID; empty when it is not there.
        uid: String,
    },
}
