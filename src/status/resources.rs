//! What the containers of a pod ask for together.
//!
//! Source: `k8s.io/component-helpers/resource` PodRequests and PodLimits, as kubelet 1.36 writes them into the status.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::is_sidecar;
use crate::pod::{larger_quantity, sum_of_quantities};

type Amounts = BTreeMap<String, Quantity>;

/// The pod's requests and limits; empty where no container has any.
pub(super) fn pod_resources(spec: &PodSpec) -> ResourceRequirements {
    let some = |amounts: Amounts| (!amounts.is_empty()).then_some(amounts);
    ResourceRequirements {
        requests: some(together(spec, |resources| resources.requests.as_ref())),
        limits: some(together(spec, |resources| resources.limits.as_ref())),
        ..ResourceRequirements::default()
    }
}

/// The containers and sidecars run side by side; an init container runs beside the sidecars before it.
fn together(spec: &PodSpec, of: impl Fn(&ResourceRequirements) -> Option<&Amounts>) -> Amounts {
    let amounts = |container: &Container| {
        let amounts = container.resources.as_ref().and_then(&of);
        amounts.cloned().unwrap_or_default()
    };
    let mut all = Amounts::new();
    for container in &spec.containers {
        add(&mut all, &amounts(container));
    }
    let (mut sidecars, mut peak) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let own = amounts(container);
        if is_sidecar(container) {
            add(&mut all, &own);
            add(&mut sidecars, &own);
            raise(&mut peak, &sidecars);
        } else {
            let mut with_it = own;
            add(&mut with_it, &sidecars);
            raise(&mut peak, &with_it);
        }
    }
    raise(&mut all, &peak);
    all
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = match to.get(name) {
            Some(there) => sum_of_quantities(&there.0, &amount.0),
            None => sum_of_quantities(&amount.0, "0"),
        };
        to.insert(name.clone(), Quantity(sum));
    }
}

fn raise(to: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        let there = to.get(name).map_or("0", |there| there.0.as_str());
        let larger = larger_quantity(there, &amount.0);
        to.insert(name.clone(), Quantity(larger.to_owned()));
    }
}
