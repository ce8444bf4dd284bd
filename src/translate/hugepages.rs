//! Huge pages: how many a pod asks for, and of which size a volume of them is.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;

use super::amount::whole;
use super::pod_spec;
use crate::pod::{
    HUGEPAGES_MEDIUM, Problem, ValidPod, all_containers, medium_page_bytes, page_bytes,
    pod_resources,
};

/// The huge pages that a pod asks for, in bytes by the bytes of a page; requests and limits are the same.
///
/// # Errors
/// A quantity that does not parse.
pub fn huge_pages(pod: &ValidPod) -> Result<BTreeMap<u64, u64>, Problem> {
    let mut pages = BTreeMap::new();
    let requests = pod_resources(pod_spec(pod)?).requests;
    for (name, amount) in requests.iter().flatten() {
        if let Some(page) = page_bytes(name) {
            pages.insert(page, whole(amount, "spec.resources.requests")?);
        }
    }
    Ok(pages)
}

/// The bytes of a page of a volume of this medium.
///
/// Source: kubelet 1.36 `volume/emptydir/empty_dir.go` getPageSizeMountOption.
pub(super) fn volume_page_bytes(spec: &PodSpec, medium: &str, place: &str) -> Result<u64, Problem> {
    let problem = |text: String| Problem::new(format!("{place}.emptyDir.medium"), text);
    let wanted = medium_page_bytes(medium);
    if wanted.is_none() && medium != HUGEPAGES_MEDIUM {
        return Err(problem(format!("unknown storage medium {medium:?}")));
    }
    let of_containers = all_containers(spec).filter_map(|container| container.resources.as_ref());
    let mut asked: Vec<u64> = of_containers
        .filter_map(|resources| resources.requests.as_ref())
        .chain(
            spec.resources
                .iter()
                .filter_map(|whole| whole.requests.as_ref()),
        )
        .flatten()
        .filter_map(|(name, _)| page_bytes(name))
        .collect();
    asked.sort_unstable();
    asked.dedup();
    match (wanted, asked.as_slice()) {
        (Some(wanted), asked) if asked.contains(&wanted) => Ok(wanted),
        (None, [only]) => Ok(*only),
        (None, [_, _, ..]) => {
            let text = "HugePages can't be used if containers request multiple huge page sizes";
            Err(problem(text.to_owned()).hint("write HugePages-<size>"))
        }
        (Some(_) | None, _) => {
            let text = format!("no container requests huge pages of {medium}");
            Err(problem(text).hint("give a container limits such as hugepages-2Mi: 64Mi"))
        }
    }
}
