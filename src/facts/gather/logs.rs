//! Where logs go: `Storage=` of the journal and the patterns that logrotate knows.

use std::collections::HashSet;

use super::room::Room;
use super::{Pad, Worker, configuration};
use crate::facts::LogFacts;
use crate::model::{Location, Observed};
use crate::syntax::logrotate;

/// Looks at both.
pub(super) fn gather(worker: &Worker<'_>, pad: &mut Pad) -> LogFacts {
    pad.look(worker, "/var/log/journal");
    if let Some(place) = worker.ground.contract.layout.get(crate::facts::logs::PLACE) {
        pad.look(worker, &place.path.value);
    }
    LogFacts { storage: storage(worker, pad), rotated: rotated(worker, pad) }
}

/// The last assignment of `Storage=` in `[Journal]` over the main file and its drop-ins.
fn storage(worker: &Worker<'_>, pad: &mut Pad) -> Observed<(String, Location)> {
    configuration::settings(worker, pad, "journald.conf", "Journal")
        .and_then(|mut settings| settings.remove("Storage").map_or(Observed::Absent, Observed::Found))
}

/// The patterns of `/etc/logrotate.conf` and of what it includes; Debian's includes `/etc/logrotate.d`.
fn rotated(worker: &Worker<'_>, pad: &mut Pad) -> Observed<Vec<(String, Location)>> {
    let mut waiting = vec!["/etc/logrotate.conf".to_owned()];
    let (mut seen, mut room) = (HashSet::new(), Room::of_the_host());
    let mut patterns = Vec::new();
    let mut any = false;
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        if let Err(why) = room.file() {
            return Observed::Unreadable(format!("{path}: {why}"));
        }
        if let Observed::Found(names) = pad.list(worker, &path) {
            // Names that packages leave behind are passed over, logrotate(8).
            let taboo = [
                ".dpkg-old",
                ".dpkg-new",
                ".dpkg-dist",
                ".bak",
                ".disabled",
                ".rpmsave",
                "~",
                ".swp",
                ".ucf-old",
            ];
            let kept = names.iter().filter(|name| !taboo.iter().any(|end| name.ends_with(end)));
            waiting.extend(kept.map(|name| format!("{path}/{name}")));
            continue;
        }
        match worker.read_within(pad.look(worker, &path), &mut room) {
            Observed::Found(bytes) => {
                any = true;
                let read = logrotate::parse(&bytes);
                let at = |(pattern, line): (String, u32)| (pattern, Location::line(path.as_str(), line));
                patterns.extend(read.patterns.into_iter().map(at));
                waiting.extend(read.includes);
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        }
    }
    if any { Observed::Found(patterns) } else { Observed::Absent }
}
