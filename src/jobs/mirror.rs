//! Brings the API server up to date: the Lease, the Node, the mirror pods, the events.
//!
//! What is due is said in the request; what is known is read from the API server. The first call that finds no server ends
//! the job: the agent tries again later, and nobody waits for it. An answer that refuses one object is told of that
//! object, and the others go on: pods are shown also where nobody may have a Lease.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access;
use super::machine::machine;
use super::report::say;
use super::run::Outcome;
use crate::apiserver::wire::{self, Listed};
use crate::apiserver::{Answer, Api, Credential};
use crate::decide::report::{Change, Shown, is_of_other, patch, report};
use crate::pod::PodKey;
use crate::state::{ApiSaid, Node, Report};
use crate::status::mirror::{self, Owner};
use crate::status::node::{self, Machine, NodeSettings};
use crate::sys::{self, Error, Kind, Result};

/// Changes of one job, three for each of two hundred pods. More: a server that makes up mirrors without end holds up the Lease.
const CHANGES_MAX: usize = 600;

/// What is to be done.
#[allow(clippy::struct_excessive_bools)] // independent tasks
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MirrorRequest {
    /// The kubeconfig file.
    pub kubeconfig: String,
    /// What a plugin of the kubeconfig said before.
    #[serde(default)]
    pub credential: Option<Credential>,
    /// This node.
    pub node: Node,
    /// dockerd's version.
    pub docker_version: String,
    /// Why no pod can be run; `None` when all is well.
    pub trouble: Option<String>,
    /// How to register the Node; `None`: it is somebody else's, and has no Lease of ours.
    pub register: Option<NodeSettings>,
    /// The Node's UID as far as known.
    pub node_uid: Option<String>,
    /// Renew the Lease.
    pub lease: bool,
    /// Tell the Node's status.
    pub tell_node: bool,
    /// Tell it if the machine is another than the one that was told of, with this digest.
    #[serde(default)]
    pub node_told: Option<String>,
    /// Compare the mirrors.
    pub compare: bool,
    /// Mirrors that no pod here asks for may go.
    pub orphans: bool,
    /// Every pod to show.
    pub pods: Vec<Shown>,
    /// Events to tell.
    pub events: Vec<Value>,
}

/// Does it.
pub(super) fn run(request: &MirrorRequest) -> Outcome {
    Outcome::told(carry_out(request))
}

fn carry_out(request: &MirrorRequest) -> Result<()> {
    let mut job = Job {
        api: access::open(&request.kubeconfig, request.credential.as_ref())?,
        request,
        node_uid: request.node_uid.clone(),
        refused: None,
        is_slow: false,
        is_node_fresh: false,
        tells_node: false,
        machine: Machine {
            docker_version: request.docker_version.clone(),
            trouble: request.trouble.clone(),
            ..machine(&request.node)
        },
    };
    let result = job.all();
    if let (Ok(()), Some(why)) = (&result, job.refused.take()) {
        api(ApiSaid::Refused { why });
    }
    if let (Err(_), Some(seconds)) = (&result, job.api.retry_after()) {
        api(ApiSaid::Wait { seconds });
    }
    access::tell_denied(&job.api);
    result
}

struct Job<'a> {
    api: Api,
    request: &'a MirrorRequest,
    node_uid: Option<String>,
    /// The first of what the server does not take and that is about no pod.
    refused: Option<String>,
    /// One mirror could not be written in time.
    is_slow: bool,
    /// The Node was read by this job.
    is_node_fresh: bool,
    /// The Node's status is to be told.
    tells_node: bool,
    machine: Machine,
}

