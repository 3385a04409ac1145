//! What the host's administrator changed of systemd's own defaults: system.conf and its drop-ins.

use super::{Pad, Worker, configuration};
use crate::facts::ManagerSettings;
use crate::model::{Location, Observed};

/// Reads it where a demand counts the default; `None` where none does.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> Option<Observed<ManagerSettings>> {
    let services = &worker.ground.contract.services;
    let counts = services.iter().any(|service| service.settings.iter().any(|demand| demand.default_counts));
    let without_values = |mut settings: ManagerSettings| {
        // Values of variables may be secrets; those that count are kept with the units.
        settings.retain(|key, _| !key.ends_with("Environment"));
        settings
    };
    counts.then(|| configuration::settings(worker, pad, "system.conf", "Manager").map(without_values))
}

/// Lines of `DefaultEnvironment=`, with their places.
pub(super) type Environment = Vec<(String, Location)>;

/// What the manager hands to every service; `ManagerEnvironment=` is its own alone (systemd-system.conf(5)).
pub(super) fn environment(worker: &Worker<'_>) -> Observed<Environment> {
    configuration::assignments(worker, &mut Pad::default(), "system.conf", "Manager").map(|all| {
        let mut lines = Environment::new();
        for (_, value, at) in all.into_iter().filter(|(key, ..)| key == "DefaultEnvironment") {
            match value.is_empty() {
                true => lines.clear(),
                false => lines.push((value, at)),
            }
        }
        lines
    })
}
