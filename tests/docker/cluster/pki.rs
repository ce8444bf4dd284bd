//! A certificate authority of the test's own, made by openssl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its directory: `ca.pem`, `server.pem`, and whoever was asked for, each with its `.key`.
pub(super) struct Pki {
    pub(super) dir: PathBuf,
}

impl Pki {
    pub(super) fn new(dir: &Path) -> Pki {
        let pki = Pki {
            dir: dir.to_owned(),
        };
        fs::create_dir_all(dir).unwrap();
        pki.renew();
        pki
    }

    /// Another authority, and another server; clients of the former one are strangers.
    pub(super) fn renew(&self) {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        self.openssl(&format!(
            "req -x509 {key} -subj /CN=test-ca -keyout ca.key -out ca.pem"
        ));
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes\nextendedKeyUsage=serverAuth\n";
        self.sign("server", "/CN=kube-apiserver", names);
        // Tokens of service accounts are signed with it; nothing here asks for one.
        self.openssl("genrsa -out sa.key 2048");
        self.openssl("rsa -in sa.key -pubout -out sa.pub");
    }

    /// A certificate and its key.
    pub(super) fn sign(&self, file: &str, subject: &str, extensions: &str) {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        fs::write(self.dir.join(format!("{file}.ext")), extensions).unwrap();
        self.openssl(&format!(
            "req {key} -subj {subject} -keyout {file}.key -out {file}.csr"
        ));
        let ca = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2";
        self.openssl(&format!(
            "x509 -req {ca} -in {file}.csr -out {file}.pem -extfile {file}.ext"
        ));
    }

    /// A client; both in one file, as kubeadm and the kubelet have it.
    pub(super) fn client(&self, file: &str, subject: &str) -> PathBuf {
        self.sign(file, subject, "extendedKeyUsage=clientAuth\n");
        let part = |end: &str| fs::read(self.dir.join(format!("{file}.{end}"))).unwrap();
        let both = [part("pem"), part("key")].concat();
        let new = self.dir.join(format!("{file}.new"));
        fs::write(&new, both).unwrap();
        let path = self.dir.join(format!("{file}-current.pem"));
        fs::rename(new, &path).unwrap();
        path
    }

    fn openssl(&self, line: &str) {
        let mut command = Command::new("openssl");
        let out = command
            .args(line.split(' '))
            .current_dir(&self.dir)
            .output();
        let out = out.expect("openssl is missing: tests/run installs it");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "openssl {line}: {said}");
    }
}
