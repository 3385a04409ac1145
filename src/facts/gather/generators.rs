//! Which units of a disk are made only when the host boots: by generators (systemd.generator(7)) and from scripts in
//! /etc/init.d.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Worker, units};
use crate::facts::generators::Generators;
use crate::model::Observed;

/// Where systemd looks for generators, the strongest first.
const DIRECTORIES: &[&str] = &[
    "/run/systemd/system-generators",
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

const SCRIPTS: &str = "/etc/init.d";

/// More scripts than this are not read; and how much of each, since its header stands at its start.
const MOST_SCRIPTS: usize = 1000;
const HEADER: u64 = 8 << 10;

/// The generators that systemd does not bring itself.
pub(super) fn foreign(worker: &Worker<'_>) -> Generators {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for directory in DIRECTORIES {
        let names = match worker.list(&worker.walker.lookup(directory)) {
            Observed::Found(names) => names,
            Observed::Absent => continue,
            // What stands in there may make anything, and so may the directory in its place.
            Observed::Unreadable(_) => vec![String::new()],
        };
        for name in names.into_iter().filter(|name| !name.starts_with("systemd-")) {
            let path = format!("{directory}/{name}");
            found.entry(name).or_insert(path);
        }
    }
    // A link to /dev/null takes the one of its name away.
    let stands = |path: &String| path.ends_with('/') || !units::points_to_null(worker, path);
    Generators(found.into_values().filter(stands).map(Into::into).collect())
}

/// The names that scripts in /etc/init.d have beside their own (`Provides:` of their headers), each with its script:
/// systemd-sysv-generator(8) makes them aliases. And what may provide any name beside: what could not be read.
pub(super) fn provided(worker: &Worker<'_>) -> (BTreeMap<Arc<str>, Arc<str>>, Option<Arc<str>>) {
    let mut provided = BTreeMap::new();
    let names = match worker.list(&worker.walker.lookup(SCRIPTS)) {
        Observed::Found(names) => names,
        Observed::Absent => return (provided, None),
        Observed::Unreadable(_) => return (provided, Some(SCRIPTS.into())),
    };
    let mut unread = (names.len() > MOST_SCRIPTS).then(|| SCRIPTS.into());
    for name in names.iter().take(MOST_SCRIPTS) {
        let path: Arc<str> = format!("{SCRIPTS}/{name}").into();
        let bytes = match worker.beginning(&worker.walker.lookup(&path), HEADER) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => continue,
            Observed::Unreadable(_) => {
                unread = Some(path);
                continue;
            }
        };
        for word in
            String::from_utf8_lossy(&bytes).lines().filter_map(provides).flat_map(str::split_whitespace)
        {
            provided.entry(word.trim_end_matches(".service").into()).or_insert_with(|| path.clone());
        }
    }
    (provided, unread)
}

fn provides(line: &str) -> Option<&str> {
    line.strip_prefix('#')?.trim_start().strip_prefix("Provides:")
}
