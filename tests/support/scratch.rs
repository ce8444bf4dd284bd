//! A directory of its own for one test, and the built binary as it is typed there.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Removed at the end.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Nobody else may write into it, whatever the umask.
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("staticlet-scratch-{}-{count}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        Scratch(dir.canonicalize().unwrap())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, and the directories above it.
    pub fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        for above in path.ancestors().skip(1) {
            if !above.exists() {
                fs::create_dir_all(above).unwrap();
            }
            if above == self.0 {
                break;
            }
            fs::set_permissions(above, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// What a call printed to both outputs, and its exit code; run in this directory.
    pub fn typed(&self, line: &str) -> (String, String, i32) {
        self.typed_with(line, "")
    }

    /// The same with an input.
    pub fn typed_with(&self, line: &str, input: &str) -> (String, String, i32) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_staticlet"))
            .args(line.split_whitespace())
            .current_dir(&self.0)
            .env_remove("DOCKER_HOST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            text(output.stdout),
            text(output.stderr),
            output.status.code().unwrap(),
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
