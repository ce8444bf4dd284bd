//! Huge pages: what the machine has set aside, and a file system of them.

use std::collections::BTreeMap;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use crate::sys::{Error, Gather, Kind, Result, files};

/// One directory for each size that the kernel has, with its number of pages.
const DIR: &str = "/sys/kernel/mm/hugepages";

/// No machine has more sizes.
const SIZES_MAX: usize = 16;

/// The bytes of pages that the machine has set aside, by the bytes of a page; what it would take from free memory, as
/// `nr_overcommit_hugepages` allows, goes by itself.
pub(super) fn set_aside() -> BTreeMap<u64, u64> {
    by_size("nr_hugepages")
}

fn by_size(file: &str) -> BTreeMap<u64, u64> {
    let dir = std::fs::read_dir(DIR);
    let entries = dir.into_iter().flatten().flatten().take(SIZES_MAX);
    let one = |name: String| {
        let kib = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
        let bytes = kib.parse::<u64>().ok()?.checked_mul(1024)?;
        let text = files::read_bounded(Path::new(&format!("{DIR}/{name}/{file}")), 64);
        let count: u64 = String::from_utf8(text.ok()?).ok()?.trim().parse().ok()?;
        Some((bytes, bytes.checked_mul(count)?))
    };
    entries
        .filter_map(|entry| one(entry.file_name().to_string_lossy().into_owned()))
        .gather()
}

/// Fails where the machine has not as many as these at all. Whether others use them is for the kernel to say.
///
/// # Errors
/// What is missing, and how to set it aside.
pub(super) fn check(wanted: &BTreeMap<u64, u64>) -> Result<()> {
    // Most pods ask for none, and then nothing is read.
    if wanted.is_empty() {
        return Ok(());
    }
    enough(wanted, &set_aside(), &by_size("nr_overcommit_hugepages"))
}

fn enough(
    wanted: &BTreeMap<u64, u64>,
    kept: &BTreeMap<u64, u64>,
    more: &BTreeMap<u64, u64>,
) -> Result<()> {
    for (page, wanted) in wanted.iter().filter(|(_, wanted)| **wanted > 0) {
        let said = match kept.get(page) {
            Some(kept) => {
                let there = kept.saturating_add(more.get(page).copied().unwrap_or(0));
                if there >= *wanted {
                    continue;
                }
                let (pages, kib) = (wanted / page, page / 1024);
                format!(
                    "{wanted} bytes are requested, the machine has {there}: write {pages} or more to {DIR}/hugepages-{kib}kB/nr_hugepages"
                )
            }
            None => {
                let sizes: Vec<String> = kept.keys().map(|bytes| size_name(*bytes)).collect();
                let only = match sizes.as_slice() {
                    [] => "no huge pages at all".to_owned(),
                    sizes => format!("only pages of {}", sizes.join(", ")),
                };
                format!(
                    "this machine has {only}; see hugepagesz among the parameters of its kernel"
                )
            }
        };
        let name = format!("hugepages-{}", size_name(*page));
        return Err(Error::new(name, Kind::Refused, said));
    }
    Ok(())
}

/// A size as names of resources have it.
pub(super) fn size_name(bytes: u64) -> String {
    in_units(bytes, ["Gi", "Mi", "Ki"])
}

/// A size in the largest of these units of which it is a whole number: 2^30, 2^20 or 2^10 bytes.
pub(super) fn in_units(bytes: u64, [gib, mib, kib]: [&str; 3]) -> String {
    match bytes >> 10 {
        size if size.is_multiple_of(1 << 20) => format!("{}{gib}", size >> 20),
        size if size.is_multiple_of(1 << 10) => format!("{}{mib}", size >> 10),
        size => format!("{size}{kib}"),
    }
}

/// Mounts a file system of pages of this size. A file in it is made of pages that its pod asks for.
///
/// # Errors
/// As the kernel says.
pub(super) fn mount_at(path: &Path, page_bytes: u64) -> Result<()> {
    let options = format!("pagesize={page_bytes}");
    let source = Some("nodev");
    mount(
        source,
        path,
        Some("hugetlbfs"),
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .map_err(|e| {
        let size = size_name(page_bytes);
        let doing = format!("mount huge pages of {size} at {}", path.display());
        Error::errno(doing, e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_to_do() {
        let kept: BTreeMap<u64, u64> = [(2 << 20, 4 << 20)].into();
        let said = |page: u64, wanted: u64, more: u64| {
            let more = [(2 << 20, more)].into();
            enough(&[(page, wanted)].into(), &kept, &more).map_err(|e| e.to_string())
        };
        assert_eq!(said(2 << 20, 4 << 20, 0), Ok(()));
        assert_eq!(said(2 << 20, 6 << 20, 2 << 20), Ok(()));
        assert_eq!(said(1 << 30, 0, 0), Ok(()));
        assert_eq!(
            said(2 << 20, 6 << 20, 0).unwrap_err(),
            "hugepages-2Mi: 6291456 bytes are requested, the machine has 4194304: write 3 or more to /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
        );
        assert_eq!(
            said(1 << 30, 1 << 30, 0).unwrap_err(),
            "hugepages-1Gi: this machine has only pages of 2Mi; see hugepagesz among the parameters of its kernel"
        );
        assert_eq!(size_name(64 << 10), "64Ki");
    }
}
