//! What the containers of a pod ask for together.
//!
//! Source: `k8s.io/component-helpers/resource` PodRequests and PodLimits, as kubelet 1.36 writes them into the status.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::is_sidecar;
use super::quantity::{larger, sum};

type Amounts = BTreeMap<String, Quantity>;

/// The pod's requests and limits; empty where there are none. What the pod has as a whole goes before what its containers
/// add up to.
pub fn pod_resources(spec: &PodSpec) -> ResourceRequirements {
    let whole = spec.resources.as_ref();
    let some = |mut amounts: Amounts, whole: Option<&Amounts>| {
        for (name, amount) in whole.into_iter().flatten() {
            amounts.insert(name.clone(), Quantity(sum(&amount.0, "0")));
        }
        (!amounts.is_empty()).then_some(amounts)
    };
    ResourceRequirements {
        requests: some(
            together(spec, |resources| resources.requests.as_ref()),
            whole.and_then(|whole| whole.requests.as_ref()),
        ),
        limits: some(
            together(spec, |resources| resources.limits.as_ref()),
            whole.and_then(|whole| whole.limits.as_ref()),
        ),
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
        let total = match to.get(name) {
            Some(there) => sum(&there.0, &amount.0),
            None => sum(&amount.0, "0"),
        };
        to.insert(name.clone(), Quantity(total));
    }
}

fn raise(to: &mut Amounts, least: &Amounts) {
    for (name, amount) in least {
        let there = to.get(name).map_or("0", |there| there.0.as_str());
        let higher = larger(there, &amount.0);
        to.insert(name.clone(), Quantity(higher.to_owned()));
    }
}
