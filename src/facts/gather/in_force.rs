//! What the manager of a running host has in force of settings that a unit does not state, where the contract counts what is in
//! force and not what is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Pad, Worker};
use crate::facts::{Need, Values};
use crate::model::Observed;
use crate::systemd::effective::LoadState;

/// Asks for all of them at once. Where systemd does not answer, what files tell has to do.
pub(super) fn gather(worker: &Worker<'_>, pad: &Pad) -> BTreeMap<Arc<str>, Values> {
    let mut found: BTreeMap<Arc<str>, Values> = BTreeMap::new();
    let Some(ask) = worker.ground.system.ask().filter(|_| worker.needs(Need::Units)) else { return found };
    let mut asked = Vec::new();
    for service in &worker.ground.contract.services {
        let name = service.unit.value.as_str();
        let Some(Observed::Found(unit)) = pad.units.get(name).map(|unit| &unit.effective) else { continue };
        if unit.load != LoadState::Loaded {
            continue;
        }
        for demand in service.settings.iter().filter(|demand| demand.default_counts) {
            if unit.scalar(&demand.section, &demand.key).is_none() {
                asked.push((name, demand.section.as_str(), &*demand.key));
            }
        }
    }
    if asked.is_empty() {
        return found;
    }
    let Observed::Found(values) = ask.values(&asked) else { return found };
    for ((unit, _, key), value) in asked.into_iter().zip(values) {
        if let Some(value) = value {
            found.entry(unit.into()).or_default().insert(key.into(), value);
        }
    }
    found
}
