//! The units that a start takes along: what services and what triggers them require, in turn.

use std::collections::BTreeSet;

use super::{Pad, Worker, start, units};
use crate::contract::Service;
use crate::facts::Need;
use crate::facts::made::{self, PACKAGE_LISTS, REQUIREMENTS};
use crate::systemd::effective::EffectiveUnit;

/// More units than this that require each other in turn are not followed.
const MOST_REQUIRED: usize = 10_000;

/// Reads the units that services and what triggers them require, what those require in turn, and the units that leave
/// something for services.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) {
    let effective = |pad: &Pad, name: &str| pad.effective(name).cloned();
    let required = |unit: &EffectiveUnit| -> Vec<String> {
        let words = REQUIREMENTS.iter().flat_map(|key| unit.words("Unit", key));
        words.map(|(word, _)| word).collect()
    };
    let mut waiting: Vec<String> = Vec::new();
    for service in &worker.ground.contract.services {
        for name in trigger(service).into_iter().chain([service.unit.value.clone()]) {
            let Some(unit) = effective(pad, &name) else { continue };
            waiting.extend(required(&unit));
            if worker.needs(Need::Start) {
                start::conditions(worker, &unit, pad);
            }
        }
        waiting.extend(effective(pad, &service.unit.value).iter().flat_map(|unit| made::before(unit)));
    }
    for path in PACKAGE_LISTS.iter().filter(|_| !waiting.is_empty() && worker.needs(Need::Start)) {
        pad.look(worker, path);
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if seen.len() == MOST_REQUIRED || !seen.insert(name.clone()) {
            continue;
        }
        units::gather(worker, &name, pad);
        // A generator may make it of a script.
        if let Some(script) = name.strip_suffix(".service").filter(|_| worker.needs(Need::Start)) {
            pad.look(worker, &format!("/etc/init.d/{script}"));
        }
        if let Some(unit) = effective(pad, &name).filter(|_| worker.needs(Need::Start)) {
            start::conditions(worker, &unit, pad);
            start::needed_by_required(worker, &unit, pad);
            // What is started before it may make what it lacks.
            made::before(&unit).iter().for_each(|name| units::gather(worker, name, pad));
        }
        waiting.extend(effective(pad, &name).iter().flat_map(|unit| required(unit)));
        // A socket does not start without its service.
        let socket = effective(pad, &name).filter(|_| name.ends_with(".socket"));
        waiting.extend(socket.and_then(|unit| Some(unit.started()?.0)));
    }
}

/// The unit that starts a service in its stead.
fn trigger(service: &Service) -> Option<String> {
    service.timer.as_ref().map(|timer| timer.value.clone()).or_else(|| service.activated_by())
}
