//! Where logs go: `Storage=` of the journal and the patterns that logrotate knows.

use std::collections::BTreeMap;

use super::{Pad, Worker};
use crate::facts::LogFacts;
use crate::model::{Location, Observed};
use crate::syntax::logrotate;

/// Where journald looks for its configuration, the first wins (journald.conf(5)).
const DIRECTORIES: &[&str] = &["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

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
    let mut files: Vec<String> = Vec::new();
    for directory in DIRECTORIES {
        let path = format!("{directory}/journald.conf");
        if !matches!(worker.read(pad.look(worker, &path)), Observed::Absent) {
            files.push(path);
            break;
        }
    }
    // A drop-in hides those of its name in later directories; all are read in the order of their names.
    let mut drop_ins: BTreeMap<String, String> = BTreeMap::new();
    for directory in DIRECTORIES {
        let directory = format!("{directory}/journald.conf.d");
        match pad.list(worker, &directory) {
            Observed::Found(names) => {
                for name in names.into_iter().filter(|name| name.ends_with(".conf")) {
                    let path = format!("{directory}/{name}");
                    drop_ins.entry(name).or_insert(path);
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{directory}: {why}")),
        }
    }
    files.extend(drop_ins.into_values());
    let mut last = Observed::Absent;
    for path in files {
        match worker.read(pad.look(worker, &path)) {
            Observed::Found(bytes) => {
                for (value, line) in assignments(&String::from_utf8_lossy(&bytes)) {
                    last = Observed::Found((value, Location::line(path.as_str(), line)));
                }
            }
            Observed::Absent => {}
            Observed::Unreadable(why) => return Observed::Unreadable(format!("{path}: {why}")),
        }
    }
    last
}

fn assignments(text: &str) -> impl Iterator<Item = (String, u32)> {
    let mut section = "";
    text.lines().zip(1_u32..).filter_map(move |(line, number)| {
        let line = line.trim();
        if line.starts_with('[') {
            section = line;
        }
        let (key, value) = line.split_once('=')?;
        (section == "[Journal]" && key.trim() == "Storage").then(|| (value.trim().to_owned(), number))
    })
}

/// The patterns of `/etc/logrotate.conf` and of what it includes; Debian's includes `/etc/logrotate.d`.
fn rotated(worker: &Worker<'_>, pad: &mut Pad) -> Observed<Vec<(String, Location)>> {
    let mut waiting = vec!["/etc/logrotate.conf".to_owned()];
    let mut seen: Vec<String> = Vec::new();
    let mut patterns = Vec::new();
    let mut any = false;
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        seen.push(path.clone());
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
        match worker.read(pad.look(worker, &path)) {
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
