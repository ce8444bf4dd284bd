//! An API server, kubectl for its administrator, and kubeconfigs for its nodes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::pki::Pki;
use super::real::{self, Real};
use crate::support::apiserver::{ApiServer, State};
use crate::support::tls::{self, Wants};

/// The API server.
enum Server {
    Fake(ApiServer),
    Real(Real),
}

/// It, and what is needed to talk to it.
pub(super) struct Site {
    dir: PathBuf,
    pki: Pki,
    server: Server,
}

impl Site {
    pub(super) fn fake(test: &str) -> Site {
        let (dir, pki) = place(test, "fake");
        let at = pki.dir.clone();
        let config = move || tls::config_of(&at, ("server.pem", "server.key"), Wants::Client);
        let server = Server::Fake(ApiServer::start_with(Box::new(config)));
        Site { dir, pki, server }.ready()
    }

    /// `None` where there is none.
    pub(super) fn real(test: &str) -> Option<Site> {
        let assets = real::assets()?;
        let (dir, pki) = place(test, "real");
        let server = Server::Real(Real::start(&assets, &dir));
        Some(Site { dir, pki, server }.ready())
    }

    fn ready(self) -> Site {
        self.renew_admin();
        self
    }

    pub(super) fn name(&self) -> &'static str {
        match &self.server {
            Server::Fake(_) => "fake API server",
            Server::Real(_) => "kube-apiserver",
        }
    }

    pub(super) fn as_fake(&self) -> Option<&ApiServer> {
        match &self.server {
            Server::Fake(server) => Some(server),
            Server::Real(_) => None,
        }
    }

    fn url(&self) -> String {
        match &self.server {
            Server::Fake(server) => format!("https://{}", server.at),
            Server::Real(real) => real.url(),
        }
    }

    fn renew_admin(&self) {
        let admin = self.pki.client("admin", "/O=system:masters/CN=admin");
        self.kubeconfig("admin", &admin);
        // A real one makes its namespaces after it has begun to answer.
        for _ in 0..600 {
            let (good, _) = self.try_kubectl(&["get", "pods", "-A"]);
            let is_fake = self.as_fake().is_some();
            let spaces = ["default", "kube-system", "kube-node-lease"];
            let space = |space: &&str| self.try_kubectl(&["get", "namespace", space]).0;
            if good && (is_fake || spaces.iter().all(space)) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{} does not come up", self.name());
    }

    /// Gives a node what it needs: its kubeconfig, whose certificates are files beside it. `system:nodes` may do what the Node
    /// authorizer allows it; no role is bound to it, as under kubeadm.
    pub(super) fn join(&self, node: &str) -> PathBuf {
        let subject = format!("/O=system:nodes/CN=system:node:{node}");
        self.kubeconfig(node, &self.pki.client(node, &subject))
    }

    fn kubeconfig(&self, user: &str, certificate: &Path) -> PathBuf {
        let path = self.dir.join(format!("{user}.conf"));
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "k", "cluster": {"server": self.url(), "certificate-authority": self.pki.dir.join("ca.pem")}}],
            "users": [{"name": "u", "user": {"client-certificate": certificate, "client-key": certificate}}],
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        });
        fs::write(&path, text.to_string()).unwrap();
        path
    }

    /// Types a line of kubectl: whether it worked, and all that it printed.
    pub(super) fn try_kubectl(&self, line: &[&str]) -> (bool, String) {
        let out = Command::new(real::kubectl())
            .arg(format!("--cache-dir={}", self.dir.join("cache").display()))
            .arg("--request-timeout=20s")
            .args(line)
            .env("KUBECONFIG", self.dir.join("admin.conf"))
            .env("HOME", &self.dir)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [out.stdout, out.stderr].concat();
        (
            out.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    pub(super) fn kubectl(&self, line: &[&str]) -> String {
        let (good, said) = self.try_kubectl(line);
        assert!(good, "{}: kubectl {line:?}: {said}", self.name());
        said
    }

    /// An object, or a list; `Null` where there is none.
    pub(super) fn object(&self, what: &[&str]) -> Value {
        let line = [&["get"], what, &["-o", "json"]].concat();
        let (good, said) = self.try_kubectl(&line);
        serde_json::from_str(&said).unwrap_or_else(|_| {
            assert!(!good, "kubectl {line:?}: {said}");
            Value::Null
        })
    }

    pub(super) fn kill(&self) {
        match &self.server {
            Server::Fake(server) => server.turn(State::Down),
            Server::Real(real) => real.kill(),
        }
    }

    /// Starts it again, on the same port.
    pub(super) fn revive(&self) {
        match &self.server {
            Server::Fake(server) => server.turn(State::Up),
            Server::Real(real) => real.serve(),
        }
    }

    pub(super) fn freeze(&self) {
        match &self.server {
            Server::Fake(server) => server.turn(State::Frozen),
            Server::Real(real) => real.signal("STOP"),
        }
    }

    pub(super) fn thaw(&self) {
        match &self.server {
            Server::Fake(server) => server.turn(State::Up),
            Server::Real(real) => real.signal("CONT"),
        }
    }

    /// It comes back with nothing stored.
    pub(super) fn wipe(&self) {
        self.kill();
        match &self.server {
            Server::Fake(server) => server.wipe(),
            Server::Real(real) => real.wipe(),
        }
        self.revive();
    }

    /// It comes back with an authority of its own; administrators have their new certificates, nodes have not.
    pub(super) fn renew(&self) {
        self.kill();
        self.pki.renew();
        self.revive();
        self.renew_admin();
    }
}

fn place(test: &str, kind: &str) -> (PathBuf, Pki) {
    let name = format!("staticlet-cluster-{}-{test}-{kind}", std::process::id());
    let dir = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&dir);
    let pki = Pki::new(&dir.join("pki"));
    (dir, pki)
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Server::Real(real) = &self.server {
            real.end();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}
