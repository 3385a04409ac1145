//! What units put into /run, of which a disk shows nothing: sockets that listen there, and `RuntimeDirectory=`
//! (systemd.socket(5), systemd.exec(5)).

use super::{Pad, Worker, units};
use crate::facts::UnitFacts;
use crate::facts::condition;
use crate::facts::made::{AtBoot, MadeFacts, MadeKind, own_directories};
use crate::facts::start::{lies_under, simplified};
use crate::model::{Lookup, Observed, RUN, RUN_OF_SYSTEMD};
use crate::systemd::effective::{EffectiveUnit, LoadState};

/// Where sockets listen.
const LISTENS: [&str; 4] = ["ListenStream", "ListenDatagram", "ListenSequentialPacket", "ListenFIFO"];

/// Adds what units of the disk put into /run, where anybody asks for something there: what sockets of the boot do is known,
/// of all others it is not known whether they do it before.
pub(super) fn gather(worker: &Worker<'_>, pad: &Pad, made: &mut MadeFacts) {
    if !pad.paths.values().any(is_asked_for) {
        return;
    }
    for name in worker.index().names() {
        let unit = match pad.units.get(&name) {
            Some(UnitFacts { effective, .. }) => effective.clone(),
            None => units::effective(worker, &name).map(std::sync::Arc::new),
        };
        let Observed::Found(unit) = unit else { continue };
        if unit.load == LoadState::Loaded {
            sockets(worker, &unit, made);
            directories(worker, &unit, made);
        }
    }
}

/// Whether something below /run is looked for that is no place of systemd's own.
fn is_asked_for(lookup: &Lookup) -> bool {
    let path = lookup.asked.strip_prefix("/var").unwrap_or(&lookup.asked);
    lies_under(path, RUN) && path != RUN && path != "/run/user" && lookup.real().is_none()
}

fn sockets(worker: &Worker<'_>, unit: &EffectiveUnit, made: &mut MadeFacts) {
    let is_linked = |name: &str| {
        let links = worker.index().links_to(name).iter();
        links.filter(|link| !lies_under(link, RUN)).any(|link| link.contains("/sockets.target.wants/"))
    };
    // One with a condition may be passed over.
    let is_started = unit.names().any(is_linked) && condition::all(unit).is_empty();
    for setting in LISTENS.iter().flat_map(|key| unit.assignments("Socket", key)) {
        let path = simplified(setting.value());
        // A link that every host has once it runs.
        let path = path.strip_prefix("/var").filter(|rest| lies_under(rest, RUN)).unwrap_or(&path);
        if !setting.value().starts_with('/') || !lies_under(path, RUN) {
            continue;
        }
        let at = setting.at.clone();
        match is_started {
            true => made.at_boot.add(AtBoot {
                path: path.into(),
                kind: MadeKind::File,
                uid: 0,
                gid: 0,
                mode: 0o666,
                size: 0,
                replaces: false,
                at,
            }),
            false => made.unsure.push((below_run(path).into(), at, WHEN.to_owned())),
        }
    }
}

/// Why what a unit makes is not known to be there.
const WHEN: &str = "it is not known whether that unit is started before";

fn directories(worker: &Worker<'_>, unit: &EffectiveUnit, made: &mut MadeFacts) {
    let of_contract =
        |name: &str| worker.ground.contract.services.iter().any(|service| service.unit.value == name);
    // Those of the contract say what they make where it counts.
    if unit.names().any(of_contract) {
        return;
    }
    for own in own_directories(unit).into_iter().filter(|own| lies_under(&own.path, RUN)) {
        made.unsure.push((below_run(&own.path).into(), own.setting.at.clone(), WHEN.to_owned()));
    }
}

/// What a unit makes on the way to a path below /run that nobody else makes.
fn below_run(path: &str) -> String {
    let own = if lies_under(path, RUN_OF_SYSTEMD) { 4 } else { 3 };
    path.split('/').take(own).collect::<Vec<_>>().join("/")
}
