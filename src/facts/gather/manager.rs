//! What the host's administrator changed of systemd's own defaults: system.conf and its drop-ins.

use super::{Pad, Worker, configuration};
use crate::facts::ManagerSettings;
use crate::model::Observed;

/// Reads it where a demand counts the default; `None` where none does.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> Option<Observed<ManagerSettings>> {
    let services = &worker.ground.contract.services;
    let counts = services.iter().any(|service| service.settings.iter().any(|demand| demand.default_counts));
    counts.then(|| configuration::settings(worker, pad, "system.conf", "Manager"))
}
