//! A real etcd and a real kube-apiserver, with the Node authorizer, RBAC and NodeRestriction.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Both processes; their logs and their data are in the directory of the site.
pub(super) struct Real {
    assets: PathBuf,
    dir: PathBuf,
    ports: [u16; 3],
    etcd: RefCell<Option<Child>>,
    server: RefCell<Option<Child>>,
}

/// The folder of envtest, where there is one.
pub(super) fn assets() -> Option<PathBuf> {
    let dir = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?);
    for name in ["etcd", "kube-apiserver", "kubectl"] {
        assert!(
            dir.join(name).exists(),
            "KUBEBUILDER_ASSETS={}: {name} is missing",
            dir.display()
        );
    }
    Some(dir)
}

/// Past the capturing of the test's output: that a half was not played is to be seen whenever it was not.
pub(super) fn tell_missing(test: &str) {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(
        err,
        "NOT TRIED at a real kube-apiserver: cluster::{test} (KUBEBUILDER_ASSETS names no folder with etcd, kube-apiserver and kubectl); it was played at the fake one alone"
    );
}

/// kubectl: of envtest, of the machine, or of `tests/run`.
pub(super) fn kubectl() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/kubectl/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = assets()
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain([ours]);
    let mut all = places.map(|dir| dir.join("kubectl"));
    all.find(|file| file.exists())
        .expect("kubectl is missing: tests/run installs it")
}

impl Real {
    pub(super) fn start(assets: &Path, dir: &Path) -> Real {
        // Free when they were looked for; each site has its own.
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let sockets = [free(), free(), free()];
        let ports = sockets
            .each_ref()
            .map(|socket| socket.local_addr().unwrap().port());
        drop(sockets);
        let real = Real {
            assets: assets.to_owned(),
            dir: dir.to_owned(),
            ports,
            etcd: RefCell::new(None),
            server: RefCell::new(None),
        };
        real.store();
        real.serve();
        real
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[2])
    }

    fn spawn(&self, name: &str, args: &[String]) -> Child {
        let path = self.dir.join(format!("{name}.log"));
        let log = fs::OpenOptions::new().create(true).append(true).open(path);
        let log = log.unwrap();
        Command::new(self.assets.join(name))
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn store(&self) {
        let (client, peer) = (self.ports[0], self.ports[1]);
        let args = [
            "--data-dir=etcd".to_owned(),
            "--unsafe-no-fsync".to_owned(),
            format!("--listen-client-urls=http://127.0.0.1:{client}"),
            format!("--advertise-client-urls=http://127.0.0.1:{client}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
            format!("--initial-cluster=default=http://127.0.0.1:{peer}"),
        ];
        *self.etcd.borrow_mut() = Some(self.spawn("etcd", &args));
    }

    /// The API server alone.
    pub(super) fn serve(&self) {
        let args = [
            format!("--etcd-servers=http://127.0.0.1:{}", self.ports[0]),
            format!("--secure-port={}", self.ports[2]),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--enable-admission-plugins=NodeRestriction".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--client-ca-file=pki/ca.pem".to_owned(),
            "--tls-cert-file=pki/server.pem".to_owned(),
            "--tls-private-key-file=pki/server.key".to_owned(),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--service-account-key-file=pki/sa.pub".to_owned(),
            "--service-account-signing-key-file=pki/sa.key".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        ];
        *self.server.borrow_mut() = Some(self.spawn("kube-apiserver", &args));
    }

    pub(super) fn kill(&self) {
        end(&self.server);
    }

    pub(super) fn signal(&self, signal: &str) {
        if let Some(child) = &*self.server.borrow() {
            let args = [format!("-{signal}"), child.id().to_string()];
            assert!(Command::new("kill").args(args).status().unwrap().success());
        }
    }

    /// The storage alone; the API server is to be started anew.
    pub(super) fn wipe(&self) {
        end(&self.etcd);
        fs::remove_dir_all(self.dir.join("etcd")).unwrap();
        self.store();
    }

    pub(super) fn end(&self) {
        end(&self.server);
        end(&self.etcd);
    }
}

fn end(process: &RefCell<Option<Child>>) {
    if let Some(mut child) = process.borrow_mut().take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}