impl Job<'_> {
    fn all(&mut self) -> Result<()> {
        let request = self.request;
        let registers = request.register.is_some();
        let told = request.node_told.as_ref();
        let is_changed = told.is_some_and(|told| *told != node::digest(&self.machine));
        self.tells_node = registers && (request.tell_node || is_changed);
        if self.node_uid.is_none() || self.tells_node {
            let result = self.node();
            self.goes_on(result)?;
        }
        if let (true, Some(settings)) = (request.lease, &request.register) {
            let result = self.lease(settings.lease_seconds);
            self.goes_on(result)?;
        }
        if request.compare {
            let result = self.pods();
            self.goes_on(result)?;
        }
        self.events()
    }

    /// What is refused is told at the end. An error is one that the next call would meet as well.
    fn goes_on(&mut self, result: Result<()>) -> Result<()> {
        let Err(error) = result else {
            return Ok(());
        };
        match error.kind() {
            Kind::Gone | Kind::Conflict | Kind::Refused if !self.api.is_denied() => {
                self.refused.get_or_insert(error.to_string());
                Ok(())
            }
            Kind::Gone | Kind::Conflict | Kind::Refused => Err(error),
            Kind::Unavailable | Kind::Garbled | Kind::TooBig => Err(error),
        }
    }

    /// Reads the Node, or registers it, and tells its status.
    fn node(&mut self) -> Result<()> {
        let name = &self.request.node.name;
        let path = format!("/api/v1/nodes/{name}");
        self.is_node_fresh = true;
        let there = match (self.api.get(&path)?, &self.request.register) {
            (Answer::Done(node), _) => Some(node),
            (Answer::Gone(_), Some(settings)) => {
                let object = node::node(&self.machine, settings, sys::now().wall);
                let answer = self.api.create("/api/v1/nodes", &object)?;
                return self.knows(done(answer, "register the Node")?, true);
            }
            (Answer::Gone(_), None) => None,
            (answer @ (Answer::Conflict(_) | Answer::Refused(_)), _) => {
                return done(answer, "read the Node").map(|_| ());
            }
        };
        let Some(node) = there else {
            self.node_uid = None;
            return Ok(());
        };
        if self.tells_node {
            if let Some(patch) = node::labels_patch(&self.machine, &node) {
                done(self.api.patch(&path, &patch)?, "label the Node")?;
            }
            let patch = node::status_patch(&self.machine, &node, sys::now().wall);
            let answer = self.api.patch(&format!("{path}/status"), &patch)?;
            done(answer, "tell the Node's status")?;
            return self.knows(node, true);
        }
        self.knows(node, false)
    }

    fn knows(&mut self, node: Value, told: bool) -> Result<()> {
        let uid = wire::meta(&node).map(|meta| meta.uid).unwrap_or_default();
        if uid.is_empty() {
            let said = "it has no UID";
            return Err(Error::new("read the Node", Kind::Garbled, said));
        }
        api(ApiSaid::Node { uid: uid.clone() });
        self.node_uid = Some(uid);
        if told {
            let digest = node::digest(&self.machine);
            api(ApiSaid::NodeTold { digest });
        }
        Ok(())
    }

    /// One patch renews it; where there is none it is made, and the Node before it.
    fn lease(&mut self, seconds: u32) -> Result<()> {
        let all = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
        let name = &self.request.node.name;
        for _ in 0..2 {
            let Some(uid) = self.node_uid.clone() else {
                return Ok(());
            };
            let lease = node::lease(name, &uid, seconds, sys::now().wall);
            let answer = self.api.patch(&format!("{all}/{name}"), &lease)?;
            if !matches!(answer, Answer::Gone(_)) {
                return leased(answer, "renew the Lease");
            }
            // It goes with its Node, which may have been made anew since.
            if !self.is_node_fresh {
                self.node()?;
            }
            let Some(uid) = self.node_uid.clone() else {
                return Ok(());
            };
            let lease = node::lease(name, &uid, seconds, sys::now().wall);
            let answer = self.api.create(all, &lease)?;
            if !matches!(answer, Answer::Conflict(_)) {
                return leased(answer, "create the Lease");
            }
        }
        Ok(())
    }

    fn pods(&mut self) -> Result<()> {
        let request = self.request;
        let node = &request.node.name;
        let listed = self.api.pods(node)?;
        let versions = listed.iter().filter(|pod| pod.hash.is_some());
        let versions = versions.map(|pod| pod.version.clone()).take(1000).collect();
        api(ApiSaid::Listed { versions });
        let node_uid = self.node_uid.as_deref();
        if !self.is_node_fresh && listed.iter().any(|pod| is_of_other(pod, node_uid)) {
            self.node()?;
        }
        let node_uid = self.node_uid.clone();
        let changes = report(&request.pods, &listed, node_uid.as_deref(), request.orphans);
        for change in changes.iter().take(CHANGES_MAX) {
            let result = self.change(change);
            self.is_told(change, result)?;
        }
        if changes.len() > CHANGES_MAX {
            let said = format!("{} changes are left for later", changes.len() - CHANGES_MAX);
            return Err(Error::new(
                "bring the mirrors up to date",
                Kind::Refused,
                said,
            ));
        }
        Ok(())
    }

    /// One mirror that is not made in time is told of that pod: a webhook may hang for its namespace. After a second one nobody
    /// is there.
    fn is_told(&mut self, change: &Change<'_>, result: Result<()>) -> Result<()> {
        match (change, result) {
            (Change::Create { pod }, Err(error))
                if error.kind() == Kind::Unavailable && !self.is_slow =>
            {
                self.is_slow = true;
                trouble(&pod.key, error.to_string());
                Ok(())
            }
            (_, result) => result,
        }
    }

    fn change(&mut self, change: &Change<'_>) -> Result<()> {
        match change {
            Change::Delete { mirror, why } => self.delete(mirror, why),
            Change::Create { pod } => self.create(pod),
            Change::Patch { key, patch } => self.patch(key, patch),
            Change::Taken { key } => {
                trouble(key, "a pod that is no mirror has its name".to_owned());
                Ok(())
            }
        }
    }

    fn delete(&self, mirror: &Listed, why: &str) -> Result<()> {
        match self.api.delete(&path(&mirror.key), &mirror.uid)? {
            // Gone, or another one by now: what was meant is not there any more.
            Answer::Done(_) | Answer::Gone(_) | Answer::Conflict(_) => {
                told(&mirror.key, &format!("deleted: {why}"), String::new());
            }
            Answer::Refused(said) => trouble(&mirror.key, said),
        }
        Ok(())
    }

    /// The Node is read before the first mirror is made: with the UID of an earlier one it would be refused, or be taken
    /// away again.
    fn create(&mut self, pod: &Shown) -> Result<()> {
        if !self.is_node_fresh {
            self.node()?;
        }
        let name = self.request.node.name.as_str();
        let Some(uid) = self.node_uid.as_deref() else {
            trouble(&pod.key, format!("there is no Node {name}"));
            return Ok(());
        };
        let Some(object) = mirror::mirror(&pod.pod, Owner { name, uid }) else {
            return Ok(());
        };
        let all = format!("/api/v1/namespaces/{}/pods", pod.key.namespace);
        let made = match self.api.create(&all, &object)? {
            Answer::Done(made) => wire::listed(&made, name),
            Answer::Gone(said) | Answer::Conflict(said) | Answer::Refused(said) => {
                trouble(&pod.key, said);
                return Ok(());
            }
        };
        let Some(made) = made else {
            trouble(
                &pod.key,
                "the API server answered with another object".to_owned(),
            );
            return Ok(());
        };
        told(&pod.key, "created", made.version.clone());
        match patch(pod, &made) {
            Some(change) => self.change(&change),
            None => Ok(()),
        }
    }

    fn patch(&self, key: &PodKey, patch: &Value) -> Result<()> {
        match self.api.patch(&format!("{}/status", path(key)), patch)? {
            Answer::Done(pod) => {
                let version = wire::meta(&pod).map(|meta| meta.resource_version);
                told(key, "status", version.unwrap_or_default());
            }
            // It went, or was made anew, since the list: the watch tells.
            Answer::Gone(_) | Answer::Conflict(_) => {}
            Answer::Refused(said) => trouble(key, said),
        }
        Ok(())
    }

    /// A refused event is no reason to keep the others.
    fn events(&self) -> Result<()> {
        for (count, event) in self.request.events.iter().enumerate() {
            let namespace = event.pointer("/metadata/namespace").and_then(Value::as_str);
            let all = format!(
                "/api/v1/namespaces/{}/events",
                namespace.unwrap_or("default")
            );
            let name = event.pointer("/metadata/name").and_then(Value::as_str);
            let is_again = event["count"].as_u64().is_some_and(|count| count > 1);
            let mut is_told = false;
            if let (true, Some(name)) = (is_again, name) {
                let patch = serde_json::json!({
                    "count": event["count"], "lastTimestamp": event["lastTimestamp"],
                    "message": event["message"],
                });
                let answer = self.api.patch(&format!("{all}/{name}"), &patch)?;
                is_told = matches!(answer, Answer::Done(_));
            }
            if !is_told {
                self.api.create(&all, event)?;
            }
            api(ApiSaid::EventsTold { count: count + 1 });
        }
        Ok(())
    }
}

fn leased(answer: Answer, doing: &str) -> Result<()> {
    done(answer, doing)?;
    api(ApiSaid::Leased);
    Ok(())
}

fn path(key: &PodKey) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", key.namespace, key.name)
}

fn api(said: ApiSaid) {
    say(&Report::Api(said));
}

fn told(key: &PodKey, what: &str, version: String) {
    let (key, what) = (key.clone(), what.to_owned());
    api(ApiSaid::Told { key, what, version });
}

fn trouble(key: &PodKey, why: String) {
    let mut why = why;
    if let Some((at, _)) = why.char_indices().nth(500) {
        why.truncate(at);
    }
    let key = key.clone();
    api(ApiSaid::Trouble { key, why });
}

/// What must work for the rest to make sense.
fn done(answer: Answer, doing: &str) -> Result<Value> {
    match answer {
        Answer::Done(value) => Ok(value),
        Answer::Gone(said) => Err(Error::new(doing, Kind::Gone, said)),
        Answer::Conflict(said) => Err(Error::new(doing, Kind::Conflict, said)),
        Answer::Refused(said) => Err(Error::new(doing, Kind::Refused, said)),
    }
}
