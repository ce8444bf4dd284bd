//! Weights of cgroups: of a pod among those of its QoS class, and of the classes.

use std::fs;
use std::path::Path;

/// More pods of one class weigh no more.
const PODS_MAX: usize = 4096;

/// The file of a weight, the smallest that it may be and the largest.
fn weight_file(version: u8) -> (&'static str, i64, i64) {
    match version {
        1 => ("cpu.shares", 2, 262_144),
        _ => ("cpu.weight", 1, 10_000),
    }
}

/// Shares as they are written.
///
/// Source: runc 1.1 `libcontainer/cgroups/utils.go` ConvertCPUSharesToCgroupV2Value.
pub(super) fn weight(shares: i64, version: u8) -> (&'static str, &'static str, String) {
    let (file, ..) = weight_file(version);
    match version {
        1 => ("cpu", file, shares.to_string()),
        _ => ("", file, (1 + (shares - 2) * 9999 / 262_142).to_string()),
    }
}

/// Gives the cgroup of a QoS class its weight beside those of the Guaranteed pods: what is Burstable weighs as much as its
/// pods together, what is BestEffort nothing. `dir` is the class's, in the hierarchy that has weights.
///
/// Source: kubelet 1.36 `cm/qos_container_manager_linux.go` setCPUCgroupConfig.
pub(super) fn weigh_class(dir: &Path, version: u8) -> std::io::Result<()> {
    let (file, least, most) = weight_file(version);
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let sum = if name.contains("besteffort") {
        least
    } else if name.contains("burstable") {
        let pods = fs::read_dir(dir)?.flatten().take(PODS_MAX);
        let weights = pods.filter_map(|pod| {
            let text = fs::read_to_string(pod.path().join(file)).ok()?;
            text.trim().parse::<i64>().ok()
        });
        weights.sum()
    } else {
        return Ok(());
    };
    fs::write(dir.join(file), sum.clamp(least, most).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_weighs_as_much_as_its_pods() {
        for (shares, wanted) in [(2, "1"), (102, "4"), (1024, "39"), (262_144, "10000")] {
            assert_eq!(weight(shares, 2).2, wanted, "{shares}");
        }
        let root = std::env::temp_dir().join(format!("staticlet-weights-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let file = |dir: &str| root.join(dir).join("cpu.shares");
        for (dir, shares) in [
            ("kubepods", "1024"),
            ("kubepods/podg", "512"),
            ("kubepods/burstable", "1024"),
            ("kubepods/burstable/poda", "102\n"),
            ("kubepods/burstable/podb", "51\n"),
            ("kubepods/besteffort", "1024"),
            ("kubepods/besteffort/podc", "2"),
        ] {
            fs::create_dir_all(root.join(dir)).unwrap();
            fs::write(file(dir), shares).unwrap();
        }
        for (class, wanted) in [
            ("kubepods/burstable", "153"),
            ("kubepods/besteffort", "2"),
            ("kubepods", "1024"),
        ] {
            weigh_class(&root.join(class), 1).unwrap();
            assert_eq!(fs::read_to_string(file(class)).unwrap(), wanted, "{class}");
        }
        fs::remove_dir_all(root.join("kubepods/burstable/poda")).unwrap();
        weigh_class(&root.join("kubepods/burstable"), 1).unwrap();
        assert_eq!(
            fs::read_to_string(file("kubepods/burstable")).unwrap(),
            "51"
        );
        assert!(weigh_class(&root.join("kubepods-burstable.slice"), 1).is_err());
        fs::remove_dir_all(root).unwrap();
    }
}
