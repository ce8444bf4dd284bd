//! Huge pages: the resources `hugepages-<size>`, and the media `HugePages` and `HugePages-<size>` of an emptyDir.

use super::quantity;

/// What every such resource begins with.
pub const HUGEPAGES: &str = "hugepages-";

/// The medium without a size: of the only one that the pod asks for.
pub const MEDIUM: &str = "HugePages";

/// The bytes of a page of this resource, which is `hugepages-2Mi` or the like; `None` when it is another one, or has no size.
pub fn page_bytes(resource: &str) -> Option<u64> {
    size(resource.strip_prefix(HUGEPAGES)?)
}

/// The bytes of a page of the medium `HugePages-<size>`; `None` when it is another one.
pub fn medium_page_bytes(medium: &str) -> Option<u64> {
    size(medium.strip_prefix(MEDIUM)?.strip_prefix('-')?)
}

/// Whether the amount is a number of whole pages of this resource.
///
/// Source: Kubernetes 1.36 `pkg/apis/core/helper` IsHugePageResourceValueDivisible.
pub(super) fn is_whole(resource: &str, amount: &str) -> bool {
    let units = quantity::milli(amount).map(|milli| quantity::div_ceil(milli, 1000));
    match (page_bytes(resource), units) {
        (Some(page), Some(units)) => units % i128::from(page) == 0,
        _ => false,
    }
}

fn size(text: &str) -> Option<u64> {
    let milli = quantity::milli(text).filter(|milli| *milli > 0 && milli % 1000 == 0)?;
    u64::try_from(milli / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_names() {
        assert_eq!(page_bytes("hugepages-2Mi"), Some(2 << 20));
        assert_eq!(medium_page_bytes("HugePages-1Gi"), Some(1 << 30));
        for other in [
            "cpu",
            "hugepages-",
            "hugepages-x",
            "hugepages-0",
            "hugepages-500m",
        ] {
            assert_eq!(page_bytes(other), None, "{other}");
        }
        assert_eq!(medium_page_bytes("HugePages"), None);
        for (amount, whole) in [("0", true), ("4Mi", true), ("3Mi", false), ("1", false)] {
            assert_eq!(is_whole("hugepages-2Mi", amount), whole, "{amount}");
        }
        assert!(!is_whole("hugepages-x", "2Mi"));
    }
}
