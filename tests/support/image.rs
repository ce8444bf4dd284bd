//! The image of the tests, made on the spot from Debian's busybox-static.

use std::fs;
use std::process::Command;
use std::sync::Once;

use super::engine;

static MADE: Once = Once::new();

/// Sees to `busybox:1`.
pub fn busybox() {
    MADE.call_once(|| {
        if engine::call("GET", "/images/busybox:1/json", None).0 == 200 {
            return;
        }
        let dir = std::env::temp_dir().join(format!("staticlet-image-{}", std::process::id()));
        let script = r#"
            set -e; mkdir -p "$1/bin" "$1/etc" "$1/tmp" "$1/root" "$1/var/run"; chmod 1777 "$1/tmp"
            cp "$(command -v busybox)" "$1/bin/busybox"
            for a in $(busybox --list); do [ "$a" = busybox ] || ln "$1/bin/busybox" "$1/bin/$a"; done
            echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"; echo 'root:x:0:' >"$1/etc/group"
            tar -C "$1" -c . | docker import -c 'ENV PATH=/bin' -c 'CMD ["sh"]' - busybox:1"#;
        let made = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&dir)
            .status()
            .unwrap();
        let _ = fs::remove_dir_all(dir);
        assert!(made.success(), "the image busybox:1 cannot be made: is busybox-static installed?");
    });
}
