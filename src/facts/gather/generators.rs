//! Which units of a disk are made only when the host boots: by generators (systemd.generator(7)) and from scripts in
//! /etc/init.d.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Worker;
use super::mask::is_masked;
use crate::facts::generators::{Generators, is_of_systemd};
use crate::facts::made::MadeFacts;
use crate::model::{NodeKind, Observed};
use crate::systemd::search::GENERATOR_DIRECTORIES;

const SCRIPTS: &str = "/etc/init.d";

/// More scripts than this are not read; and how much of each, since its header stands at its start.
const MOST_SCRIPTS: usize = 1000;
const HEADER: u64 = 8 << 10;

/// The generators that systemd does not bring itself.
pub(super) fn foreign(worker: &Worker<'_>) -> Generators {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for directory in GENERATOR_DIRECTORIES {
        let names = match worker.list(&worker.walker.lookup(directory)) {
            Observed::Found(names) => names,
            Observed::Absent => continue,
            // What stands in there may make anything, and so may the directory in its place.
            Observed::Unreadable(_) => vec![String::new()],
        };
        for name in names.into_iter().filter(|name| !is_of_systemd(name)) {
            let path = format!("{directory}/{name}");
            found.entry(name).or_insert(path);
        }
    }
    // A link to /dev/null takes the one of its name away, and systemd passes over what may not be executed.
    let runs = |path: &String| {
        let lookup = worker.walker.lookup(path);
        lookup.node().map_or(true, |node| node.is_none_or(|node| node.meta.mode & 0o111 != 0))
    };
    let stands = |path: &String| path.ends_with('/') || !is_masked(&worker.walker, path) && runs(path);
    Generators(found.into_values().filter(stands).map(Into::into).collect())
}

/// The names that scripts in /etc/init.d have beside their own (`Provides:` of their headers), each with its script:
/// systemd-sysv-generator(8) makes them aliases. And what could not be read, which may provide any name.
pub(super) fn scripts(worker: &Worker<'_>, made: &mut MadeFacts) {
    let names = match worker.list(&worker.walker.lookup(SCRIPTS)) {
        Observed::Found(names) => names,
        Observed::Absent => return,
        Observed::Unreadable(_) => return made.scripts_unread = Some(SCRIPTS.into()),
    };
    if names.len() > MOST_SCRIPTS {
        made.scripts_unread = Some(SCRIPTS.into());
    }
    for name in names.iter().take(MOST_SCRIPTS) {
        let path: Arc<str> = format!("{SCRIPTS}/{name}").into();
        let lookup = worker.walker.lookup(&path);
        if lookup.node().is_ok_and(|node| node.is_some_and(|node| node.meta.kind == NodeKind::Directory)) {
            continue;
        }
        let bytes = match worker.beginning(&lookup, HEADER) {
            Observed::Found(bytes) => bytes,
            Observed::Absent => continue,
            Observed::Unreadable(_) => {
                made.scripts_unread = Some(path);
                continue;
            }
        };
        for word in
            String::from_utf8_lossy(&bytes).lines().filter_map(provides).flat_map(str::split_whitespace)
        {
            made.provided.entry(word.trim_end_matches(".service").into()).or_insert_with(|| path.clone());
        }
    }
}

fn provides(line: &str) -> Option<&str> {
    line.strip_prefix('#')?.trim_start().strip_prefix("Provides:")
}
