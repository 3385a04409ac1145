//! The processors and memory nodes of a running host, where a unit names some (sysfs).

use super::{Pad, Worker};
use crate::facts::processors::{PROCESSOR_SETTINGS, Processors, Range, ranges};
use crate::model::Observed;

/// `None` where no unit asks, and of a disk, which does not show in what machine it boots.
pub(super) fn asked_for(worker: &Worker<'_>, pad: &Pad) -> Option<Observed<Processors>> {
    worker.ground.system.ask()?;
    let asks = |key: &&str| pad.loaded().any(|unit| unit.scalar("Service", key).is_some());
    PROCESSOR_SETTINGS.iter().any(asks).then(|| {
        online(worker, "cpu").and_then(|cpus| match online(worker, "node") {
            Observed::Unreadable(why) => Observed::Unreadable(why),
            nodes => {
                let nodes = nodes.known().ok().flatten().cloned().unwrap_or_default();
                Observed::Found(Processors { cpus, nodes })
            }
        })
    })
}

fn online(worker: &Worker<'_>, kind: &str) -> Observed<Vec<Range>> {
    let path = format!("/sys/devices/system/{kind}/online");
    worker.ground.system.read(&path, 4096).and_then(|bytes| match ranges(&String::from_utf8_lossy(&bytes)) {
        Some(ranges) => Observed::Found(ranges),
        None => Observed::Unreadable(format!("{path} is not a list of numbers")),
    })
}
