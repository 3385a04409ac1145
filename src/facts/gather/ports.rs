//! Where services listen that run, as far as the contract says where they should.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::health::patiently;
use super::{Pad, Worker};
use crate::contract::Port;
use crate::facts::Need;
use crate::model::Observed;
use crate::model::answers::Listener;

/// By unit; of what does not run there is none.
pub(super) fn gather(worker: &Worker<'_>, pad: &Pad) -> BTreeMap<Arc<str>, Observed<Vec<Listener>>> {
    let Some(ask) = worker.ground.system.ask().filter(|_| worker.needs(Need::Processes)) else {
        return BTreeMap::new();
    };
    let now = worker.ground.system.now();
    let mut all = BTreeMap::new();
    for service in &worker.ground.contract.services {
        let unit = service.unit.value.as_str();
        let (Some(ports), Some(facts)) = (&service.ports, pad.units.get(unit)) else { continue };
        let Observed::Found(state) = &facts.state else { continue };
        if state.active_state != "active" {
            continue;
        }
        let are_there = |found: &Observed<Vec<Listener>>| {
            let Observed::Found(found) = found else { return true };
            let places = Port::places(found);
            ports.iter().all(|port| places.iter().any(|place| place.covers(&port.value)))
        };
        let may_still_come = service.health().may_still_come(state.started, now);
        all.insert(unit.into(), patiently(may_still_come, || ask.listening(unit), are_there));
    }
    all
}
